"""What this machine takes for what no switch can do without: the floor under all other figures.

`copy_bytes_per_s`: memcpy() between areas that no cache holds, on one processor; `miss_ns`: a load from memory whose
address comes from the one before it; `line_ns`: until a store is seen on the other processor; `syscall_ns`: a system
call that does nothing; `tap_read_ns`, `tap_write_ns`: read() and write() of a frame of 60 bytes at a TAP, of which what
joins containers needs one each for a packet. Medians of rounds, all kinds in turn; quartiles as ranges.
"""
import os

import harness

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--rounds", "5"]
BUDGET_S = (12, 5)

KINDS = {"copy": "copy_bytes_per_s", "miss": "miss_ns", "line": "line_ns", "syscall": "syscall_ns",
         "tap_read": "tap_read_ns", "tap_write": "tap_write_ns"}


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="of all kinds in turn, in [1, 1000] (default 31)")


def measure(bench, options):
    build = bench.build("bench/bench_limits")
    measured = bench.figures_of([os.path.join(build, "bench/bench_limits"), str(options.rounds)])
    figures, spread = {}, {}
    for kind, figure in KINDS.items():
        found = sorted(measured[f"{kind}_{i}"] for i in range(options.rounds) if f"{kind}_{i}" in measured)
        if found:  # no TAP without root, no other processor on a machine of one
            figures[figure] = harness.median(found)
            spread[figure] = [found[len(found) // 4], found[3 * len(found) // 4]]
    return figures, spread
