#!/usr/bin/env python3
"""What tenants do with a network: IPv6, VLANs, large packets, fragments; on several workers and uplinks."""
import json
import re
import subprocess
import sys
import time

from smoke import HERE, Host, Skip, ip, main, tenant_row, test, until

CODE_UDP = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
if sys.argv[1] == "receive":
    s.bind((sys.argv[2], 5030))
    print("ready", flush=True)
    s.settimeout(10)
    print(s.recv(65536) == bytes(n % 251 for n in range(int(sys.argv[3]))), flush=True)
else:
    s.sendto(bytes(n % 251 for n in range(int(sys.argv[3]))), (sys.argv[2], 5030))
"""


def inside(netns, *command, timeout=20):
    return subprocess.run(["ip", "netns", "exec", netns, *command], capture_output=True, text=True,
                          check=False, timeout=timeout)


def datagram_arrives(host, sender, receiver, address, n_bytes):
    """Whether one UDP datagram of that many bytes arrives whole and unaltered."""
    there = host.world.start([sys.executable, "-c", CODE_UDP, "receive", address, str(n_bytes)],
                             host.world.name(receiver), stdout=subprocess.PIPE, text=True)
    assert there.stdout.readline() == "ready\n"
    inside(host.world.name(sender), sys.executable, "-c", CODE_UDP, "send", address, str(n_bytes))
    return there.stdout.readline() == "True\n"


def mbit_per_s(host, sender, receiver, seconds=2):
    """The rate of a TCP flood from one to the other."""
    return host.load(sender, "flood", receiver, 5001, "--seconds", seconds).wait(30)["sent_mbit_per_s"]


@test
def s5_1_ipv6_finds_its_neighbours(world):
    """Neighbour discovery and TCP, between two instances and to the outside."""
    host = Host(world)
    host.tenant("acme", None, ["a", "b"])
    host.start()
    for number, name in enumerate(("out", "a", "b"), 1):
        netns, device = world.name(name), world.name("up" if name == "out" else name)
        ip("address", "add", f"fd78::{number}/64", "dev", device, "nodad", netns=netns)
        world.start([sys.executable, "-m", "http.server", "--bind", f"fd78::{number}", "5001"], netns,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for sender, address in (("a", "fd78::3"), ("a", "fd78::1"), ("b", "fd78::2"), ("out", "fd78::3")):
        until(lambda s=sender, a=address: host.reaches(s, a), 15, f"{sender} to reach {address}")
    assert datagram_arrives(host, "a", "b", "fd78::3", 20000), "IPv6 fragments"
    assert datagram_arrives(host, "a", "out", "fd78::1", 20000), "IPv6 fragments to the outside"


@test
def s5_1_fragments_arrive_whole(world):
    host = Host(world)
    host.tenant("acme", None, ["a", "b"])
    host.start()
    for sender, receiver in (("a", "b"), ("a", "out"), ("out", "b")):
        assert datagram_arrives(host, sender, receiver, host.addresses[receiver], 60000), \
            (sender, receiver)


@test
def s5_1_jumbo_frames(world):
    """An MTU of 9,000 is set on the interfaces, and a datagram that just fits goes unfragmented."""
    host = Host(world)
    acme = host.tenant("acme", None, ["a", "b"])
    for instance in acme["instances"]:
        instance["ports"][0]["mtu"] = 9000
    host.start()
    for name in ("a", "b"):
        assert "mtu 9000" in ip("link", "show", "dev", world.name(name), netns=world.name(name))
    assert datagram_arrives(host, "a", "b", host.addresses["b"], 8972)
    host.serve("b")
    assert mbit_per_s(host, "a", "b") > 50
    counted = inside(world.name("a"), "nstat", "-asz", "IpFragCreates").stdout
    assert re.search(r"IpFragCreates +0 ", counted), counted


@test
def s5_1_vlan_is_tagged_on_the_uplink_and_not_in_the_instance(world):
    """The instance sends plain frames; outside they belong to VLAN 100, and to nobody without one."""
    host = Host(world)
    host.tenant("acme", None, ["a"])["instances"][0]["ports"][0]["vlan"] = 100
    host.start()
    code = ("import socket, struct\n"
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n"
            "s.setsockopt(263, 8, 1)\n"  # SOL_PACKET, PACKET_AUXDATA: where the kernel puts the tag
            f"s.bind(('{world.name('up')}', 0))\n"
            "s.settimeout(10)\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    frame, extra, _, _ = s.recvmsg(2048, 64)\n"
            "    tag = struct.unpack('IIIHHHH', extra[0][2])[5] if extra else 0\n"
            "    if frame[12:14] == b'\\x81\\x00':\n"
            "        tag, frame = int.from_bytes(frame[14:16], 'big'), frame[4:]\n"
            "    if frame[12:14] == b'\\x08\\x06': break\n"
            "print(tag & 0xfff, flush=True)\n")
    seen = world.start([sys.executable, "-c", code], world.name("out"), stdout=subprocess.PIPE, text=True)
    assert seen.stdout.readline() == "ready\n"
    assert not host.reaches("a", host.addresses["out"], timeout=1)
    assert seen.stdout.readline() == "100\n"


@test
def s1_3_container_over_its_contract_loses_nothing(world):
    """Its TCP is refused at its own interface: what it sends again is next to nothing, and no queue drops."""
    host = Host(world)
    host.tenant("acme", {"out": {"max": "100Mbit"}}, ["a"])
    host.start()
    device = world.name("a")
    if "noqueue" not in ip("link", "show", "dev", device, netns=world.name("a")):
        raise Skip("a kernel whose TAPs cannot refuse")
    host.serve("out")
    done = host.load("a", "flood", "out", 5001, "--seconds", 2, "--streams", 16).wait(30)
    assert done["sent_mbit_per_s"] > 50, done
    assert host.daemon.instance("a")["out"]["drops"] == {}, host.daemon.instance("a")["out"]
    counted = inside(world.name("a"), "nstat", "-asz", "TcpRetransSegs", "TcpOutSegs").stdout
    again, sent = (int(re.search(rf"{name} +(\d+)", counted)[1]) for name in ("TcpRetransSegs", "TcpOutSegs"))
    # Without its gate: one in ten.
    assert again * 100 < sent, counted


@test
def s1_9_two_workers_carry_real_taps(world):
    """A tenant's maximum binds the sum of instances that lie on different workers; nothing is lost."""
    host = Host(world)
    host.daemon.options = ["--workers", "2"]
    host.tenant("acme", {"out": {"max": "200Mbit"}}, ["a", "b", "c", "d"])
    host.start()
    host.serve("out")
    for name in "abcd":
        host.load(name, "flood", "out", 5001, "--seconds", 600)
    until(lambda: tenant_row(host.daemon.status(), "acme")["out"]["second"]["sent_bytes_per_s"] > 20e6,
          20, "the maximum to be used")
    for _ in range(3):
        row = tenant_row(host.next_second(), "acme")["out"]["second"]
        window = row["for_ns"] / 1e9
        assert 0.9 * 25e6 * window < row["sent_bytes_per_s"] * window < 25e6 * window + 131072 + 70000, row
    names = host.daemon.get("/v1/instances")["instances"]
    assert all(i["out"]["second"]["sent_bytes_per_s"] > 2e6 for i in names), names


