"""How long a light sender waits behind heavy ones: idle, plain card queue, rivals, headgate.

In virtual time, on modelled cards of 1, 10 and 25 Gbit/s with 4,096 descriptors that tell late and in batches
what they have sent (bench/isolation.c says which, and what the limit is); the rival is dynamic queue limits.
sim_p999_over_limit: the worst of headgate's p99.9 over the limit, over all cards and kinds of heavy traffic.
sim_gain_10g: the plain queue's p99.9 by headgate's at 10 Gbit/s, heavy senders of full frames, the worst of the
cards. sim_link_use_percent: of the time in which work waited, the worst.

In real time, on such a card of 1 Gbit/s with kernels' TCP on both sides; the rival is Linux HTB with two classes
(bench/isolation_real.py says how). real_p99_over_htb: p99 of the light one's round trips by that with HTB in
front of the same card, the better of two ways.
"""
import os

import harness
import isolation_real

# Of the worst case among several, which those are: for the spread.
OVER_LIMIT = "_headgate_wire_p999_over_limit"
GAIN_10G = "_gain"
LINK_USE = "_headgate_link_use_percent"

# Of bench/run all, and of --quick.
ALL = ["--seconds", "0.1", "--few", "--rounds", "2"]
QUICK = ["--seconds", "0.1", "--few", "--rounds", "0"]


def add_options(parser):
    parser.add_argument("--seconds", type=float, default=1.0, metavar="N",
                        help="virtual seconds of each case, beside warming up (default 1)")
    parser.add_argument("--few", action="store_true",
                        help="one card of each rate, heavy senders of full frames alone")
    isolation_real.add_options(parser)
    parser.add_argument("--trace", metavar="FILE",
                        help="a recorded completion trace, as drivers/simnic reads it, for a fourth card")


def spread_of(figures, suffix, prefix="sim_"):
    values = [value for name, value in figures.items() if name.startswith(prefix) and name.endswith(suffix)]
    return [min(values), max(values)]


def virtual(bench, options):
    """The part in virtual time: (figures, spread)."""
    build = bench.build("bench/bench_isolation")
    command = [os.path.join(build, "bench/bench_isolation"), str(options.seconds),
               "few" if options.few else "all"]
    figures = bench.figures_of(command + ([options.trace] if options.trace else []))
    return figures, {
        "sim_p999_over_limit": spread_of(figures, OVER_LIMIT),
        "sim_gain_10g": spread_of(figures, GAIN_10G, "sim_10g_"),
        "sim_link_use_percent": spread_of(figures, LINK_USE),
    }


def measure(bench, options):
    figures, spread = virtual(bench, options)
    if options.rounds > 0:
        try:
            more = isolation_real.real(bench, options)
        except harness.Failure as failure:
            # Figures of virtual time are the same on every machine: they stand.
            bench.progress(f"no figures of real time: {failure}")
        else:
            figures.update(more[0])
            spread.update(more[1])
    return figures, spread
