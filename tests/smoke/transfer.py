#!/usr/bin/env python3
"""A TCP transfer whose content is checked: transfer.py send|receive ADDRESS PORT BYTES.

Prints one JSON object: how many bytes and their digest, and in how many seconds since the connection was there. The
content is a function of the position, so both sides know it.
"""
import hashlib
import json
import random
import socket
import sys
import time

CHUNK = random.Random(7).randbytes(1 << 16)


def content(n_bytes):
    for number in range(0, n_bytes, len(CHUNK)):
        yield (number.to_bytes(8, "big") + CHUNK[8:])[:n_bytes - number]


def main():
    what, address, port, n_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    digest, done = hashlib.sha256(), 0
    if what == "send":
        with socket.create_connection((address, port), 10) as peer:
            peer.settimeout(None)
            began = time.monotonic()
            for chunk in content(n_bytes):
                peer.sendall(chunk)
                digest.update(chunk)
                done += len(chunk)
    else:
        listener = socket.create_server((address, port))
        print(json.dumps({"listening": True}), flush=True)
        peer, _ = listener.accept()
        began = time.monotonic()
        while chunk := peer.recv(1 << 18):
            digest.update(chunk)
            done += len(chunk)
    print(json.dumps({"total": True, "bytes": done, "digest": digest.hexdigest(),
                      "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
