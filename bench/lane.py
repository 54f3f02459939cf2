"""What a packet costs the packet lane from instance to instance of one tenant, contracts on.

Between devices of memory, bursts of 32 frames, maxima of both instances and of their tenant that are never reached.
Figures are the worker's processor time a packet, the median of slots.
"""
import os

import harness

SIZES = (60, 1514)

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--slots", "9"]


def add_options(parser):
    parser.add_argument("--slots", type=int, default=31, metavar="N", help="of each size (default 31)")
    parser.add_argument("--slot-ms", type=int, default=40, metavar="MS", help="length of a slot (default 40)")


def measure(bench, options):
    build = bench.build("bench/bench_lane")
    figures, spread = {}, {}
    for size in SIZES:
        found = sorted(bench.figures_of([os.path.join(build, "bench/bench_lane"), str(options.slots),
                                         str(options.slot_ms), str(size)]).values())
        figures[f"local_{size}_ns"] = harness.median(found)
        spread[f"local_{size}_ns"] = [found[len(found) // 4], found[3 * len(found) // 4]]
    return figures, spread
