#!/usr/bin/env python3
"""A virtual machine with a kernel of its own on a vhost port: QEMU, by emulation where there is no other way."""
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

from smoke import HERE, Host, main, test, until
from lab.guest import Guest, GuestLoad, kvm_works, wait_up
from lab.image import BUSYBOX, Image
from lab.load import HGLOAD

MAC, PEER_MAC = "02:00:00:00:78:01", "02:00:00:00:78:02"
GUEST, PEER = "10.78.0.50", "10.78.0.51"
BACK_MS, GAP_MS = 1500, 200
# virtio's bits: checksums left to us and left to the guest; segments from it and for it.
OFFLOADS = {"CSUM": 0, "GUEST_CSUM": 1, "GUEST_TSO4": 7, "GUEST_TSO6": 8, "HOST_TSO4": 11, "HOST_TSO6": 12,
            "MRG_RXBUF": 15}
RING_PACKED = 34
CRASHES = 5
N_CONNECTIONS = 6
ECHO_EVERY_MS = 10
# While nobody is connected QEMU takes its guest's link away, and drops what the guest sends meanwhile: a few ms long.
QEMU_DROPS_MAX = 3


class Machine:
    """A guest and a namespace, two instances of one tenant."""

    def __init__(self, world, card_options="", queues=1, contract=None):
        self.world, self.host = world, Host(world)
        self.host.tenant("acme", None, ["peer"])
        self.host.config["tenants"][0]["instances"].append({"name": "vm", "contract": contract or {}, "ports": [
            {"name": "vm-0", "device": f"vhost:{world.path('vm')}.vhost", "mac": MAC, "addresses": [GUEST]}]})
        # What neighbours are told of one another when a link is back is what the configuration says.
        self.host.config["tenants"][0]["instances"][0]["ports"][0].update(mac=PEER_MAC, addresses=[PEER])
        self.host.addresses["peer"] = PEER
        image = Image(world, [HGLOAD] + ([shutil.which("ethtool")] if queues > 1 else []))
        has_kvm = kvm_works(world, image)
        self.host.daemon.start(self.host.write())
        self.guest = Guest(world, image, "vm", MAC, has_kvm, queues, card_options, nice=-15)
        world.address(world.name("peer"), world.name("peer"), PEER + "/24")
        world.address(world.name("out"), world.name("up"), self.host.addresses["out"] + "/24")
        wait_up([self.guest])
        self.guest.address(GUEST + "/24")
        self.host.daemon.links_up()

    def counts(self):
        """What the guest's kernel handed to its card and got from it: {name: number}."""
        names = [f"{way}_{what}" for way in ("tx", "rx") for what in ("packets", "bytes")]
        lines = self.guest.run("cat", *(f"/sys/class/net/eth0/statistics/{name}" for name in names))
        return dict(zip(names, map(int, lines)))

    def drops(self):
        """Of the port, and of its instance each way."""
        instance = self.host.daemon.instance("vm")
        return self.host.daemon.port("vm-0")["drops"], instance["in"]["drops"], instance["out"]["drops"]

    def in_peer(self, *command, **more):
        return self.world.start([*command], self.world.name("peer"), text=True, **more)


def digest(data):
    return hashlib.md5(data).hexdigest()  # what busybox has


