#!/usr/bin/env python3
"""What an operator reads of ports of virtual machines: whose a socket is, why nobody is there."""
import os

from smoke import Daemon, main, test

CONFIG = """\
uplinks:
  - {name: up0, device: "dummy:up", capacity: 1Gbit}
tenants:
  - name: acme
    instances:
      - name: web1
        ports:
"""
PATH_BYTES = 107  # the longest that a unix socket can have


def write(world, *ports, name="ports.yaml"):
    """A configuration whose ports are (NAME, DEVICE) or (NAME, DEVICE, more keys)."""
    with open(world.path(name), "w", encoding="utf-8") as out:
        out.write(CONFIG)
        for port, device, *more in ports:
            out.write(f'          - {{name: {port}, device: "{device}"{"".join(", " + m for m in more)}}}\n')
    return out.name


def start(world, *ports):
    return Daemon(world).start(write(world, *ports))


def longest(world, end):
    """A path of the greatest length in a folder that is there."""
    folder = world.path("x")
    folder += "x" * (PATH_BYTES - len(folder) - len(end) - 1)
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, end)


@test
def s5_1_reason_with_the_longest_path_is_read_to_its_end(world):
    path = longest(world, "s.sock")
    daemon = start(world, ("p1", f"vhost:{path}"))
    reason = f"waiting for the guest at {path}, where no socket is yet"
    assert daemon.port("p1")["reason"] == reason, daemon.port("p1")
    assert reason in daemon.headgate("port", "show", "p1").stdout
    # On a terminal of 80 columns the sentence is wrapped, and the path is one word of it.
    rows = daemon.headgate("port", "list").stdout
    assert reason in " ".join(rows.split()), rows
    assert all(len(row) < 80 or path in row for row in rows.splitlines()), rows


if __name__ == "__main__":
    main()
