"""Numbered UDP packets of many flows: whether each arrives once, and in order.

    udp-sequence.py send ADDRESS FLOWS PACKETS RATE    sends PACKETS, RATE a second, the first
                                                       ones of each flow slowly
    udp-sequence.py receive ADDRESS FLOWS PACKETS [SILENCE]
                                                       prints what came, as JSON, after SILENCE (2)
                                                       seconds without any
"""

import json
import socket
import struct
import sys
import time

PORT = 5999
BURST = 32
# Until the switch knows the flows: its first packets take a longer way than those that follow.
SLOW_PER_FLOW = 10
SLOW_RATE = 500
SO_RCVBUFFORCE = 33
PADDING = b"\0" * 92


def send(address, flows, packets, rate):
    sockets = []
    for flow in range(flows):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 20000 + flow))
        s.connect((address, PORT))
        sockets.append(s)
    slow = flows * SLOW_PER_FLOW
    start = time.monotonic()
    for n in range(packets):
        flow = n % flows
        sockets[flow].send(struct.pack("!II", flow, n // flows) + PADDING)
        if n < slow:
            time.sleep(1 / SLOW_RATE)
        elif n == slow:
            time.sleep(1)
            start = time.monotonic()
        elif n % BURST == 0:
            ahead = start + (n - slow) / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    print(json.dumps({"sent": packets, "seconds": time.monotonic() - start}))


def receive(address, flows, packets, silence=2):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    s.bind((address, PORT))
    print("ready", flush=True)
    seen = [bytearray(packets // flows + 1) for _ in range(flows)]
    highest = [-1] * flows
    count = doubled = disordered = 0
    buffer = bytearray(2048)
    s.settimeout(60)
    try:
        while count < packets:
            s.recv_into(buffer)
            flow, number = struct.unpack_from("!II", buffer)
            count += 1
            if seen[flow][number]:
                doubled += 1
            elif number < highest[flow]:
                disordered += 1
            seen[flow][number] = 1
            if number > highest[flow]:
                highest[flow] = number
            if count == 1:
                s.settimeout(silence)
        s.settimeout(0.5)
        while True:
            s.recv_into(buffer)
            doubled += 1
    except socket.timeout:
        pass
    lost = packets - sum(sum(flow) for flow in seen)
    print(json.dumps({"received": count, "lost": lost, "doubled": doubled, "disordered": disordered}))


if sys.argv[1] == "send":
    send(sys.argv[2], *map(int, sys.argv[3:6]))
else:
    receive(sys.argv[2], *map(int, sys.argv[3:]))
