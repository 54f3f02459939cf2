#!/usr/bin/env python3
"""What an operator reads of ports of virtual machines: whose a socket is, why nobody is there."""
import os
import subprocess

from smoke import Daemon, main, test
from lab.daemon import HEADGATED  # found by way of smoke

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
    return Daemon(world).start(write(world, *ports, name="start.yaml"))


def longest(world, end):
    """A path of the greatest length in a folder that is there."""
    folder = world.path("x")
    folder += "x" * (PATH_BYTES - len(folder) - len(end) - 1)
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, end)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def accepted(done):
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)


def refused(done, *words):
    """In one line for a person."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"
    assert len(done.stderr.splitlines()) == 1, done.stderr


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


@test
def s5_1_port_in_a_namespace_that_it_cannot_be_in_is_refused(world):
    """Of a machine's socket; in a file, and as a single step."""
    world.netns("red")
    netns = "netns: " + world.name("red")
    path = write(world, ("p1", f"vhost:{world.path('s.sock')}", netns))
    words = (f"{path}:8:", "ports[0].netns", "vhost", world.name("red"), "leave it out", "tap, packet, xdp")
    refused(run(HEADGATED, "--check", path), *words)
    accepted(run(HEADGATED, "--check", write(world, ("p1", "tap:p1", netns), name="tap.yaml")))
    daemon = start(world)
    for options in ((), ("--dry-run",)):
        refused(daemon.headgate("apply", path, *options), *words)
        refused(daemon.headgate("port", "attach", "p1", "--instance", "web1", "--device", "vhost:s.sock",
                                "--netns", world.name("red"), *options), "netns", *words[2:])
    assert daemon.get("/v1/ports")["ports"] == []


if __name__ == "__main__":
    main()
