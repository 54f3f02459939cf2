#!/usr/bin/env python3
"""What an operator reads of ports of virtual machines: whose a socket is, why nobody is there."""
import os
import subprocess

from smoke import Daemon, ip, main, test, until
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
def s5_1_two_ports_with_one_socket_are_refused_before_they_are_opened(world):
    """However its path is written; with the line and both names."""
    os.mkdir(world.path("vms"))
    os.symlink("vms", world.path("link"))
    os.symlink("vms/s.sock", world.path("alias.sock"))
    socket = world.path("vms/s.sock")
    daemon = start(world, ("p1", f"vhost:{socket}"))
    for n, device in enumerate((f"vhost:{world.folder}//vms/s.sock", f"vhost:{world.path('vms/../vms/./s.sock')}",
                                f"vhost:{world.path('link/s.sock')}", f"vhost:{world.path('alias.sock')}",
                                f"vhost(queues=2):{socket}", f"vhost(listen=on):{socket}",
                                f"simnic(rate=1Gbit)+vhost:{socket}")):
        path = write(world, ("p1", f"vhost:{socket}"), ("p2", device), name=f"two{n}.yaml")
        words = (f"{path}:9:", "ports[1].device", "of p2 is that of p1 in line 8", device, socket)
        refused(run(HEADGATED, "--check", path), *words)
        for options in ((), ("--dry-run",)):
            refused(daemon.headgate("apply", path, *options), *words)
            refused(daemon.headgate("port", "attach", "p2", "--instance", "web1", "--device", device, *options),
                    "of p2 is that of p1", device, socket)
    # In another directory, or with another name, it is another socket.
    path = write(world, ("p1", f"vhost:{socket}"), ("p2", f"vhost:{world.path('s.sock')}"),
                 ("p3", f"vhost:{world.path('link/t.sock')}"))
    accepted(run(HEADGATED, "--check", path))
    accepted(daemon.headgate("apply", path))


@test
def s5_1_two_ports_with_one_interface_are_refused_before_they_are_opened(world):
    """Behind a modelled card, and in a namespace that is written by name or by path."""
    red = world.netns("red")
    for device, netns in (("simnic(rate=1Gbit)+tap:t0", red), ("tap:t0", f"/run/netns/{red}")):
        path = write(world, ("p1", "tap:t0", f"netns: {red}"), ("p2", device, f"netns: {netns}"))
        refused(run(HEADGATED, "--check", path), f"{path}:9:", "of p2 is that of p1 in line 8")
    for device, netns in (("tap:t1", red), ("packet:t0", red), ("tap:t0", "elsewhere"), ("tap:t0", '""')):
        path = write(world, ("p1", "tap:t0", f"netns: {red}"), ("p2", device, f"netns: {netns}"))
        accepted(run(HEADGATED, "--check", path))


@test
def s7_11_sockets_that_became_one_keep_nobody_from_theirs(world):
    """Somebody makes a link to another's folder: at the next start one port is missing, and all else goes on."""
    for name in ("a", "b"):
        os.mkdir(world.path(name))
    config = write(world, *((name, f"vhost:{world.path(name)}/s.sock") for name in "ab"), name="start.yaml")
    daemon = Daemon(world).start(config)
    daemon.stop()
    os.rmdir(world.path("b"))
    os.symlink("a", world.path("b"))
    daemon.start(config)
    assert daemon.port("a")["link"] == "down", daemon.port("a")
    assert daemon.port("b")["link"] == "missing", daemon.port("b")
    assert daemon.port("b")["reason"].endswith("belongs to port a"), daemon.port("b")
    # A step that is about others is no worse for it, one that is about them is refused; so is the whole file.
    accepted(daemon.headgate("port", "attach", "c", "--instance", "web1", "--device", f"vhost:{world.path('c.sock')}"))
    refused(daemon.headgate("port", "attach", "d", "--instance", "web1", "--device", f"vhost:{world.path('b')}//s.sock"),
            "of d is that of a")
    refused(daemon.headgate("apply", config, "--dry-run"), f"{config}:9:", "of b is that of a in line 8")
    accepted(daemon.headgate("port", "detach", "b"))


@test
def s1_11_port_that_is_renamed_keeps_its_device(world):
    """In one change, names of others among the new ones; what is not confirmed comes back."""
    red, netns = world.netns("red"), f"netns: {world.name('red')}"
    devices = [(f"vhost:{world.path('a.sock')}",), ("tap:t0", netns), ("dummy:d0",)]

    def named(*names):
        return write(world, *((name, *device) for name, device in zip(names, devices)), name="named.yaml")

    def names():
        ports = {port["device"]: port["name"] for port in daemon.get("/v1/ports")["ports"]}
        return [ports[device[0]] for device in devices]

    daemon = start(world, *((name, *device) for name, device in zip("abc", devices)))
    index = ip("-o", "link", "show", "t0", netns=red).split(":")[0]
    accepted(daemon.headgate("apply", named("a2", "b2", "c2"), "--confirm", "2s"))
    assert names() == ["a2", "b2", "c2"]
    until(lambda: names() == ["a", "b", "c"], 10, "the names to come back")
    for wanted in ("a2", "b2", "c2"), ("b2", "c2", "a2"), ("c2", "d", "a"):
        accepted(daemon.headgate("apply", named(*wanted)))
        assert names() == list(wanted)
    assert daemon.port("d")["link"] == "up" and daemon.port("a")["link"] == "up"
    assert ip("-o", "link", "show", "t0", netns=red).split(":")[0] == index, "the interface is another"
    assert "Traceback" not in daemon.last_words()
    # With other options it is to be opened anew, which takes two steps: it is said.
    devices[0] = (devices[0][0].replace("vhost:", "vhost(queues=2):"),)
    refused(daemon.headgate("apply", named("c2", "d", "a")), devices[0][0], "port c2 has this device open",
            "two changes", "the first without port c2")


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
