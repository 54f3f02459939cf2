"""What accounting for each packet in flight costs it: the tag, the release hook and settling on and off, in turn.

Small frames forwarded through the whole packet lane between devices of memory, in-flight control switched by the
operator's switch under traffic. Figures are the worker's processor time a packet; hook_ns is the median of the pairs'
differences. Beside it the buffers' own pool and DPDK's default one with its cache: 32 buffers got and put back.

What it contains: a tag for each full frame's worth of small packets, told to the window and handed over; the look at
each buffer in the pool's release call; the settling of what came back, once a burst (S2.1 to S2.3). The scheduler asks
the window with the switch on and off, but MAX does not bind: a device that gives each buffer back within the call
says nothing about a link, so that the hook goes on learning, and nobody is held. What the whole policy costs with MAX
in force and packets in the card is all_ns of the benchmark inflight.
"""
import os

from harness import Program
from turns import Turns, last_processor, of_last_processor

SENDERS = (1, 4)

# Of bench/run all, and of --quick.
ALL = []
QUICK = ["--pairs", "9"]
BUDGET_S = (40, 5)


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=60, metavar="N",
                        help="slots with and without it, in turn (default 60)")
    parser.add_argument("--slot-ms", type=int, default=20, metavar="MS",
                        help="length of a slot (default 20)")


def measure(bench, options):
    program = os.path.join(bench.build("bench/bench_hook"), "bench/bench_hook")
    figures, spread, bench.n_turns = {}, {}, len(SENDERS) + 1

    def add(name, found):
        figures[name], spread[name] = found

    with Program([program, "forward"]) as forward:
        for n in SENDERS:
            turns = Turns(bench, {side: lambda n=n, is_on=is_on: forward.figures(n, is_on, options.slot_ms)
                                  for side, is_on in (("on", 1), ("off", 0))},
                          options.pairs, of_last_processor()).run()
            suffix = "" if n == 1 else f"_{n}_senders"
            add(f"hook{suffix}_ns", turns.difference("on", "off", "ns"))
            for side in turns.sides:
                add(f"forward_{side}{suffix}_ns", turns.of_side(side, "ns"))
    with Program([program, "pools"], processor=last_processor()) as pools:
        turns = Turns(bench, {side: lambda side=side: pools.figures(side) for side in ("lifo", "default")},
                      options.pairs, of_last_processor()).run()
    for side in turns.sides:
        add(f"pool_{side}_ns", turns.of_side(side, "ns"))
    add("pool_gain_ns", turns.difference("default", "lifo", "ns"))
    return figures, spread
