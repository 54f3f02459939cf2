"""1, 16, 256 and 2,048 instances that all send at once: cost per packet, fairness, memory; two workers against one.

Through the whole packet lane between devices of memory, frames of 60 bytes, guarantees and maxima of all in force, far
more offered than can be sent. cost_ns_N: the worker's processor time a packet sent; growth_N: by that of one. With an
uplink of 10 Gbit/s that all wait for, and frames of 1,514 bytes: jain_N, Jain's index over windows of 10 ms, median;
jain_worst_N: the worst. memory_N_bytes: of one instance, its tenant's and the control lane's part included. two_workers_N: packets a second of two workers by those of one, in turn.
"""
import os

import harness
from turns import Turns

ALL = ["--pairs", "5", "--slots", "5"]
QUICK = ["--pairs", "1", "--slots", "3"]
BUDGET_S = (70, 14)

SIZES = (1, 16, 256, 2048)
WITH_TWO = (16, 2048)


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=7, metavar="N", help="of all sizes in turn (default 7)")
    parser.add_argument("--slots", type=int, default=7, metavar="N", help="of each size in each pair (default 7)")
    parser.add_argument("--slot-ms", type=int, default=100, metavar="MS", help="length of a slot (default 100)")


def slice_of(bench, program, size, n_workers, options):
    def measure():
        found = bench.figures_of([program, str(size), str(n_workers), str(options.slots), str(options.slot_ms)])

        def values(name):
            return [value for key, value in found.items() if key.startswith(name + "_")]

        shares = values("jain")
        return {"ns": harness.median(values("cost")), "pkts_per_s": harness.median(values("rate")),
                "dropped_percent": max(harness.median(values("dropped")), 0),
                "jain": harness.median(shares) if shares else 0, "jain_worst": min(shares, default=0),
                "memory_bytes": found["memory_bytes"] / size}
    return measure


def figures_of(turns):
    figures, spread = {}, {}

    def add(name, side, figure):
        figures[name], spread[name] = turns.median(side, figure), turns.spread(side, figure)

    for size in SIZES:
        one, two = str(size), f"{size}_two"
        add(f"cost_ns_{size}", one, "ns")
        add(f"pkts_per_s_{size}", one, "pkts_per_s")
        add(f"dropped_percent_{size}", one, "dropped_percent")
        add(f"jain_{size}", one, "jain")
        figures[f"jain_worst_{size}"] = min(turns.values(one, "jain_worst"))
        spread[f"jain_worst_{size}"] = turns.spread(one, "jain_worst")
        add(f"memory_{size}_bytes", one, "memory_bytes")
        if size > 1:
            figures[f"growth_{size}"], spread[f"growth_{size}"] = turns.ratio(one, "1", "ns")
        if size in WITH_TWO:
            figures[f"two_workers_{size}"], spread[f"two_workers_{size}"] = turns.ratio(two, one, "pkts_per_s")
            add(f"two_workers_ns_{size}", two, "ns")
    return figures, spread


def measure(bench, options):
    if (os.cpu_count() or 1) < 2:
        raise harness.Failure("needs two processors, for two workers")
    program = os.path.join(bench.build("bench/bench_scale"), "bench/bench_scale")
    sides = {str(size): slice_of(bench, program, size, 1, options) for size in SIZES}
    sides |= {f"{size}_two": slice_of(bench, program, size, 2, options) for size in WITH_TWO}
    return figures_of(Turns(bench, sides, options.pairs).run())
