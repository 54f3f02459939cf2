"""What cutting segments of 64 KiB into pieces costs, beside splitting them into packets; and bulk TCP with it.

The first part is the code alone, on segments in the cache: into pieces of as many packets as pass 100 Mbit/s,
1 Gbit/s and 10 Gbit/s in 100 us (1, 8, and at 10 Gbit/s all: nothing is cut), or into packets with their
checksums. The second is TCP between two containers through headgated, as in `containers`, with one time set so that
every segment is cut as on a link of 1 Gbit/s (into pieces of 9 packets, at a maximum that is above what the
machine can do), and with cutting switched off, in turn, by changes to the same daemon.
"""
import os
import sys

import harness
import joined

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

# 15,000 bytes at the maximum of 40 Gbit/s.
CUT, NEVER = "3us", "never"

# Of bench/run all, and of --quick.
ALL = ["--seconds", "2"]
QUICK = ["--rounds", "21", "--pairs", "0"]


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=101, metavar="N",
                        help="of all ways in turn, on memory, in [1, 1000] (default 101)")
    parser.add_argument("--pairs", type=int, default=5, metavar="N",
                        help="TCP transfers with and without cutting; 0: none (default 5)")
    parser.add_argument("--seconds", type=int, default=4, metavar="N", help="of each transfer (default 4)")


def on_memory(bench, options, build):
    measured = bench.figures_of([os.path.join(build, "bench/bench_cut"), str(options.rounds)])
    figures = {name: value for name, value in measured.items() if not name.endswith(("_least", "_largest"))}
    spread = {name: [measured.get(f"{name}_least", value), measured.get(f"{name}_largest", value)]
              for name, value in figures.items()}
    for rate in ("100m", "1g", "10g"):
        name = f"cut_over_split_{rate}"
        figures[name] = figures[f"cut_ns_{rate}"] / figures["split_ns"]
        spread[name] = [spread[f"cut_ns_{rate}"][0] / spread["split_ns"][1],
                        spread[f"cut_ns_{rate}"][1] / spread["split_ns"][0]]
    return figures, spread


def write_config(world, cut):
    path = world.path(f"cut-{cut}.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(joined.CONFIG.format(prefix=world.prefix).replace("capacity:", f"cut: {cut}, capacity:"))
    return path


def with_tcp(bench, options, world):
    """Ratios of TCP with cutting by TCP without, from transfers in turn."""
    configs = {cut: write_config(world, cut) for cut in (CUT, NEVER)}
    containers, daemon = joined.headgate(world)
    measured = []
    for pair in range(options.pairs):
        both = {}
        for cut in (CUT, NEVER) if pair % 2 == 0 else (NEVER, CUT):
            daemon.apply(configs[cut])
            both[cut] = containers.tcp(options.seconds)
        measured.append(both)
        bench.progress(f"pair {pair + 1} of {options.pairs}: " + "; ".join(
            f"cut {cut}: {both[cut]['tcp_bit_per_s'] / 1e9:.2f} Gbit/s" for cut in (CUT, NEVER)))
    figures, spread = {}, {}

    def add(name, values):
        figures[name], spread[name] = harness.median(values), [min(values), max(values)]

    for name in ("tcp_bit_per_s", "tcp_bytes_per_cpu_s"):
        add(f"{name}_cut_ratio", [both[CUT][name] / both[NEVER][name] for both in measured])
        add(f"{name}_cut", [both[CUT][name] for both in measured])
        add(f"{name}_whole", [both[NEVER][name] for both in measured])
    return figures, spread


def measure(bench, options):
    build = bench.build("bench/bench_cut", *(["apps/headgated", "apps/headgate"] if options.pairs else []))
    figures, spread = on_memory(bench, options, build)
    if options.pairs == 0:
        return figures, spread
    os.environ["HEADGATE_BUILD"] = build
    import lab.world
    try:
        with lab.world.World() as world:
            more = with_tcp(bench, options, world)
    except lab.world.LabError as error:
        raise harness.Failure(str(error)) from error
    figures.update(more[0])
    spread.update(more[1])
    return figures, spread
