"""Frames between two vhost-user ports, one processor for the switch: headgate, testpmd, OVS with DPDK.

The machines are virtio-user devices of a program of ours on the first processor (vhost.c), which listens on both
sockets; the switch connects, and works on the last processor:
    headgate  two instances of one tenant, maxima for sending and receiving of both and of the tenant in force
    testpmd   vhost devices, io forwarding: what comes in goes out, nothing is looked at
    ovs       dpdkvhostuserclient ports, a flow from each to the other, an egress policer on both
Limits are above what the machine can do, so that they cost and do not limit. All three are started at first, and measured
in turn in short slices (turns.py); whoever's turn it is not, is stopped. Slices are short, since what disturbs comes and
goes within tenths of a second: of those of 150 ms next to none was undisturbed, and a slice of 15 ms is a hundred
thousand frames. They are tried until enough are undisturbed or WITHIN_S is over. over_testpmd_* and over_ovs_* are
medians over undisturbed pairs of what arrived through headgate by what arrived through the other.

One start is not like another: where the host has the memory that a process was given costs it something for as long as it
runs: seen by hand, with several starts of one build beside each other, most within 3 %, now and then one 15 % slower. So a
third of the pairs is of a set of its own, and each set begins with another switch.

A pair in which the machines hardly waited for any of the switches measured the machines alone, and one before which headgate
dropped frames for a reason other than a full ring measured that reason: both count as disturbed. With one switch the
machines may be the limit and with another not, since lines that a switch writes or reads are taken from their cache:
waiting_percent tells.

A pair whose slices had their two processors at another distance (`line_ns`: until one sees what the other stored) counts as
disturbed, too. Frames go from the cache of one to that of the other, and a host moves virtual processors about: 25 to 37 ns
on one core, 55 to 70 on cores side by side, 130 to 185 on others, and headgate, OVS and testpmd all half as fast at 170. A
slice of one near is not to be compared with one of the other far: ratios are given for both apart (near: a line takes less
than NEAR_NS), where there are enough pairs of each, and over_testpmd and over_ovs are the least of them.
"""
import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import harness
import ovs
import turns

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

# {mix: what its figures are called}
MIXES = {"small": "64", "mixed": "mixed"}
TITLES = {"small": "frames of 64 bytes", "mixed": "frames of 64, 594 and 1518 bytes"}
SWITCHES = ("headgate", "testpmd", "ovs")
N_SETS = 3  # of all of them with their machines, one after the other
LOAD_CPU = 0
# The machines 256 MiB for each, testpmd 512 MiB, headgate up to 768.
N_HUGE_PAGES = ovs.PAGES + 1024
# Some ten thousand frames, before a slice is one like any other: as many as the rings and caches hold, several times.
WARM_MS = 4
NEAR_NS = 100
# Pairs of one distance from which a ratio is taken.
LEAST_PAIRS = 5
# For each mix, and in a quick run.
WITHIN_S, QUICK_WITHIN_S = 45, 12
# Largest by least distance of two processors that count as the same.
MAX_MOVED = 1.5
# The part of the time in which the machines wait for the switch, or it is they who are measured.
WAITING_LEAST_PERCENT = 2
# Of headgate's drops, those of a switch that is faster than the machine that receives, and of one that comes or goes.
EXPECTED_DROPS = ("ring_full", "port_down")
# Bytes a second and bytes: no machine here reaches them.
POLICER = "egress-policer", "cir=12500000000", "cbs=100000000"

CONFIG = """\
uplinks:
  - {{name: up0, device: "dummy:up0", capacity: 100Gbit}}
tenants:
  - name: t
    contract: {{out: {{max: 100Gbit, burst: 64MiB}}, in: {{max: 100Gbit, burst: 64MiB}}}}
    instances:
      - name: a
        contract: {{out: {{max: 100Gbit, burst: 64MiB}}, in: {{max: 100Gbit, burst: 64MiB}}}}
        ports: [{{name: a, device: "vhost(queues=1):{a}", mac: "02:00:00:00:00:01"}}]
      - name: b
        contract: {{out: {{max: 100Gbit, burst: 64MiB}}, in: {{max: 100Gbit, burst: 64MiB}}}}
        ports: [{{name: b, device: "vhost(queues=1):{b}", mac: "02:00:00:00:00:02"}}]
"""