@test
def s5_1_guest_exchanges_whole_segments_both_ways(world):
    machine = Machine(world)
    features = machine.guest.run("cat", "/sys/class/net/eth0/device/features")[0]
    missing = [name for name, bit in OFFLOADS.items() if features[bit] != "1"]
    assert not missing, f"not agreed upon: {missing}"
    with open(BUSYBOX, "rb") as file:
        content = file.read()

    machine.guest.start("httpd", "-f", "-p", "80", "-h", "/bin")
    until(lambda: machine.host.reaches("peer", GUEST, 80), 20, "the guest to serve")
    before = machine.counts()
    fetch = (f"import urllib.request, sys; "
             f"sys.stdout.buffer.write(urllib.request.urlopen('http://{GUEST}/busybox', timeout=20).read())")
    got = subprocess.run(["ip", "netns", "exec", world.name("peer"), sys.executable, "-c", fetch],
                         capture_output=True, check=True, timeout=60).stdout
    assert digest(got) == digest(content), f"{len(got)} bytes of {len(content)} came from the guest"
    after = machine.counts()
    sent = (after["tx_bytes"] - before["tx_bytes"]) / (after["tx_packets"] - before["tx_packets"])

    machine.in_peer(sys.executable, "-m", "http.server", "--bind", PEER, "--directory", "/bin", "80",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: machine.host.reaches("peer", PEER, 80), 20, "the peer to serve")
    before = machine.counts()
    machine.guest.run("wget", "-q", "-O", "/tmp/got", f"http://{PEER}/busybox", seconds=60)
    after = machine.counts()
    assert machine.guest.run("md5sum", "/tmp/got")[0].split()[0] == digest(content)
    received = (after["rx_bytes"] - before["rx_bytes"]) / (after["rx_packets"] - before["rx_packets"])
    print(f"         {len(content)} bytes each way, in segments of {sent:.0f} and {received:.0f} bytes in the mean",
          flush=True)
    assert sent > 2 * 1514 and received > 2 * 1514, "segments were cut"