def transfer(host, what, name, port, n_bytes, address):
    return host.world.start([sys.executable, f"{HERE}/transfer.py", what, address, str(port), str(n_bytes)],
                            host.world.name(name), stdout=subprocess.PIPE, text=True)


@test
def s2_15_tcp_through_a_host_that_cuts(world):
    """Segments go in pieces for the link's sake, and packet by packet for a contract's; every byte arrives, at
    no less than 0.7 of the contract (what TCP makes of it is the rest). Without one it is the machine that says how fast;
    TCP that loses what is cut would be slower than any."""
    host = Host(world)
    host.tenant("fast", None, ["a"])
    host.tenant("slow", {"out": {"max": "50Mbit"}, "in": {"max": "80Mbit"}}, ["b"])
    host.start()
    for sender, receiver, n_bytes, at_least_mbit in (("a", "out", 60 << 20, 30), ("b", "out", 8 << 20, 35),
                                                     ("out", "b", 12 << 20, 56), ("out", "a", 60 << 20, 30)):
        address = host.addresses[receiver]
        there = transfer(host, "receive", receiver, 5040, n_bytes, address)
        there.stdout.readline()
        here = transfer(host, "send", sender, 5040, n_bytes, address)
        received = json.loads(there.communicate(timeout=60)[0])
        mbit = n_bytes * 8 / received["seconds"] / 1e6
        sent = json.loads(here.communicate(timeout=60)[0])
        assert sent["digest"] == received["digest"], (sender, receiver, sent, received)
        assert received["bytes"] == n_bytes
        assert mbit > at_least_mbit, (sender, receiver, mbit)


