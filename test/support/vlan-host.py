"""A VLAN-tagged host where the kernel has no 8021q: a TAP device takes the place of eth0.10. What
the host sends through it leaves INTERFACE with a tag; what arrives with that tag comes out of it.
Segments and unfinished checksums pass through whole, as they do in the kernel's own VLAN device.

usage: vlan-host.py INTERFACE VID TAPNAME
"""
import fcntl
import os
import select
import socket
import struct
import sys

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 1, 8, 15, 23
PACKET_MR_PROMISC = 1
TP_STATUS_VLAN_VALID = 0x10
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
VNET = struct.Struct("<BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NEEDS_CSUM = 1


def open_socket(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    for option in (PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING):
        sock.setsockopt(SOL_PACKET, option, 1)
    sock.bind((name, 0))
    promisc = struct.pack("=iHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b"")
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promisc)
    return sock


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
    return fd


def shifted(header, by):
    """The virtio header of a frame whose Ethernet header has grown (or shrunk) by some bytes."""
    flags, gso, hdr_len, gso_size, start, offset = VNET.unpack(header)
    if hdr_len:
        hdr_len += by
    if flags & NEEDS_CSUM:
        start += by
    return VNET.pack(flags, gso, hdr_len, gso_size, start, offset)


def outward(fd, sock, vid):
    data = os.read(fd, 70000)
    header, frame = data[:10], data[10:]
    tag = struct.pack("!HH", 0x8100, vid)
    sock.send(shifted(header, 4) + frame[:12] + tag + frame[12:])


def inward(sock, fd, vid):
    data, control, _flags, _address = sock.recvmsg(70000, 256)
    header, frame, tci = data[:10], data[10:], None
    for level, kind, aux in control:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, tag = struct.unpack_from("=I12xH", aux)
            tci = tag if status & TP_STATUS_VLAN_VALID else None
    if tci is None and frame[12:14] == b"\x81\x00":
        (tci,) = struct.unpack_from("!H", frame, 14)
        header, frame = shifted(header, -4), frame[:12] + frame[16:]
    if tci is not None and tci & 0xFFF == vid:
        os.write(fd, header + frame)


def main():
    name, vid, tap = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    sock, fd = open_socket(name), open_tap(tap)
    print("ready", flush=True)
    while True:
        for ready in select.select([sock, fd], [], [])[0]:
            try:
                outward(fd, sock, vid) if ready == fd else inward(sock, fd, vid)
            except OSError as error:
                print(error, file=sys.stderr, flush=True)


main()
