"""Used against entitled: busy control groups with processor credits, beside static quotas, in real time.

1, 4 and 16 groups that would take a whole processor each, with launch credits and baselines of 80 % of one processor
together (one by itself: 40 %); then the same groups with a quota of the same baselines (period 100 ms), in turn.
worst_error_percent: by how much the worst group missed launch + baseline * time. The machine must have two
processors, and time to spare on them: a group that was kept waiting by other work (not held by its quota, and below
it) or of which more than 20 ms of a second were stolen in its last ten seconds is called disturbed, counted, and its
error given by itself; all of that work it did not get is unserved_percent, and credits catch up with it.
stolen_percent: the part of their use that two thieves were not charged for, one asleep whenever the loop looks, one
whenever the kernel's tick comes. Root, control groups of version 1.
"""
import os

import harness

# Of bench/run all, and of --quick.
ALL = ["--seconds", "40"]
QUICK = None


def add_options(parser):
    parser.add_argument("--seconds", type=int, default=60, metavar="N",
                        help="of each of the six runs; the thieves' takes a third (default 60)")
    parser.add_argument("--only", type=int, choices=(1, 4, 16), metavar="N", help="1, 4 or 16: that many groups alone")


def measure(bench, options):
    if options.seconds < 40:
        raise harness.Failure("--seconds must be 40 at least: the launch credits must be spent by then")
    build = bench.build("bench/bench_credits")
    command = [os.path.join(build, "bench/bench_credits"), str(options.seconds)]
    figures = bench.figures_of(command + ([str(options.only)] if options.only else []))
    spread = {}
    for name, of in ("worst_error_percent", "credits"), ("quota_worst_error_percent", "quota"):
        keys = [f"{of}_{n}_worst_error_percent" for n in (1, 4, 16)]
        found = [figures[key] for key in keys if key in figures]
        if not found:
            raise harness.Failure("other work kept every group from its share: nothing was measured")
        spread[name] = [min(found), max(found)]
    return figures, spread
