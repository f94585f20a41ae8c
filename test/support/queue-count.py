"""Which receive queue of an interface frames come in by: a packet socket for each, as the kernel
deals them out (PACKET_FANOUT_QM).

    queue-count.py DEVICE QUEUES    prints 'ready'; for each line read, the counts so far as JSON

Counted are frames of one EtherType (0x88b5) and of UDP to port 9.
"""

import json
import select
import socket
import struct
import sys

SOL_PACKET = 263
PACKET_FANOUT = 18
PACKET_FANOUT_QM = 5
ETH_P_ALL = 3

device, queues = sys.argv[1], int(sys.argv[2])
sockets = []
for number in range(queues):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((device, ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_FANOUT, 4711 | (PACKET_FANOUT_QM << 16))
    s.setblocking(False)
    sockets.append(s)
counts = [0] * queues


def drain(number):
    try:
        while True:
            frame, address = sockets[number].recvfrom(2048)
            outgoing = address[2] == socket.PACKET_OUTGOING
            udp = frame[12:14] == b"\x08\x00" and struct.unpack("!H", frame[36:38])[0] == 9
            if not outgoing and (udp or frame[12:14] == b"\x88\xb5"):
                counts[number] += 1
    except BlockingIOError:
        pass


print("ready", flush=True)
while True:
    readable, _, _ = select.select([sys.stdin] + sockets, [], [])
    for number, s in enumerate(sockets):
        if s in readable:
            drain(number)
    if sys.stdin in readable:
        if not sys.stdin.readline():
            break
        for number in range(queues):
            drain(number)
        print(json.dumps(counts), flush=True)
