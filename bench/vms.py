"""TCP and round trips between two virtual machines: headgate against OVS with DPDK.

Four QEMU guests with Debian's cloud kernel, by KVM where it works: two behind headgated (vhost ports, contracts in
force that are above what the guests can do), two behind OVS with DPDK (dpdkvhostuserclient, action NORMAL, user space
TSO switched on, without which its guests cut and checksum by themselves). They are measured in turn; whoever's turn it
is not, is stopped, since a switch of DPDK is never idle. Guests on all processors but the last, which is the switch's.

tcp_over_ovs: headgate's rate by OVS's. rr_over_ovs: OVS's median round trip by headgate's (both: more is better). Each
the median over undisturbed pairs (turns.py), round trips and TCP each with pairs of their own.

A slice is as short as it can be. By emulation a program takes some hundred milliseconds to start, and TCP whose switch
stops in the middle waits longer and longer, so client and server are started once and stay connected; the client works
when it is told to, ends what it has begun, and rests before the switch is stopped. What is left of a slice is still
longer than a neighbour on the host stays, so the machine's speed is measured all through it (turns.Throughout).

Guests differ from boot to boot, for as long as they run: one set was 0.91 [0.89, 0.96] of OVS's rate by 60 undisturbed pairs,
the next 1.01 [0.94, 1.08]; median round trips of eight sets 0.91 to 1.16. So an eighth of the pairs each is of a set of its own.
"""
import os
import signal
import sys

import harness
import turns
from ovs import PAGES, HugePages, Ovs, vhost_client

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

N_HUGE_PAGES = PAGES + 256  # of these headgate has what it wants
PORT = 5001
N_SETS = 8  # of guests, one after the other
N_WARM = 3  # slices of each before the first that counts
PATIENCE_S = 30  # with a slice of a few hundred milliseconds
ADDRESSES = {"a": "10.78.0.1", "b": "10.78.0.2"}
TITLES = {"h": "headgate", "o": "ovs"}
# Loads, and the figures of each.
WHAT = {"rr": ("rr_p50_us", "rr_p99_us"), "tcp": ("tcp_mbit_per_s",)}
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
ALL = ["--pairs", "160", "--within", "144"]
QUICK = None


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=60, metavar="N",
                        help="undisturbed ones at most, of round trips and of TCP (default 60)")
    parser.add_argument("--within", type=float, default=60, metavar="SECONDS",
                        help="for which disturbed ones are repeated, of each of both (default 60)")
    parser.add_argument("--ms", type=int, default=150, metavar="MS", help="of round trips in a slice (default 150)")
    parser.add_argument("--mb", type=int, default=16, metavar="MB", help="of TCP in a slice (default 16)")


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

    def begin(self, options):
        from lab.guest import GuestLoad
        for side, guest in self.guests.items():
            guest.address(ADDRESSES[side] + "/24")
        address = f"{ADDRESSES['b']}:{PORT}"
        GuestLoad(self.guests["b"], "serve", address, "--seconds", 86400).wait_listening()
        self.loads = {
            "rr": GuestLoad(self.guests["a"], "rr", address, "--slice-ms", options.ms),
            # One exchange: a long question and a byte for an answer, which says that all of it has arrived.
            "tcp": GuestLoad(self.guests["a"], "rr", address, "--slice-ms", 1, "--request-bytes", options.mb * 1000000,
                             "--response-bytes", 1)}
        for load in self.loads.values():
            load.wait_ready()
        for load in [*self.loads.values()] * N_WARM:  # all code has been translated once
            load.slice(PATIENCE_S)

    def say(self, number):
        for process in self.processes:
            process.send_signal(number)

    def measure(self, name):
        self.say(signal.SIGCONT)
        try:
            return figures_in(name, self.loads[name].slice(PATIENCE_S))
        finally:
            self.say(signal.SIGSTOP)


def figures_in(name, total):
    if name == "tcp":
        return {"tcp_mbit_per_s": total["sent_mbit_per_s"]}
    return {"rr_p50_us": total["p50_us"], "rr_p99_us": total["p99_us"]}


def headgate(world, paths):
    from lab.daemon import Daemon
    config = world.path("vms.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(**paths, mac_a=mac("a"), mac_b=mac("b")))
    harness.say("headgate", CONFIG.format(a="A", b="B", mac_a=mac("a"), mac_b=mac("b")))
    return [Daemon(world).start(config).process]


def ovs(world, paths):
    return [Ovs(world, {side: vhost_client(path) for side, path in paths.items()}, OVS_SETTINGS).switch]


def boot(bench, options, world):
    """{letter: Leg}: guests behind either switch that have found each other, and stand still."""
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
        legs[letter].begin(options)
        legs[letter].say(signal.SIGSTOP)
        bench.progress(f"guests behind {TITLES[letter]} are up")
    return legs


def run(bench, options):
    import lab.world
    legs = {}
    measured = {name: turns.Turns(bench, {TITLES[letter]: lambda letter=letter, name=name: legs[letter].measure(name)
                                          for letter in TITLES},
                                  0, turns.Throughout(), options.within / N_SETS) for name in WHAT}
    bench.n_turns = len(WHAT)
    for n in range(1, N_SETS + 1):
        with lab.world.World() as world:
            legs.update(boot(bench, options, world))
            for turn in measured.values():
                turn.pairs = options.pairs * n // N_SETS
                turn.run()
            for leg in legs.values():
                leg.say(signal.SIGCONT)
    return figures_of(measured)


def figures_of(measured):
    figures, spread = {}, {}
    # More is better in all three.
    for name, a, b, what in (("tcp_over_ovs", "headgate", "ovs", "tcp_mbit_per_s"),
                             ("rr_over_ovs", "ovs", "headgate", "rr_p50_us"),
                             ("rr_p99_over_ovs", "ovs", "headgate", "rr_p99_us")):
        figures[name], spread[name] = measured[what.split("_")[0]].ratio(a, b, what)
    for title in TITLES.values():
        for name, whats in WHAT.items():
            for what in whats:
                figures[f"{title}_{what}"], spread[f"{title}_{what}"] = measured[name].of_side(title, what)
    return figures, spread


def measure(bench, options):
    os.environ["HEADGATE_BUILD"] = bench.build("apps/headgated", "tools/load/hgload")
    import lab.world
    try:
        with HugePages(N_HUGE_PAGES):
            return run(bench, options)
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