def host_with_veth_uplink(world, device, capacity="1Gbit"):
    """The uplink is a veth that the host itself has an address on; its peer is the outside."""
    host = Host(world)
    out, up = world.name("out"), world.name("up")
    ip("link", "add", up, "type", "veth", "peer", "name", up, "netns", out, netns=host.netns)
    world.address(host.netns, up, "10.78.0.200/24")
    host.config["uplinks"] = [{"name": "up0", "device": device + up, "capacity": capacity}]
    port = host.tenant("acme", {"out": {"max": "300Mbit"}}, ["a"])["instances"][0]["ports"][0]
    if device.startswith("xdp"):
        port["mac"] = "02:00:00:00:00:0a"
        # A frame in an AF_XDP socket has no offloads left to do: the ends of the veth do them.
        for netns in (host.netns, out):
            assert inside(netns, "ethtool", "-K", up, "tx", "off").returncode == 0
    return host


def on_a_veth(world, device):
    host = host_with_veth_uplink(world, device)
    host.start()
    world.start([sys.executable, "-m", "http.server", "--bind", "0.0.0.0", "5098"], host.netns,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.start([sys.executable, "-m", "http.server", "--bind", "0.0.0.0", "5099"], world.name("out"),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return host


@test
def s7_10_xdp_uplink_that_the_host_itself_uses(world):
    host = on_a_veth(world, "xdp:")
    out = host.addresses["out"]
    until(lambda: host.reaches("a", out, 5099), 15, "the instance to reach the outside")
    until(lambda: host.reaches("host", out, 5099), 15, "the host to reach the outside")
    until(lambda: host.reaches("out", "10.78.0.200", 5098), 15, "the outside to reach the host")
    host.serve("out")
    assert mbit_per_s(host, "a", "out") > 50
    assert host.reaches("host", out, 5099), "the host lost its traffic"
    host.daemon.stop()
    assert host.reaches("host", out, 5099), "the host lost its traffic at the end"


@test
def simnic_in_front_of_packet(world):
    host = on_a_veth(world, "simnic(rate=200Mbit,ring=256)+packet:")
    out = host.addresses["out"]
    until(lambda: host.reaches("a", out, 5099), 15, "the instance to reach the outside")
    host.serve("out")
    rate = mbit_per_s(host, "a", "out", 4)
    assert 100 < rate < 205, rate
    assert not host.reaches("host", out, 5099, timeout=1), "the interface is still the host's"
    host.config.update(uplinks=[], tenants=[])
    host.apply()
    until(lambda: host.reaches("host", out, 5099), 15, "the host to have its interface back")


if __name__ == "__main__":
    main()
