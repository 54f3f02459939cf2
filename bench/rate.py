"""How exactly rates are kept: 1 Mbit/s to 40 Gbit/s, windows of 100 ms, an hour of virtual time.

On the virtual clock, each rate as a bucket and as an instance's maximum in the scheduler. The worst of both
is the figure.
"""
import os


def add_options(parser):
    parser.add_argument("--seconds", type=int, default=3600, metavar="N",
                        help="virtual seconds of the long run (default 3600)")


def worst(measured, what):
    """Of all figures called PATH_RATE_what, by path: least and largest."""
    by_path = {}
    for name, value in measured.items():
        if name.endswith(what):
            by_path.setdefault(name.split("_")[0], []).append(value)
    return by_path


def measure(bench, options):
    build = bench.build("bench/bench_rate")
    measured = bench.figures_of([os.path.join(build, "bench/bench_rate"), str(options.seconds)])
    figures, spread = {}, {}
    for what in "worst_window_error_packets", "long_run_error_ppm":
        by_path = worst(measured, what)
        for path, values in by_path.items():
            figures[f"{path}_{what}"] = max(values)
            spread[f"{path}_{what}"] = [min(values), max(values)]
        every = [value for values in by_path.values() for value in values]
        figures[what] = max(every)
        spread[what] = [min(every), max(every)]
    return figures, spread