# Of bench/run all, and of --quick.
ALL = ["--pairs", "60", "--ms", "15"]
QUICK = ["--pairs", "9", "--ms", "15", "--within", str(QUICK_WITHIN_S)]


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=60, metavar="N", help="of all three in turn (default 60)")
    parser.add_argument("--ms", type=int, default=15, metavar="MS", help="of a slice (default 15)")
    parser.add_argument("--within", type=int, default=WITHIN_S, metavar="S",
                        help=f"for which pairs of each mix are tried at most (default {WITHIN_S})")


def last_cpu():
    return (os.cpu_count() or 1) - 1


class Headgate:
    def __init__(self, world, paths):
        from lab.daemon import Daemon
        config = world.path("vhost.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(**paths))
        harness.say("headgate", CONFIG.format(a="A", b="B"))
        self.daemon = Daemon(world)
        self.process = self.daemon.start(config).process

    def unexpected_drops(self):
        """{reason: packets}, of all time"""
        drops = collections.Counter()
        for line in self.daemon.get("/metrics").splitlines():
            found = re.fullmatch(r'headgate_\w*dropped_packets_total{.*reason="(\w+)".*} (\d+)', line)
            if found and found[1] not in EXPECTED_DROPS:
                drops[found[1]] += int(found[2])
        return drops


class Testpmd:
    def __init__(self, world, paths):
        devices = [f"--vdev=net_vhost{i},iface={socket},client=1,queues=1" for i, socket in enumerate(paths.values())]
        command = ["dpdk-testpmd", "-l", f"{LOAD_CPU},{last_cpu()}", "--in-memory", "--no-pci", "--no-telemetry", "-m", "512",
                   "--file-prefix=" + os.path.basename(world.path("testpmd")), *devices, "--", "--forward-mode=io",
                   "--nb-cores=1", "--auto-start", "--total-num-mbufs=65536", "--stats-period=3600"]
        harness.say("testpmd", "$ " + " ".join(command))
        with open(world.path("testpmd.log"), "w", encoding="utf-8") as log:
            self.process = world.start(command, stdout=log, stderr=subprocess.STDOUT)


class Ovs:
    def __init__(self, world, paths):
        switch = ovs.Ovs(world, {side: ovs.vhost_client(path) for side, path in paths.items()}, main_cpu=LOAD_CPU)
        switch.run("ovs-ofctl", "del-flows", "br0")
        for a, b in ("a", "b"), ("b", "a"):
            switch.run("ovs-ofctl", "add-flow", "br0", f"in_port={a},actions=output:{b}")
            switch.vsctl("set", "port", b, "qos=@q", "--", "--id=@q", "create", "qos", f"type={POLICER[0]}",
                         *(f"other-config:{word}" for word in POLICER[1:]))
        self.process = switch.switch


KINDS = {"headgate": Headgate, "testpmd": Testpmd, "ovs": Ovs}


def prefer(pid, cpu, policy=os.SCHED_FIFO, priority=1):
    """What is tied to the processor goes before whatever else the machine does there: the machines as the switch."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            if os.sched_getaffinity(int(task)) == {cpu}:
                os.sched_setscheduler(int(task), policy, os.sched_param(priority))
        except OSError:
            pass  # it has ended


class Leg:
    """Two machines and the switch between them, all of which stand still when they are not measured."""

    def __init__(self, world, build, kind, stack):
        paths = {side: world.path(f"{kind}-{side}.sock") for side in "ab"}
        command = [os.path.join(build, "bench/bench_vhost"), *paths.values()]
        harness.say(kind, "$ " + " ".join(command))
        self.kind = kind
        self.machines = stack.enter_context(harness.Program(command))
        self.switch = KINDS[kind](world, paths)
        stack.callback(self.end_switch, world)
        self.machines.tell("up")
        # From here on they only poll.
        prefer(self.machines.process.pid, LOAD_CPU)
        prefer(self.switch.process.pid, last_cpu())
        self.drops = self.unexpected_drops()
        self.switch.process.send_signal(signal.SIGSTOP)

    def unexpected_drops(self):
        return self.switch.unexpected_drops() if self.kind == "headgate" else collections.Counter()

    def measure(self, mix, ms):
        self.switch.process.send_signal(signal.SIGCONT)
        try:
            found = self.machines.figures(mix, WARM_MS, ms)
        finally:
            self.switch.process.send_signal(signal.SIGSTOP)
        check(self.kind, found)
        lines = found.pop("line_before_ns"), found.pop("line_after_ns")
        if moved(lines):
            raise turns.Disturbed("the processors moved")
        return dict(found, line_ns=sum(lines) / 2)

    def new_drops(self):
        """Unexpected ones since this was last asked."""
        self.switch.process.send_signal(signal.SIGCONT)
        try:
            before, self.drops = self.drops, self.unexpected_drops()
        finally:
            self.switch.process.send_signal(signal.SIGSTOP)
        return self.drops - before

    def end_switch(self, world):
        """One goes on and ends before the next does: two that poll with real-time priority leave each other no processor."""
        self.switch.process.send_signal(signal.SIGCONT)
        world.end(self.switch.process)


def moved(lines):
    return max(lines) > MAX_MOVED * min(lines)


def check(kind, found):
    """Raises Disturbed if something else was measured than the switch."""
    if not found.get("pkts_per_s"):
        raise turns.Disturbed(f"nothing came through {kind}")


class Guard(turns.Guard):
    """Looks at the distance of the processors, too, and at headgate's drops: only when a pair is over, and would count, since
    asking takes as long as a slice. What was dropped in others before is held against it."""

    def __init__(self, legs, machine=None):
        super().__init__(machine)
        self.legs = legs

    def why(self, pair):
        reasons = super().why(pair)
        found = [piece["figures"] for piece in pair.values() if piece["figures"] is not None]
        if found and moved([figures["line_ns"] for figures in found]):
            reasons.append("distance")
        if found and all(figures["waiting_percent"] < WAITING_LEAST_PERCENT for figures in found):
            reasons.append("the machines were the limit")
        drops = {} if reasons else self.legs["headgate"].new_drops()
        if drops:
            reasons.append("headgate dropped frames: " + ", ".join(sorted(drops)))
        return reasons


def is_near(pair):
    return harness.median([piece["figures"]["line_ns"] for piece in pair.values()]) < NEAR_NS


DISTANCES = {"near": is_near, "far": lambda pair: not is_near(pair)}


def begin(bench, world, build, stack, first):
    """{kind: Leg}, the first-th switch before the others. However it ends, who is stopped is ended in order."""
    legs = {}
    for kind in SWITCHES[first:] + SWITCHES[:first]:
        bench.progress(f"starts {kind}")
        legs[kind] = Leg(world, build, kind, stack)
    return legs


def measure_sets(bench, options, build):
    """{mix: Turns}"""
    import lab.world
    legs = {}
    measured = {mix: turns.Turns(bench, {kind: lambda kind=kind, mix=mix: legs[kind].measure(mix, options.ms) for kind in SWITCHES},
                                 0, Guard(legs), options.within / N_SETS) for mix in MIXES}
    bench.n_turns = len(MIXES)
    for n in range(N_SETS):
        with lab.world.World() as world, contextlib.ExitStack() as stack:
            legs.update(begin(bench, world, build, stack, n % len(SWITCHES)))
            for mix, turn in measured.items():
                bench.progress(f"set {n + 1} of {N_SETS}, " + TITLES[mix])
                turn.pairs = options.pairs * (n + 1) // N_SETS
                turn.run()
    return measured


def figures_of(measured):
    figures, spread, apart = {}, {}, []
    for mix, name in MIXES.items():
        turn = measured[mix]
        for where, is_there in DISTANCES.items():
            n_there = sum(map(is_there, turn.used))
            if n_there < min(LEAST_PAIRS, (len(turn.used) + 1) // 2):
                continue
            apart.append(f"{name}_{where}")
            figures[f"{name}_{where}_pairs"] = n_there
            for rival in SWITCHES[1:]:
                ratio = f"over_{rival}_{name}_{where}"
                figures[ratio], spread[ratio] = turn.ratio("headgate", rival, "pkts_per_s", among=is_there)
        for kind in SWITCHES:
            for what in "pkts_per_s", "bytes_per_s", "waiting_percent", "line_ns":
                figure = f"{kind}_{name}_{what}"
                figures[figure], spread[figure] = turn.of_side(kind, what)
    for rival in SWITCHES[1:]:
        worst = min((f"over_{rival}_{which}" for which in apart), key=figures.get)
        figures[f"over_{rival}"], spread[f"over_{rival}"] = figures[worst], spread[worst]
    return figures, spread


def measure(bench, options):
    for program in "dpdk-testpmd", ovs.SWITCH:
        if shutil.which(program) is None:
            raise harness.Failure(f"{program} is not installed: tools/setup.sh bench")
    build = bench.build("apps/headgated", "bench/bench_vhost")
    os.environ["HEADGATE_BUILD"] = build
    if (os.cpu_count() or 1) < 2:
        raise harness.Failure("needs two processors: one for the switch, one for the machines")
    import lab.world
    try:
        with ovs.HugePages(N_HUGE_PAGES):
            return figures_of(measure_sets(bench, options, build))
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
