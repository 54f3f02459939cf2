"""TCP and round trips between two virtual machines: headgate against OVS with DPDK.

Four QEMU guests with Debian's cloud kernel, by KVM where it works: two behind headgated (vhost ports, contracts in
force that are above what the guests can do), two behind OVS with DPDK (dpdkvhostuserclient, action NORMAL, user space
TSO switched on, without which its guests cut and checksum by themselves). They are measured in turn; whoever's turn it
is not, is stopped, since a switch of DPDK is never idle. Guests on all processors but the last, which is the switch's.

tcp_over_ovs: headgate's rate by OVS's. rr_over_ovs: OVS's median round trip by headgate's (both: more is better). Each
the median over undisturbed pairs (turns.py).
"""
import os
import signal
import sys

import harness
import turns
from ovs import HugePages, Ovs, vhost_client

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

N_HUGE_PAGES = 512  # of 2 MiB: OVS has half of them, headgate what it wants of the rest
PORT = 5001
ADDRESSES = {"a": "10.78.0.1", "b": "10.78.0.2"}
TITLES = {"h": "headgate", "o": "ovs"}
OVS_SETTINGS = ("userspace-tso-enable=true",)

CONFIG = """\
uplinks:
  - {{name: up0, device: "dummy:up0", capacity: 100Gbit}}
tenants:
  - name: t
    contract: {{out: {{min: 1Gbit, max: 80Gbit, burst: 4MiB}}, in: {{max: 80Gbit, burst: 4MiB}}}}
    instances:
      - name: a
        contract: {{out: {{min: 500Mbit, max: 40Gbit, burst: 2MiB}}, in: {{max: 40Gbit, burst: 2MiB}}}}
        ports: [{{name: a, device: "vhost(queues=1):{a}", mac: "{mac_a}"}}]
      - name: b
        contract: {{out: {{min: 500Mbit, max: 40Gbit, burst: 2MiB}}, in: {{max: 40Gbit, burst: 2MiB}}}}
        ports: [{{name: b, device: "vhost(queues=1):{b}", mac: "{mac_b}"}}]
"""

# Of bench/run all, and of --quick.
ALL = ["--pairs", "5", "--seconds", "2"]
QUICK = None


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=7, metavar="N",
                        help="how often both are measured, one after the other (default 7)")
    parser.add_argument("--seconds", type=int, default=3, metavar="N",
                        help="of each TCP transfer, and of the round trips (default 3)")


def mac(side):
    return f"02:00:00:00:78:0{'ab'.index(side) + 1}"


def pin(pid):
    """All threads of a guest beside the switch, not under it."""
    n_cpus = os.cpu_count() or 1
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), range(max(n_cpus - 1, 1)))


class Leg:
    """Two guests and what joins them."""

    def __init__(self, world, letter, image, has_kvm, switch):
        from lab.guest import Guest
        self.guests = {}
        paths = {side: world.path(f"{letter}{side}.vhost") for side in "ab"}
        self.processes = switch(world, paths)
        for side in "ab":
            self.guests[side] = Guest(world, image, letter + side, mac(side), has_kvm)
            pin(self.guests[side].process.pid)

    def begin(self):
        from lab.guest import GuestLoad
        for side, guest in self.guests.items():
            guest.address(ADDRESSES[side] + "/24")
        GuestLoad(self.guests["b"], "serve", f"{ADDRESSES['b']}:{PORT}", "--seconds", 86400).wait_listening()
        self.load("rr", 1)  # they find each other, and all code has been translated once
        self.load("flood", 1)

    def say(self, number):
        for process in self.processes:
            process.send_signal(number)

    def load(self, mode, seconds):
        from lab.guest import GuestLoad
        return GuestLoad(self.guests["a"], mode, f"{ADDRESSES['b']}:{PORT}", "--seconds", seconds).wait(seconds + 30)

    def measure(self, seconds):
        self.say(signal.SIGCONT)
        self.load("rr", 1)
        tcp, rr = self.load("flood", seconds), self.load("rr", seconds)
        self.say(signal.SIGSTOP)
        return {"tcp_mbit_per_s": tcp["sent_mbit_per_s"], "rr_p50_us": rr["p50_us"], "rr_p99_us": rr["p99_us"]}


def headgate(world, paths):
    from lab.daemon import Daemon
    config = world.path("vms.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(**paths, mac_a=mac("a"), mac_b=mac("b")))
    harness.say("headgate", CONFIG.format(a="A", b="B", mac_a=mac("a"), mac_b=mac("b")))
    return [Daemon(world).start(config).process]


def ovs(world, paths):
    return [Ovs(world, {side: vhost_client(path) for side, path in paths.items()}, OVS_SETTINGS).switch]


def run(bench, options, world):
    from lab.guest import kvm_works, wait_up
    from lab.image import Image
    from lab.load import HGLOAD
    image = Image(world, [HGLOAD])
    has_kvm = kvm_works(world, image)
    bench.progress("guests by " + ("KVM" if has_kvm else "emulation: the guests are the limit, not the switches"))
    legs = {}
    for letter, switch in ("h", headgate), ("o", ovs):
        legs[letter] = Leg(world, letter, image, has_kvm, switch)
        wait_up(legs[letter].guests.values(), 120)
        legs[letter].begin()
        legs[letter].say(signal.SIGSTOP)
        bench.progress(f"guests behind {TITLES[letter]} are up")
    measured = turns.Turns(bench, {TITLES[letter]: lambda leg=leg: leg.measure(options.seconds)
                                   for letter, leg in legs.items()}, options.pairs).run()
    for leg in legs.values():
        leg.say(signal.SIGCONT)
    return figures_of(measured)


def figures_of(measured):
    figures, spread = {}, {}
    # More is better in all three.
    for name, a, b, what in (("tcp_over_ovs", "headgate", "ovs", "tcp_mbit_per_s"),
                             ("rr_over_ovs", "ovs", "headgate", "rr_p50_us"),
                             ("rr_p99_over_ovs", "ovs", "headgate", "rr_p99_us")):
        figures[name], spread[name] = measured.ratio(a, b, what)
    for title in TITLES.values():
        for what in "tcp_mbit_per_s", "rr_p50_us", "rr_p99_us":
            figures[f"{title}_{what}"] = measured.median(title, what)
            spread[f"{title}_{what}"] = measured.spread(title, what)
    return figures, spread


def measure(bench, options):
    os.environ["HEADGATE_BUILD"] = bench.build("apps/headgated", "tools/load/hgload")
    import lab.world
    try:
        with HugePages(N_HUGE_PAGES), lab.world.World() as world:
            return run(bench, options, world)
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