class Echoes:
    """Echoes of the guest, asked for from the namespace."""

    def __init__(self, machine):
        self.process = machine.in_peer(sys.executable, f"{HERE}/pinging.py", GUEST, str(ECHO_EVERY_MS),
                                       stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def finish(self):
        """[(asked, answered or None)] in ns"""
        self.process.send_signal(signal.SIGTERM)
        got = json.loads(self.process.communicate(timeout=20)[0])
        return list(zip(got["asked_ns"], got["answered_ns"]))


def first_after(echoes, at_ns):
    """How long after an instant the first request that was asked later was answered, in ms."""
    return min((answered - at_ns) / 1e6 for asked, answered in echoes if answered and asked >= at_ns)


def longest_silence(echoes, begin_ns, end_ns):
    """The longest time between two answers, in ms."""
    at = sorted(answered for _, answered in echoes if answered and begin_ns <= answered <= end_ns)
    return max((b - a) / 1e6 for a, b in zip(at, at[1:]))


@test
def s7_11_guest_outlives_its_switch(world):
    """Three crashes and three planned restarts, with a connection that lasts over all of them. The middle one of three
    counts: emulation on a machine that does other things stands still by itself now and then. The guest's kernel forgets
    its neighbours each time, and would be silent for a second if nobody told it (dataplane/introducer.h)."""
    machine = Machine(world)
    daemon = machine.host.daemon
    machine.host.serve("peer")
    load = GuestLoad(machine.guest, "rr", f"{PEER}:5001", "--seconds", 600, "--pause-us", 20000)
    until(lambda: load.check() or load.seconds, 20, "the guest's first second")
    echoes = Echoes(machine)
    starts, restarts, answers = [], [], []
    time.sleep(0.5)
    for _ in range(3):
        daemon.kill()
        starts.append(time.monotonic_ns())
        daemon.start(machine.host.config_path)
        daemon.links_up()
        time.sleep(1)
    # Counters outlive planned restarts, and after a crash an echo may come before the guest.
    dropped = machine.drops()
    for _ in range(3):
        began = time.monotonic_ns()
        answers.append(daemon.restart())
        time.sleep(1)
        restarts.append((began, time.monotonic_ns()))
    seen = echoes.finish()
    n_seconds = len(load.seconds)
    until(lambda: load.check() or len(load.seconds) > n_seconds and load.last()["count"] > 0, 30,
          "the connection to go on")
    load.finish()
    back = sorted(first_after(seen, at) for at in starts)
    silence = sorted(longest_silence(seen, *at) for at in restarts)
    lost = [asked for asked, answered in seen if answered is None and asked >= restarts[0][0]]
    gaps = sorted(answer["gap_ns"] / 1e6 for answer in answers)
    print(f"         after kill -9 back in {', '.join(f'{ms:.0f}' for ms in back)} ms; planned restarts: gaps "
          f"{', '.join(f'{ms:.0f}' for ms in gaps)} ms, silence {', '.join(f'{ms:.0f}' for ms in silence)} ms, "
          f"{len(lost)} echoes lost", flush=True)
    assert back[1] < BACK_MS, back
    assert all(answer["lost_pkts"] == 0 for answer in answers), answers
    assert machine.drops() == dropped, (machine.drops(), dropped)
    assert len(lost) <= QEMU_DROPS_MAX * len(restarts), len(lost)
    assert gaps[1] < GAP_MS and silence[1] < GAP_MS, (gaps, silence)


@test
def s5_1_packed_rings_of_a_guest_outlive_a_crash(world):
    """A real driver on packed rings, under load while the switch is killed: it goes on where its rings stand, which a
    driver would notice (it takes its card out of use when an entry comes back that was not out)."""
    machine = Machine(world, ",packed=on")
    daemon = machine.host.daemon
    features = machine.guest.run("cat", "/sys/class/net/eth0/device/features")[0]
    assert features[RING_PACKED] == "1", "QEMU or its guest has no packed rings"
    machine.host.serve("peer")
    load = GuestLoad(machine.guest, "rr", f"{PEER}:5001", "--seconds", 600)
    until(lambda: load.check() or load.seconds, 20, "the guest's first second")
    for _ in range(CRASHES):
        daemon.kill()
        daemon.start(machine.host.config_path)
        daemon.links_up()
        n_seconds = len(load.seconds)
        until(lambda: load.check() or len(load.seconds) > n_seconds + 1 and load.last()["count"] > 0, 30,
              "the connection to go on")
    daemon.restart()
    n_seconds = len(load.seconds)
    until(lambda: load.check() or len(load.seconds) > n_seconds + 1 and load.last()["count"] > 0, 30,
          "the connection to go on after a planned restart")
    load.finish()
    port = daemon.port("vm-0")
    assert port["link"] == "up" and "last_reason" not in port, port
    kernel = [line for line in machine.guest.run("dmesg") if "virtio" in line or "eth0" in line]
    assert not any("not a head" in line or "broken" in line or "bad" in line for line in kernel), kernel


@test
def s5_1_guest_changes_its_number_of_queues_while_it_works(world):
    """A contract holds its frames in its rings, so that there are some in each queue that it gives up. What stayed there
    would stop its connection for good: Linux sends nothing again of what it has not got back from its card."""
    machine = Machine(world, queues=2, contract={"out": {"max": "10Mbit", "burst": "16KiB"}})
    machine.host.serve("peer")
    machine.guest.run("ethtool", "-L", "eth0", "combined", 2)
    loads = [GuestLoad(machine.guest, "rr", f"{PEER}:5001", "--seconds", 600, "--request-bytes", 16000)
             for _ in range(N_CONNECTIONS)]

    def go_on():
        before = [len(load.seconds) for load in loads]
        until(lambda: all(not load.check() and any(second["count"] for second in load.seconds[n + 1:])
                          for load, n in zip(loads, before)), 40, "all connections to go on")

    go_on()
    assert machine.host.daemon.instance("vm")["out"]["total"]["held_ns"]["max"] > 0
    for n in (1, 2, 1, 2, 1):
        machine.guest.run("ethtool", "-L", "eth0", "combined", n)
        go_on()
    for load in loads:
        load.finish()
    port = machine.host.daemon.port("vm-0")
    assert port["link"] == "up" and "last_reason" not in port, port


if __name__ == "__main__":
    main()
