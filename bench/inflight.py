"""What in-flight control costs a packet, part by part, on a virtual clock and without a packet lane.

The release hook, the window, the depth and the accounts each by itself, and all of them behind a scheduler, less the
same scheduler alone: bursts of 32 packets with a tag each, in runs of 1, 2 and 8 of one instance, over 1, 9 and 256
instances. all_ns is that of runs of 2 over 9 instances.
"""
import os

import harness

PLAIN = "_run2_of9_ns"

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--repeats", "2"]


def add_options(parser):
    parser.add_argument("--repeats", type=int, default=15, metavar="N",
                        help="times each is measured, in turn (default 15)")


def measure(bench, options):
    build = bench.build("bench/bench_inflight")
    measured = bench.figures_of([os.path.join(build, "bench/bench_inflight"), str(options.repeats)])
    figures = {name: value for name, value in measured.items() if name.endswith("_ns")}
    spread = {name: [measured[f"{name}_least"], measured[f"{name}_largest"]] for name in figures}
    for name in [name for name in figures if name.endswith(PLAIN)]:
        short = name[:-len(PLAIN)] + "_ns"
        figures[short], spread[short] = figures[name], spread[name]
    return figures, spread
