#!/usr/bin/env python3
"""A guest with a TAP, as a hypervisor makes one: guest.py TAP NETNS DEVICE.

Makes TAP here, as a hypervisor does, and behind it a machine whose kernel is the namespace NETNS and whose
card is DEVICE: frames are copied between the two until it is ended.
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
CLONE_NEWNET = 0x40000000
FRAME_MAX = 65536


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    os.set_blocking(fd, False)
    return fd


def main():
    tap, netns, device = sys.argv[1:4]
    outer = open_tap(tap)
    space = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET) != 0:
        sys.exit(f"guest: cannot enter {netns}")
    inner = open_tap(device)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([outer, inner], [], [])
        for fd in readable:
            try:
                os.write(inner if fd == outer else outer, os.read(fd, FRAME_MAX))
            except OSError:
                pass  # the other side is down: a machine drops such frames, too


if __name__ == "__main__":
    main()
