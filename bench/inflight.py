"""What in-flight control costs a packet, part by part, on a virtual clock and without a packet lane.

The release hook, the window, the depth and the accounts each by itself, and all of them behind a scheduler, less the
same scheduler alone: bursts of 32 packets with a tag each, in runs of 1, 2 and 8 of one instance, over 1, 9 and 256
instances. all_ns is that of runs of 2 over 9 instances.
"""
import os

from harness import Program
from turns import Turns, last_processor, of_last_processor

ROWS = ("hook", "window", "depth", "inflight", "plain", "full")
INSTANCES, RUNS = (1, 9, 256), (1, 2, 8)
PLAIN = (9, 2)

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "3", "--plain"]
BUDGET_S = (50, 4)


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=15, metavar="N",
                        help="times each is measured, in turn (default 15)")
    parser.add_argument("--plain", action="store_true", help="only runs of 2 over 9 instances")


def measure_shape(bench, options, program, n, run):
    """{row: (ns, spread)} of runs over n instances."""
    turns = Turns(bench, {row: lambda row=row: program.figures(row, n, run) for row in ROWS},
                  options.pairs, of_last_processor()).run()
    found = {row: turns.of_side(row, "ns") for row in ROWS}
    return dict(found, all=turns.difference("full", "plain", "ns"))


def measure(bench, options):
    build = bench.build("bench/bench_inflight")
    shapes = [PLAIN] if options.plain else [(n, run) for n in INSTANCES for run in RUNS]
    figures, spread, bench.n_turns = {}, {}, len(shapes)
    with Program([os.path.join(build, "bench/bench_inflight")], processor=last_processor()) as program:
        for n, run in shapes:
            for row, found in measure_shape(bench, options, program, n, run).items():
                for name in [f"{row}_run{run}_of{n}_ns"] + [f"{row}_ns"] * ((n, run) == PLAIN):
                    figures[name], spread[name] = found
    return figures, spread
