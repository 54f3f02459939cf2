#!/usr/bin/env python3
"""Asks a machine for echoes, by ICMP: pinging.py ADDRESS EVERY_MS.

Until it is told to end (SIGTERM); then it prints one JSON object: when each request left and when its answer came
(null: never), in nanoseconds of the monotonic clock, which is the same for all processes.
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

SOL_RAW, ICMP_FILTER = 255, 1
ECHO, ECHO_REPLY = 8, 0
LAST_WAIT_S = 0.5  # for the answers that are under way


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(number):
    rest = struct.pack("!HI", os.getpid() & 0xFFFF, number)
    return struct.pack("!BBH", ECHO, 0, checksum(struct.pack("!H", ECHO << 8) + rest)) + rest


def main():
    address, every_s = sys.argv[1], int(sys.argv[2]) / 1000
    wake, told = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(told, b"x"))
    echo = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    echo.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", ~(1 << ECHO_REPLY) & 0xFFFFFFFF))
    asked, answered, end, next_s = [], [], None, time.monotonic()
    print("ready", flush=True)
    while end is None or time.monotonic() < end:
        if end is None and time.monotonic() >= next_s:
            asked.append(time.monotonic_ns())
            answered.append(None)
            echo.sendto(request(len(asked) - 1), (address, 0))
            next_s += every_s
        wait = max(0.0, (next_s if end is None else end) - time.monotonic())
        readable, _, _ = select.select([echo] + ([wake] if end is None else []), [], [], wait)
        if wake in readable:
            end = time.monotonic() + LAST_WAIT_S
        if echo in readable:
            data = echo.recv(2048)
            who, number = struct.unpack("!HI", data[24:30])
            if who == os.getpid() & 0xFFFF and number < len(asked):
                answered[number] = answered[number] or time.monotonic_ns()
    print(json.dumps({"asked_ns": asked, "answered_ns": answered}), flush=True)


if __name__ == "__main__":
    main()
