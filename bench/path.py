"""What a packet of 64 bytes costs a switch with everything on, from memory to memory: headgate, OVS with DPDK, testpmd.

One processor, the last, and nothing on it but the switch whose turn it is, with real-time priority; the others are
stopped meanwhile. All sides get their frames from the same function (drivers/frames.h): headgate in its device of
memory, the rivals on DPDK's null devices, whose buffers a plugin fills (bench/flows.c). Flows differ in their ports.

    headgate  three instances, of which the first sends to the uplink: its MAC and IP addresses are checked, it and
              its tenant have maxima, it has a guarantee, what it has in the card is accounted for, all is counted
    ovs       NORMAL, no limit: looks up the flow and the destination's address
    policer   the same, and an egress policer that is never reached
    testpmd   mac forwarding: writes addresses, looks nothing up

over_ovs_N and over_testpmd_N: the rival's (ovs: with the policer) ns a packet by headgate's, with N flows.
"""
import mmap
import os
import shlex
import shutil
import signal
import struct
import sys
import time

import harness
import ovs
import turns
import vhost

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

ALL = ["--ms", "100"]
QUICK = ["--pairs", "3", "--ms", "60", "--flows", "1,100000", "--instances", "4096"]
BUDGET_S = (200, 25)

FLOWS = (1, 1000, 100000, 1000000)
INSTANCES = (3, 64, 1024, 4096)
LONE = 3
WARM_UP_MS = 40
ANSWER_S = 30  # to bring up 4,096 instances
MEMORY_MIB = 512
PAGES_MIB = 2
# asked, answered, flows, instances, off, in, packets, at, drops, over: bench/remote.h.
FIELDS = ("asked", "answered", "n_flows", "n_instances", "off", "is_in", "pkts", "at_ns", "drops", "is_over")
# What is switched off, as bench/path.c has it: (what it shows the cost of, bits).
GUARD, CONTRACTS, HOLDING, INFLIGHT, ADDRESSES = 1, 2, 4, 8, 16
PARTS = {"addresses": ADDRESSES, "contracts": CONTRACTS, "inflight": INFLIGHT, "schedule": HOLDING | INFLIGHT}
# Which caches of flows help, tried for each number of flows: the exact match cache holds 8,192 of them, the signature
# match cache a million.
CACHES = {1: {"emc-insert-inv-prob": "1", "smc-enable": "false"}, 1000: {"emc-insert-inv-prob": "1", "smc-enable": "false"},
          100000: {"emc-insert-inv-prob": "0", "smc-enable": "false"},
          1000000: {"emc-insert-inv-prob": "0", "smc-enable": "false"}}
POLICER = ("type=egress-policer", "other-config:cir=12500000000", "other-config:cbs=100000000")
OUTSIDE = "06:00:00:00:00:01"


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=15, metavar="N", help="slices of each side in turn (default 15)")
    parser.add_argument("--ms", type=int, default=150, metavar="MS", help="length of a slice (default 150)")
    parser.add_argument("--flows", type=numbers, default=list(FLOWS), metavar="N,N", help="default: 1 to 1,000,000")
    parser.add_argument("--instances", type=numbers, default=list(INSTANCES[1:]), metavar="N,N",
                        help="beside 3 (default 64,1024,4096)")
    parser.add_argument("--alone", action="store_true", help="headgate without its rivals")


