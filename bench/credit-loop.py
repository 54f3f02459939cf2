"""What the loop of processor credits costs for 1,000 groups of this host, 50 of which do something.

processor_percent: processor time of the loop's thread, saving included, of one processor; writes_fewer: how many times
fewer quotas are written than one for each group and 100 ms, those of the start included. 25 groups have tasks that stay
below their baseline, 25 have tasks that burst for 0.4 s each second; the others do nothing, and have plenty of credits.
The same as recovering_...: all of them begin with no credits, so that every limit rises from the baseline until it is
open. start_ms: finding and opening all groups. Root, control groups of version 1.
"""
import os

# Of bench/run all, and of --quick.
ALL = ["--seconds", "20"]
QUICK = ["--seconds", "8"]


def add_options(parser):
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="of each of the two runs (default 60)")
    parser.add_argument("--groups", type=int, default=1000, metavar="N", help="50 to 4096 (default 1000)")


def measure(bench, options):
    build = bench.build("bench/bench_credit_loop")
    figures = bench.figures_of([os.path.join(build, "bench/bench_credit_loop"), str(options.seconds),
                                str(options.groups)])
    return figures, {name: [value, value] for name, value in figures.items()}
