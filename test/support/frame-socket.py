"""Raw frames on one interface: hex lines on standard input are sent, frames that arrive are printed
as hex lines. Tags that the kernel took out of a frame are put back. Our own frames are not echoed.

usage: frame-socket.py INTERFACE
"""
import os
import selectors
import socket
import struct
import sys

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1
TP_STATUS_VLAN_VALID = 0x10
TP_STATUS_VLAN_TPID_VALID = 0x40
AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata


def open_socket(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((name, 0))
    promisc = struct.pack("=iHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b"")
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promisc)
    return sock


def receive(sock):
    frame, control, _flags, _address = sock.recvmsg(70000, 256)
    for level, kind, data in control:
        if level != SOL_PACKET or kind != PACKET_AUXDATA:
            continue
        status, _len, _snap, _mac, _net, tci, tpid = AUXDATA.unpack(data[: AUXDATA.size])
        if status & TP_STATUS_VLAN_VALID:
            if not status & TP_STATUS_VLAN_TPID_VALID:
                tpid = 0x8100
            frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


def main():
    sock = open_socket(sys.argv[1])
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)
    pending = b""
    print("ready", flush=True)
    while True:
        for key, _events in selector.select():
            if key.fileobj is sock:
                print(receive(sock).hex(), flush=True)
                continue
            chunk = os.read(0, 1 << 20)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                try:
                    sock.send(bytes.fromhex(line.decode()))
                except OSError as error:
                    print(f"send: {error}", file=sys.stderr, flush=True)


main()
