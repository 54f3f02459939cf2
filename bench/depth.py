"""How soon MAX follows a step of the completion delay, the packet size or the card's rate, beside DQL.

On the modelled card and the virtual clock, so the same on every machine. A table of all steps goes to stderr: how
long until MAX stays within a tenth (or one largest packet) of what it comes to, MAX before and after, the part of
the link that was used (all of the 40 ms after the step, and their second half), the least pinned MAX that uses
99.5 %, and the same for dynamic queue limits as they find it in that time (Linux holds for a second before it
shrinks). settle_ms is the worst over delay, size and batches at 1, 10 and 25 Gbit/s; share_settle_ms over another
queue that takes half of the card and gives it back.
"""
import os

# Of bench/run all, and of --quick.
ALL = []
QUICK = []


def add_options(parser):
    del parser


def measure(bench, options):
    del options
    build = bench.build("bench/bench_depth")
    measured = bench.figures_of([os.path.join(build, "bench/bench_depth")])
    figures = {name: value for name, value in measured.items() if not name.endswith("g_settle_ms")}
    steps = {name: value for name, value in measured.items() if name.endswith("g_settle_ms")}
    bound = [value for name, value in steps.items() if not name.startswith("share_")]
    share = [value for name, value in steps.items() if name.startswith("share_")]
    figures.update(steps)
    figures["settle_ms"] = figures.pop("settle_ms")
    return figures, {"settle_ms": [min(bound), max(bound)], "share_settle_ms": [min(share), max(share)]}
