"""What a packet costs the packet lane from instance to instance of one tenant, contracts on.

Between devices of memory, bursts of 32 frames, maxima of both instances and of their tenant that are never reached.
Figures are the worker's processor time a packet, the median of slots of both sizes in turn.
"""
import contextlib
import os

from harness import Program
from turns import Turns, of_last_processor

SIZES = (60, 1514)

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "9"]
BUDGET_S = (15, 3)


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=31, metavar="N", help="slots of both sizes in turn (default 31)")
    parser.add_argument("--slot-ms", type=int, default=40, metavar="MS", help="length of a slot (default 40)")


def measure(bench, options):
    path = os.path.join(bench.build("bench/bench_lane"), "bench/bench_lane")
    with contextlib.ExitStack() as programs:
        sides = {str(size): lambda program=programs.enter_context(Program([path, str(size)])):
                 program.figures(options.slot_ms) for size in SIZES}
        turns = Turns(bench, sides, options.pairs, of_last_processor()).run()
    found = {f"local_{size}_ns": turns.of_side(str(size), "ns") for size in SIZES}
    return {name: value for name, (value, _) in found.items()}, {name: spread for name, (_, spread) in found.items()}
