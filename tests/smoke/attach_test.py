#!/usr/bin/env python3
"""Taking over what another manager made, and giving it back; devices that go and come."""
import subprocess
import sys

from smoke import HERE, Host, ip, main, reaches, test, until

PORT = 5001


def tc_state(host, device):
    """The filters and queues of an interface, as its owner would see them."""
    return [subprocess.run(["tc", "-n", host.netns, *what, "dev", device], capture_output=True,
                           text=True, check=False).stdout
            for what in (("qdisc", "show"), ("filter", "show"))]


def bridge_of_someone_else(host, member):
    """What another manager has: a bridge with an address and the interface in it."""
    bridge = host.world.name("br")
    ip("link", "add", bridge, "type", "bridge", netns=host.netns)
    ip("address", "add", "10.79.0.1/24", "dev", bridge, netns=host.netns)
    ip("link", "set", bridge, "up", netns=host.netns)
    ip("link", "set", member, "master", bridge, "up", netns=host.netns)


def taken_over_and_given_back(host, guest, device):
    """The guest reaches its bridge, then only headgate's instances, then its bridge again."""
    before = tc_state(host, device)
    until(lambda: reaches(guest, "10.79.0.1", 5099), 15, "the guest to reach its bridge")
    done = host.daemon.headgate("port", "attach", "foreign-0", "--instance", "b", "--device",
                                f"packet:{device}")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: host.daemon.port("foreign-0")["link"] == "up", 10, "the port to be up")
    until(lambda: reaches(guest, host.addresses["a"], PORT), 15, "the guest to reach instance a")
    assert not reaches(guest, "10.79.0.1", 5099, timeout=1), "the stack's own path is still open"
    done = host.daemon.headgate("port", "detach", "foreign-0")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: reaches(guest, "10.79.0.1", 5099), 15, "the guest to reach its bridge again")
    assert not reaches(guest, host.addresses["a"], PORT, timeout=1), "headgate still carries its frames"
    assert tc_state(host, device) == before, (before, tc_state(host, device))
    assert f"master {host.world.name('br')}" in ip("-o", "link", "show", "dev", device,
                                                   netns=host.netns)


def start(world):
    """Instance a serves; instance b has no port yet. The guest will have addresses in both nets."""
    host = Host(world)
    host.tenant("acme", None, ["a"])
    host.config["tenants"][0]["instances"].append({"name": "b"})
    host.start()
    host.serve("a", PORT)
    guest = world.netns("guest")
    world.start([sys.executable, "-m", "http.server", "--bind", "0.0.0.0", "5099"], host.netns,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return host, guest


def dress(guest, device):
    for address in ("10.78.0.99/24", "10.79.0.99/24"):
        ip("address", "add", address, "dev", device, netns=guest)
    ip("link", "set", device, "up", netns=guest)


@test
def veth_of_someone_else_is_taken_over_and_given_back(world):
    host, guest = start(world)
    device = world.name("v0")
    ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", guest,
       netns=host.netns)
    dress(guest, "eth0")
    bridge_of_someone_else(host, device)
    taken_over_and_given_back(host, guest, device)


@test
def tap_of_someone_else_is_taken_over_and_given_back(world):
    host, guest = start(world)
    device = world.name("t0")
    machine = world.start([sys.executable, f"{HERE}/guest.py", device, guest, "eth0"], host.netns,
                          stdout=subprocess.PIPE, text=True)
    assert machine.stdout.readline() == "ready\n"
    dress(guest, "eth0")
    bridge_of_someone_else(host, device)
    taken_over_and_given_back(host, guest, device)
    assert machine.poll() is None, "the owner of the TAP has lost it"


@test
def attach_and_detach_are_idempotent(world):
    host = Host(world)
    host.tenant("acme", None, ["a"])
    host.start()
    device = world.name("v0")
    ip("link", "add", device, "type", "veth", "peer", "name", world.name("v1"),
       netns=host.netns)
    for _ in range(2):
        done = host.daemon.headgate("port", "attach", "extra", "--instance", "a", "--device",
                                    f"packet:{device}")
        assert done.returncode == 0, done.stdout + done.stderr
    for _ in range(2):
        done = host.daemon.headgate("port", "detach", "extra")
        assert done.returncode == 0, done.stdout + done.stderr


@test
def device_that_goes_takes_only_its_port_down_and_is_used_again(world):
    host, guest = start(world)
    device = world.name("v0")

    def make():
        ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", guest,
           netns=host.netns)
        dress(guest, "eth0")
        ip("link", "set", device, "up", netns=host.netns)
    make()
    done = host.daemon.headgate("port", "attach", "foreign-0", "--instance", "b", "--device",
                                f"packet:{device}")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: reaches(guest, host.addresses["a"], PORT), 15, "the guest to reach instance a")
    ip("link", "delete", device, netns=host.netns)
    gone = until(lambda: (p := host.daemon.port("foreign-0"))["link"] != "up" and p, 10,
                 "the port to be reported")
    assert gone["reason"], gone
    assert host.daemon.port("a-0")["link"] == "up"
    assert reaches(world.name("out"), host.addresses["a"], PORT), "another port went down with it"
    make()
    until(lambda: host.daemon.port("foreign-0")["link"] == "up", 15, "the port to come back")
    until(lambda: reaches(guest, host.addresses["a"], PORT), 15, "the guest to reach a again")


@test
def missing_device_does_not_keep_the_rest_from_starting(world):
    host, guest = start(world)
    device = world.name("v0")
    done = host.daemon.headgate("port", "attach", "later-0", "--instance", "b", "--device",
                                f"packet:{device}")
    assert done.returncode == 0, done.stdout + done.stderr
    port = host.daemon.port("later-0")
    assert port["link"] == "missing" and port["reason"], port
    ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", guest,
       netns=host.netns)
    dress(guest, "eth0")
    ip("link", "set", device, "up", netns=host.netns)
    until(lambda: host.daemon.port("later-0")["link"] == "up", 15, "the port to be used")


if __name__ == "__main__":
    main()
