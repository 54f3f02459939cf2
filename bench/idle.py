"""What 4,096 idle instances cost: in a busy worker's turn, in memory, in processor time.

idle_cost_percent: how much longer a turn of a busy worker takes with them beside it, the median of the pairs' ratios.
memory_per_idle_instance_bytes: in the packet lane, of an instance that has been idle since it was attached;
memory_per_used_instance_bytes: of one that has sent and received before, and so has counters. idle_processor_percent:
of one processor, with no traffic at all.
"""
import os

from harness import Program
from turns import Turns, of_last_processor

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--instances", "512", "--pairs", "5"]
BUDGET_S = (45, 8)


def add_options(parser):
    parser.add_argument("--instances", type=int, default=4096, metavar="N", help="idle instances (default 4096)")
    parser.add_argument("--pairs", type=int, default=21, metavar="N", help="taken in turn (default 21)")
    parser.add_argument("--slot-ms", type=int, default=100, metavar="MS", help="length of a slot (default 100)")


def measure(bench, options):
    build = bench.build("bench/bench_idle")
    with Program([os.path.join(build, "bench/bench_idle"), str(options.instances)]) as program:
        figures = program.figures("still")
        spread = {name: [value, value] for name, value in figures.items()}
        turns = Turns(bench, {side: lambda n=n: program.figures("busy", n, options.slot_ms)
                              for side, n in (("alone", 0), ("beside", options.instances))},
                      options.pairs, of_last_processor()).run()
    for side in turns.sides:
        for figure in "ns_per_turn", "ns_per_packet":
            name = f"{side}_{figure}"
            figures[name], spread[name] = turns.of_side(side, figure)
    # Asked of the pairs as it is shown, in percent: by that it is known to be theirs.
    figures["idle_cost_percent"], spread["idle_cost_percent"] = turns.ratio("beside", "alone", "ns_per_turn", percent)
    return figures, spread


def percent(ratio):
    return 100 * (ratio - 1)
