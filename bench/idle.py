"""What 4,096 idle instances cost: in a busy worker's turn, in memory, in processor time.

idle_cost_percent: how much longer a turn of a busy worker takes with them beside it, by the lower quartiles of
runs taken in turn, since whatever else the machine does only makes turns longer; idle_cost_median_percent: the
median over the pairs. memory_per_idle_instance_bytes: in the packet lane, of an instance that has been idle since it was
attached; memory_per_used_instance_bytes: of one that has sent and received before, and so has counters. idle_processor_percent: of one processor, with no traffic at all.
"""
import os

import harness

# Of bench/run all, and of --quick.
ALL = ["--rounds", "11"]
QUICK = ["--instances", "512", "--rounds", "5"]


def add_options(parser):
    parser.add_argument("--instances", type=int, default=4096, metavar="N", help="idle instances (default 4096)")
    parser.add_argument("--rounds", type=int, default=21, metavar="N",
                        help="pairs taken in turn (default 21)")


def measure(bench, options):
    build = bench.build("bench/bench_idle")
    measured = bench.figures_of([os.path.join(build, "bench/bench_idle"), str(options.instances),
                                 str(options.rounds)])
    figures = {name: value for name, value in measured.items() if "_ns_per_" not in name}
    spread = {name: [value, value] for name, value in figures.items()}

    def values(what, unit):
        return [measured[f"{what}_{i}_ns_per_{unit}"] for i in range(options.rounds)]

    def add(name, found):
        figures[name] = harness.median(found)
        spread[name] = [min(found), max(found)]

    for what in "alone", "beside":
        for unit in "turn", "packet":
            add(f"{what}_ns_per_{unit}", values(what, unit))
    def quartile(what):
        return sorted(values(what, "turn"))[options.rounds // 4]

    add("idle_cost_median_percent", [100 * (beside / alone - 1)
                              for alone, beside in zip(values("alone", "turn"), values("beside", "turn"))])
    figures["idle_cost_percent"] = 100 * (quartile("beside") / quartile("alone") - 1)
    spread["idle_cost_percent"] = spread["idle_cost_median_percent"]
    return figures, spread
