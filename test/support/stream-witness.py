"""Watches an interface for the packets of one TCP stream over IPv4, which may be truncated.

usage: stream-witness.py INTERFACE SERVER_PORT

Prints 'ready', and when its input ends one line of JSON: how many data packets came, the lengths of
their frames, the bytes of the stream that the packets' headers account for without a gap, whether
IPv4 header checksums were right, and of packets that came whole, how many TCP checksums were wrong.
"""
import json
import select
import socket
import struct
import sys

SO_RCVBUFFORCE = 33
ETH_P_ALL = 3


def folded(data: bytes, total: int = 0) -> int:
    if len(data) % 2:
        data += b"\0"
    total += sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
sock.bind((sys.argv[1], ETH_P_ALL))
server_port = int(sys.argv[2])
print("ready", flush=True)

frames, lengths, spans = 0, set(), []
bad_ip, bad_tcp, first = 0, 0, None
stopping = False
while True:
    readable, _, _ = select.select([sock] if stopping else [sock, sys.stdin], [], [], 1)
    if sys.stdin in readable:
        stopping = True
    if sock not in readable:
        if stopping:
            break
        continue
    frame = sock.recv(70000)
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        continue
    ip = frame[14:]
    header = (ip[0] & 15) * 4
    total = struct.unpack("!H", ip[2:4])[0]
    tcp = ip[header:]
    _, dport, seq = struct.unpack("!HHI", tcp[:8])
    if dport != server_port:
        continue
    size = total - header - (tcp[12] >> 4) * 4
    if tcp[13] & 2:
        first = (seq + 1) & 0xFFFFFFFF
    if size <= 0:
        continue
    frames += 1
    lengths.add(len(frame))
    bad_ip += folded(ip[:header]) != 0xFFFF
    if len(ip) >= total:
        pseudo = folded(ip[12:20], 6 + total - header)
        bad_tcp += folded(ip[header:total], pseudo) != 0xFFFF
    spans.append(((seq - first) & 0xFFFFFFFF, size))

covered = 0
for start, size in sorted(spans):
    if start > covered:
        break
    covered = max(covered, start + size)
print(
    json.dumps(
        {
            "frames": frames,
            "lengths": sorted(lengths),
            "covered": covered,
            "badIp": bad_ip,
            "badTcp": bad_tcp,
        }
    ),
    flush=True,
)
