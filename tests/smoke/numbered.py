#!/usr/bin/env python3
"""Numbered datagrams in bursts: numbered.py send ADDRESS PORT SECONDS BURST EVERY_MS | receive ADDRESS PORT.

The receiver counts each number, and by the kernel's own time stamps how long the switch stood still: the
longest time between two arrivals of which the second had been sent before the first came. It ends when it is
told, and prints one JSON object.
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

SIZE = 1400
SO_TIMESTAMPNS = 35


def send(address, port, seconds, burst, every_s):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        out.connect((address, port))
        # The neighbour is found first: what waits for it may be overtaken.
        out.send(b"hello")
        time.sleep(0.3)
        number, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(burst):
                out.send(struct.pack("!Qq", number, time.time_ns()).ljust(SIZE, b"\0"))
                number += 1
            time.sleep(every_s)  # what was late is not made up for: it would ask for more than there is
    print(json.dumps({"sent": number}), flush=True)


def receive(address, port):
    wake, told = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(told, b"x"))
    seen, twice, order, stall_ns, last_ns, last = set(), 0, 0, 0, None, -1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
        inside.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        inside.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        inside.bind((address, port))
        print(json.dumps({"listening": True}), flush=True)
        is_told = False
        while True:
            readable, _, _ = select.select([inside] + ([] if is_told else [wake]), [], [],
                                           0.5 if is_told else None)
            is_told = is_told or wake in readable
            if is_told and inside not in readable:
                break
            if inside not in readable:
                continue
            data, extra, _, _ = inside.recvmsg(2048, 64)
            if len(data) < SIZE:
                continue
            seconds, nanoseconds = struct.unpack("qq", extra[0][2])
            at_ns = seconds * 1_000_000_000 + nanoseconds
            number, sent_ns = struct.unpack("!Qq", data[:16])
            twice += number in seen
            order += number < last
            seen.add(number)
            if last_ns is not None and sent_ns < last_ns:
                stall_ns = max(stall_ns, at_ns - last_ns)
            last, last_ns = number, at_ns
    print(json.dumps({"total": True, "got": len(seen), "twice": twice, "order": order,
                      "highest": max(seen, default=-1), "stall_ms": stall_ns / 1e6}), flush=True)


def main():
    # One processor on either side keeps the order; two kernel queues need not.
    os.sched_setaffinity(0, {0})
    what, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "send":
        send(address, port, float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]) / 1000)
    else:
        receive(address, port)


if __name__ == "__main__":
    main()
