"""What it costs a packet that its port is judged by the anti-spoofing guard, on memory.

For a packet of each kind, parsed and in the cache: `off_ns` on a port with nothing configured (the loop itself, and
the look that finds that out), `mac_ns` on one with a `mac`, and on one with a `mac` and two addresses of each
family, of which it speaks from the last: `tcp4_ns`, `tcp6_ns`, `arp_ns`, `advert_ns`.
"""
import os

from harness import Program
from turns import Turns, last_processor, of_last_processor

KINDS = ("off", "mac", "tcp4", "tcp6", "arp", "advert")

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "9"]
BUDGET_S = (20, 4)


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=31, metavar="N", help="slices of all kinds in turn (default 31)")


def measure(bench, options):
    build = bench.build("bench/bench_guard")
    with Program([os.path.join(build, "bench/bench_guard")], processor=last_processor()) as program:
        turns = Turns(bench, {kind: lambda kind=kind: program.figures(kind) for kind in KINDS},
                      options.pairs, of_last_processor()).run()
    figures = {f"{kind}_ns": turns.median(kind, "ns") for kind in KINDS}
    return figures, {f"{kind}_ns": turns.spread(kind, "ns") for kind in KINDS}