class Remote:
    """The file by which a program is led."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(8 * len(FIELDS)))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def get(self, field):
        return struct.unpack_from("=Q", self.memory, 8 * FIELDS.index(field))[0]

    def put(self, field, value):
        struct.pack_into("=Q", self.memory, 8 * FIELDS.index(field), value)

    def ask(self, process, **fields):
        """Returns (packets, at_ns) when the program has done it."""
        for field, value in fields.items():
            self.put(field, value)
        number, until = self.get("asked") + 1, time.monotonic() + ANSWER_S
        self.put("asked", number)
        while self.get("answered") != number:
            if process.poll() is not None or time.monotonic() > until:
                raise harness.Failure(f"{shlex.join(process.args)} does not answer")
            time.sleep(0.001)
        return self.get("pkts"), self.get("at_ns")


class Side:
    """A switch that runs only during its slices."""

    def __init__(self, remote, process, ms):
        self.remote, self.process, self.ms = remote, process, ms
        self.request = {"n_flows": 1, "n_instances": LONE, "off": 0, "is_in": 0}
        self.before = lambda: None

    def wait_up(self):
        """Until it forwards; then it is stopped."""
        until, (before, _) = time.monotonic() + ANSWER_S, self.remote.ask(self.process, **self.request)
        while self.remote.ask(self.process)[0] == before:
            if time.monotonic() > until:
                raise harness.Failure(f"{shlex.join(self.process.args)} forwards nothing")
            time.sleep(0.1)
        self.stop()
        return self

    def stop(self):
        # Nobody polls in front of the others while it is ended, either.
        vhost.prefer(self.process.pid, vhost.last_cpu(), os.SCHED_OTHER, 0)
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        self.process.kill()
        self.process.wait()

    def slice(self):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.before()
            self.remote.ask(self.process, **self.request)
            vhost.prefer(self.process.pid, vhost.last_cpu())
            time.sleep(WARM_UP_MS / 1e3)
            drops = self.remote.get("drops")
            pkts, at_ns = self.remote.ask(self.process)
            time.sleep(self.ms / 1e3)
            pkts_after, at_ns_after = self.remote.ask(self.process)
        finally:
            self.stop()
        if pkts_after == pkts:
            raise harness.Failure(f"{shlex.join(self.process.args)} forwards nothing")
        if self.remote.get("drops") > drops:
            raise turns.Disturbed("packets were dropped")
        return {"ns": (at_ns_after - at_ns) / (pkts_after - pkts)}


def start(world, bench_side, words, name, **more):
    harness.say(bench_side, "$ " + shlex.join(words))
    with open(world.path(name + ".log"), "w", encoding="utf-8") as log:
        return world.start(words, stdout=log, stderr=log, **more)


class Rivals:
    """OVS and testpmd on null devices, each with a file by which its plugin is led."""

    def __init__(self, world, build, ms):
        self.world, self.ms = world, ms
        self.plugin = os.path.join(build, "bench", "libbench_flows.so")

    def remote(self, name):
        remote = Remote(self.world.path(name + ".remote"))
        os.environ["HG_REMOTE"] = remote.path  # inherited by what is started next
        return remote

    def testpmd(self):
        remote = self.remote("testpmd")
        process = start(self.world, "testpmd", [
            "dpdk-testpmd", "-l", f"0,{vhost.last_cpu()}", "--in-memory", "--no-pci", "--no-telemetry",
            "--file-prefix=path", "-m", str(MEMORY_MIB), "-d", self.plugin,
            f"--vdev=net_null0,size=60", "--vdev=net_null1,size=60,no-rx=1",
            "--", "--forward-mode=mac", "--nb-cores=1", "--auto-start", "--total-num-mbufs=65536",
            "--stats-period=3600"], "testpmd")
        return Side(remote, process, self.ms).wait_up()

    def ovs(self):
        remote = self.remote("ovs")
        switch = ovs.Ovs(self.world, {
            "null0": ["type=dpdk", "options:dpdk-devargs=net_null0,size=60"],
            "null1": ["type=dpdk", "options:dpdk-devargs=net_null1,size=60,no-rx=1"]},
            [f"dpdk-extra=--in-memory --no-pci --no-telemetry -d {self.plugin}"])
        side = Side(remote, switch.switch, self.ms)
        # Where it would have been learned, if null devices answered; the MAC table forgets it otherwise.
        switch.run("ovs-appctl", "-t", switch.path("switch.ctl"), "fdb/add", "br0", "null1", "0", OUTSIDE)
        return switch, side.wait_up()


class Ovs:
    """OVS as one of two sides, with and without its policer: what differs is set in front of a slice."""

    def __init__(self, switch, side):
        self.switch, self.side, self.has_policer = switch, side, False

    def slice(self, wants_policer):
        def set_policer():
            if wants_policer and not self.has_policer:
                self.switch.vsctl("set", "port", "null1", "qos=@q", "--", "--id=@q", "create", "qos", *POLICER)
            if self.has_policer and not wants_policer:
                self.switch.vsctl("--", "clear", "port", "null1", "qos", "--", "--all", "destroy", "qos")
            self.has_policer = wants_policer
        self.side.before = set_policer
        return self.side.slice()

    def use_caches(self, n_flows):
        self.side.process.send_signal(signal.SIGCONT)
        self.switch.vsctl("set", "Open_vSwitch", ".", *(f"other_config:{key}={value}"
                                                        for key, value in CACHES[n_flows].items()))


def headgate(world, build, ms, most):
    remote = Remote(world.path("headgate.remote"))
    process = start(world, "headgate", [os.path.join(build, "bench", "bench_path"), remote.path, str(most)], "headgate")
    return Side(remote, process, ms).wait_up()


def with_request(side, **request):
    """A side that asks for this in front of each of its slices."""
    def measure():
        side.request = dict({"n_flows": 1, "n_instances": LONE, "off": 0, "is_in": 0}, **request)
        return side.slice()
    return measure


class Figures:
    def __init__(self):
        self.figures, self.spread = {}, {}

    def side(self, name, turn, side):
        self.figures[name], self.spread[name] = turn.median(side, "ns"), turn.spread(side, "ns")

    def ratio(self, name, turn, dividend, divisor):
        self.figures[name], self.spread[name] = turn.ratio(dividend, divisor, "ns")

    def part(self, name, turn, whole, without):
        """What switching something off saves."""
        self.figures[name], self.spread[name] = turn.difference(whole, without, "ns")


def against_rivals(bench, options, found, ours, rivals):
    side, testpmd = Ovs(*rivals.ovs()), rivals.testpmd()
    for n_flows in options.flows:
        request = {"n_flows": n_flows}
        side.use_caches(n_flows)
        side.side.request = testpmd.request = dict(side.side.request, **request)
        turn = turns.Turns(bench, {"headgate": with_request(ours, **request),
                                   "policer": lambda: side.slice(True),
                                   "ovs": lambda: side.slice(False),
                                   "testpmd": testpmd.slice},
                           options.pairs, turns.of_last_processor()).run()
        for name in "headgate", "ovs", "policer", "testpmd":
            found.side(f"{name}_{n_flows}_ns", turn, name)
        found.ratio(f"over_ovs_{n_flows}", turn, "policer", "headgate")
        found.ratio(f"over_ovs_normal_{n_flows}", turn, "ovs", "headgate")
        found.ratio(f"over_testpmd_{n_flows}", turn, "testpmd", "headgate")
    side.side.end()
    testpmd.end()


def parts(bench, options, found, ours):
    """What each part costs, by switching it off."""
    sides = {"all": with_request(ours)}
    sides.update({name: with_request(ours, off=off) for name, off in PARTS.items()})
    turn = turns.Turns(bench, sides, options.pairs, turns.of_last_processor()).run()
    for name in PARTS:
        found.part(f"part_{name}_ns", turn, "all", name)


def by_instances(bench, options, found, ours):
    sides = {}
    for n in [LONE] + options.instances:
        sides[f"out_{n}"] = with_request(ours, n_instances=n)
        sides[f"in_{n}"] = with_request(ours, n_instances=n, is_in=1)
    turn = turns.Turns(bench, sides, max(options.pairs // 3, 1), turns.of_last_processor()).run()
    for name in sides:
        found.side(f"{name}_ns", turn, name)


def run(bench, options, world, build):
    found, bench.n_turns = Figures(), 2 + (0 if options.alone else len(options.flows))
    ours = headgate(world, build, options.ms, max([LONE] + options.instances))
    try:
        if not options.alone:
            against_rivals(bench, options, found, ours, Rivals(world, build, options.ms))
        parts(bench, options, found, ours)
        by_instances(bench, options, found, ours)
    finally:
        ours.end()
    return found.figures, found.spread


def measure(bench, options):
    for program in "dpdk-testpmd", ovs.SWITCH:
        if shutil.which(program) is None:
            raise harness.Failure(f"{program} is not installed: tools/setup.sh bench")
    build = bench.build("bench/bench_path", "bench/libbench_flows.so")
    if (os.cpu_count() or 1) < 2:
        raise harness.Failure("needs two processors: one for the switch, one for who leads it")
    import lab.daemon
    import lab.world
    try:
        with lab.world.World() as world, ovs.HugePages((4 * MEMORY_MIB) // PAGES_MIB + ovs.PAGES):
            return run(bench, options, world, build)
    except lab.world.LabError as error:
        raise harness.Failure(str(error)) from error
