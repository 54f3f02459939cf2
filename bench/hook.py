"""What accounting for each packet in flight costs it: the tag, the release hook and settling on and off, in turn.

Small frames forwarded through the whole packet lane between devices of memory, in-flight control switched by the
operator's switch under traffic. Figures are the worker's processor time a packet; each pair of slots gives one
difference, and the figure is their median. Beside it the buffers' own pool and DPDK's default one with its cache:
32 buffers got and put back.

What it contains: a tag for each full frame's worth of small packets, told to the window and handed over; the look at
each buffer in the pool's release call; the settling of what came back, once a burst (S2.1 to S2.3). The scheduler asks
the window with the switch on and off, but MAX does not bind: a device that gives each buffer back within the call
says nothing about a link, so that the hook goes on learning, and nobody is held. What the whole policy costs with MAX
in force and packets in the card is all_ns of the benchmark inflight.
"""
import os

import harness

SENDERS = (1, 4)

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "7"]


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=31, metavar="N",
                        help="slots with and without it, in turn (default 31)")
    parser.add_argument("--slot-ms", type=int, default=40, metavar="MS",
                        help="length of a slot (default 40)")


def quartiles(values):
    ordered = sorted(values)
    return [ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]]


def measure(bench, options):
    build = bench.build("bench/bench_hook")
    measured = bench.figures_of([os.path.join(build, "bench/bench_hook"), str(options.pairs),
                                 str(options.slot_ms)] + [str(n) for n in SENDERS])
    figures, spread = {}, {}

    def values(what):
        return [measured[f"{what}_{i}"] for i in range(options.pairs)]

    def add(name, found):
        figures[name] = harness.median(found)
        spread[name] = quartiles(found)

    for n in SENDERS:
        on, off = values(f"on_{n}"), values(f"off_{n}")
        suffix = "" if n == 1 else f"_{n}_senders"
        add(f"hook{suffix}_ns", [a - b for a, b in zip(on, off)])
        add(f"forward_on{suffix}_ns", on)
        add(f"forward_off{suffix}_ns", off)
    add("pool_lifo_ns", values("pool_lifo"))
    add("pool_default_ns", values("pool_default"))
    add("pool_gain_ns", [a - b for a, b in zip(values("pool_default"), values("pool_lifo"))])
    return figures, spread
