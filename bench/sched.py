"""What a packet costs to go through the scheduler, against DPDK's rte_sched, in turn in one run.

The calls to enqueue and dequeue, 64-byte packets in bursts of 32 for random instances with a standing backlog of
16 packets each (2 with a million instances): the same mbufs, order and backlog for both. Ours with rates unset
(u) and with every minimum active (g); the plain speedup_N is the worse of the two. The backlog matters: a decision
of ours takes all that stands there, up to a quantum, so the gain is less with --backlog 8 (2.3 instead of 3.1 for
speedup_4096, 2.6 instead of 3.5 for speedup_32768).
"""
import os

import harness

HUGEPAGES = "/proc/sys/vm/nr_hugepages"
SIZES = (64, 1024, 4096, 32768)
MILLION = 1 << 20
METER_ROUNDS = 61

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "3", "--packets", "300000", "--largest", "4096"]


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=7, metavar="N",
                        help="rounds of each scheduler in turn (default 7)")
    parser.add_argument("--packets", type=int, default=2000000, metavar="N",
                        help="packets timed in each (default 2,000,000)")
    parser.add_argument("--largest", type=int, default=MILLION, metavar="N",
                        help="no more instances than this (default 1,048,576)")
    parser.add_argument("--backlog", type=int, default=16, metavar="N",
                        help="packets that stand at each instance, in [1, 32] (default 16)")


def eal_arguments(bench, pages):
    """Huge pages for both sides if they can be had. Returns the arguments and what to restore."""
    common = ["--in-memory", "--no-pci", "--no-telemetry", "--log-level=4", "-l", str(os.cpu_count() - 1)]
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


def measure_meter(bench, build, rounds):
    """A lone decision of a bucket by one of rte_meter: (figures, spread)."""
    arguments = ["--no-huge", "-m", "64", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level=4", "-l",
                 str(os.cpu_count() - 1)]
    bench.progress("a lone bucket, in turn with rte_meter's")
    measured = bench.figures_of([os.path.join(build, "bench/bench_meter")] + arguments + ["--", str(rounds)])
    figures = {name: value for name, value in measured.items() if not name.endswith(("_least", "_largest"))}
    spread = {name: spread_of(measured, name) for name in figures}
    worse = max(("bucket_over_srtcm_passes", "bucket_over_srtcm_refuses"), key=figures.get)
    figures["bucket_over_srtcm"], spread["bucket_over_srtcm"] = figures[worse], spread[worse]
    return figures, spread


def add_growth(figures, spread, name, large, small):
    """The worse of rates unset and minima active, of what one costs by what the other does."""
    growth = [figures[f"{which}_{large}"] / figures[f"{which}_{small}"] for which in "ug"]
    figures[name], spread[name] = max(growth), [min(growth), max(growth)]


def release(before):
    try:
        with open(HUGEPAGES, "w", encoding="utf-8") as file:
            file.write(str(before))
    except OSError:
        pass


def spread_of(measured, name):
    return [measured[f"{name}_least"], measured[f"{name}_largest"]]


def measure(bench, options):
    build = bench.build("bench/bench_sched", "bench/bench_meter")
    meter_figures, meter_spread = measure_meter(bench, build, METER_ROUNDS)
    arguments, before = eal_arguments(bench, 1200)
    try:
        measured = bench.figures_of([os.path.join(build, "bench/bench_sched")] + arguments + [
            "--", str(options.pairs), str(options.packets), str(options.largest),
            str(options.backlog)])
    finally:
        release(before)
    figures = {name: value for name, value in measured.items()
               if not name.endswith(("_least", "_largest"))}
    spread = {name: spread_of(measured, name) for name in figures}
    for size in SIZES:
        if f"speedup_{size}_u" in figures:
            worse = min((f"speedup_{size}_u", f"speedup_{size}_g"), key=figures.get)
            figures[f"speedup_{size}"], spread[f"speedup_{size}"] = figures[worse], spread[worse]
    for size in SIZES[1:] + (MILLION,):
        if f"u_ns_{size}" in figures:
            add_growth(figures, spread, f"growth_{size}", f"ns_{size}", "ns_shallow_64" if size == MILLION else "ns_64")
    if f"u_ns_{MILLION}" in figures:
        add_growth(figures, spread, f"growth_{MILLION}_deep", f"ns_{MILLION}", "ns_64")
    figures.update(meter_figures)
    spread.update(meter_spread)
    figures["backlog_packets_per_instance"] = options.backlog
    spread["backlog_packets_per_instance"] = [2, options.backlog]
    return figures, spread
