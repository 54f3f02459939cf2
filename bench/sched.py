"""What a packet costs to go through the scheduler, against DPDK's rte_sched, in turn in one run.

The calls to enqueue and dequeue, 64-byte packets in bursts of 32 for random instances with a standing backlog of
16 packets each (2 with a million instances): the same order and backlog for both, and mbufs that are made alike. Ours
with rates unset (u) and with every instance's minimum active (g); the plain speedup_N is the worse of the two.
t_over_g_N is what a packet costs when every tenant has a minimum as well (t), by g. turn_speedup_N is with what the
caller does to each packet between the calls, a store to its first line: rte_sched needs that line to dequeue and has
it brought, ours leaves it to who needs it. The backlog matters: a decision of ours takes all that stands there, up to a
quantum, so the gain is less with --backlog 8.
"""
import os

import harness
from harness import Program
from turns import Turns, last_processor, of_last_processor

HUGEPAGES = "/proc/sys/vm/nr_hugepages"
SIZES = (1, 64, 1024, 4096, 32768)
MILLION = 1 << 20
BACKLOG_OF_MILLION = 2
FEW = 64  # what more instances cost is compared with so many
PAGES = 2000  # of 2 MiB, for the largest
LOADS = ("passes", "refuses")
OURS = "ug"
TENANTS = "t"

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "3", "--ms", "20", "--largest", "4096"]
BUDGET_S = (150, 12)


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=31, metavar="N",
                        help="slices of each scheduler in turn (default 31)")
    parser.add_argument("--ms", type=int, default=25, metavar="MS", help="for which each is timed (default 25)")
    parser.add_argument("--largest", type=int, default=MILLION, metavar="N",
                        help="no more instances than this (default 1,048,576)")
    parser.add_argument("--backlog", type=int, default=16, metavar="N",
                        help="packets that stand at each instance, in [1, 32] (default 16)")


def eal_arguments(bench, pages):
    """Huge pages for both sides if they can be had. Returns the arguments and what to restore."""
    common = ["--in-memory", "--no-pci", "--no-telemetry", "--log-level=4", "-l", str(last_processor())]
    before = int(harness.read(HUGEPAGES, "0"))
    if before < pages:
        try:
            with open(HUGEPAGES, "w", encoding="utf-8") as file:
                file.write(str(pages))
        except OSError:
            pass
    if int(harness.read(HUGEPAGES, "0")) >= pages:
        return common, before
    bench.progress("no huge pages: both sides use ordinary memory")
    return common + ["--no-huge", "-m", str(2 * pages)], before


class Figures:
    def __init__(self):
        self.figures, self.spread = {}, {}

    def add(self, name, found):
        self.figures[name], self.spread[name] = found

    def worse(self, name, of, choose):
        """One that is the least (min) or the largest (max) of others."""
        worst = choose(of, key=self.figures.get)
        self.add(name, (self.figures[worst], self.spread[worst]))


def measure_meter(bench, options, found, build):
    """A lone decision of a bucket by one of rte_meter."""
    arguments = ["--no-huge", "-m", "64", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level=4", "-l",
                 str(last_processor())]
    with Program([os.path.join(build, "bench/bench_meter")] + arguments, processor=last_processor()) as program:
        turns = Turns(bench, {f"{side}_{load}": lambda side=side, load=load: program.figures(side, load)
                              for load in LOADS for side in ("bucket", "srtcm")},
                      options.pairs, of_last_processor()).run()
    for side in turns.sides:
        found.add(f"{side}_ns", turns.of_side(side, "ns"))
    for load in LOADS:
        found.add(f"bucket_over_srtcm_{load}", turns.ratio(f"bucket_{load}", f"srtcm_{load}", "ns"))
    found.worse("bucket_over_srtcm", [f"bucket_over_srtcm_{load}" for load in LOADS], max)


def measure_size(bench, options, found, program, size):
    """All schedulers with so many instances, and with few, in turn."""
    backlog = BACKLOG_OF_MILLION if size == MILLION else options.backlog
    sides = {}

    def add(side, subject, n, backlog):
        program.tell("make", subject, n, backlog)
        sides[side] = lambda i=len(sides): program.figures("time", i, options.ms)

    for subject in OURS if size == MILLION else ("rte", *OURS, TENANTS):
        add(subject, subject, size, backlog)
    for subject in OURS if size > FEW else "":
        add(f"{subject}_few", subject, FEW, options.backlog)
        if size == MILLION:
            add(f"{subject}_shallow", subject, FEW, backlog)
    turns = Turns(bench, sides, options.pairs, of_last_processor()).run()
    program.tell("forget")
    for side in sides:
        if side.endswith("_shallow"):
            found.add(f"{side[0]}_ns_shallow_{FEW}", turns.of_side(side, "ns"))
        elif not side.endswith("_few"):
            found.add(f"{side}_ns_{size}", turns.of_side(side, "ns"))
            found.add(f"{side}_turn_ns_{size}", turns.of_side(side, "turn_ns"))
            found.add("clock_ns", turns.of_side(side, "clock_ns"))
    if "rte" in sides:
        for subject in OURS:
            found.add(f"speedup_{size}_{subject}", turns.ratio("rte", subject, "ns"))
            found.add(f"turn_speedup_{size}_{subject}", turns.ratio("rte", subject, "turn_ns"))
        for name in (f"speedup_{size}", f"turn_speedup_{size}"):
            found.worse(name, [f"{name}_{subject}" for subject in OURS], min)
        found.add(f"t_over_g_{size}", turns.ratio(TENANTS, "g", "ns"))
    if size == MILLION:
        grow(found, turns, f"growth_{size}", "shallow")
    if size > FEW:
        grow(found, turns, f"growth_{size}_deep" if size == MILLION else f"growth_{size}", "few")


def grow(found, turns, name, small):
    """The worse of rates unset and minima active, of what many cost by what few do."""
    found.add(name, max((turns.ratio(subject, f"{subject}_{small}", "ns") for subject in OURS), key=lambda one: one[0]))


def release(before):
    try:
        with open(HUGEPAGES, "w", encoding="utf-8") as file:
            file.write(str(before))
    except OSError:
        pass


def measure(bench, options):
    build = bench.build("bench/bench_sched", "bench/bench_meter")
    sizes, found = [size for size in SIZES + (MILLION,) if size <= options.largest], Figures()
    bench.n_turns = 1 + len(sizes)
    bench.progress("a lone bucket, in turn with rte_meter's")
    measure_meter(bench, options, found, build)
    arguments, before = eal_arguments(bench, PAGES)
    try:
        with Program([os.path.join(build, "bench/bench_sched")] + arguments, processor=last_processor()) as program:
            for size in sizes:
                bench.progress(f"{size} instances")
                measure_size(bench, options, found, program, size)
    finally:
        release(before)
    found.add("backlog_packets_per_instance", (options.backlog, [2, options.backlog]))
    return found.figures, found.spread
