"""What it costs a packet that its port is judged by the anti-spoofing guard, on memory.

For a packet of each kind, parsed and in the cache: `off_ns` on a port with nothing configured (the loop itself, and
the look that finds that out), `mac_ns` on one with a `mac`, and on one with a `mac` and two addresses of each
family, of which it speaks from the last: `tcp4_ns`, `tcp6_ns`, `arp_ns`, `advert_ns`.
"""
import os

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--rounds", "31"]


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=201, metavar="N",
                        help="of all kinds in turn, in [1, 1000] (default 201)")


def measure(bench, options):
    build = bench.build("bench/bench_guard")
    measured = bench.figures_of([os.path.join(build, "bench/bench_guard"), str(options.rounds)])
    figures = {name: value for name, value in measured.items() if not name.endswith(("_least", "_largest"))}
    return figures, {name: [measured[f"{name}_least"], measured[f"{name}_largest"]] for name in figures}
