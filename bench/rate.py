"""How exactly rates are kept: 1 Mbit/s to 40 Gbit/s, windows of 100 ms, an hour of virtual time.

On the virtual clock, each rate as a bucket and as an instance's maximum in the scheduler. The worst of both
is the figure. On real time, an instance's maximum through the whole packet lane between devices of memory:
real_time_error_percent is the worst of its rates, each the median of undisturbed runs.
"""
import os

# Of bench/run all, and of --quick.
ALL = ["--seconds", "600"]
QUICK = ["--seconds", "2", "--real-seconds", "0"]


def add_options(parser):
    parser.add_argument("--seconds", type=int, default=3600, metavar="N",
                        help="virtual seconds of the long run (default 3600)")
    parser.add_argument("--real-seconds", type=int, default=2, metavar="N",
                        help="of each run on real time (default 2); 0: none")


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
    if options.real_seconds > 0:
        build = bench.build("bench/bench_rate_real")
        measured = bench.figures_of([os.path.join(build, "bench/bench_rate_real"), str(options.real_seconds)])
        every = {name: value for name, value in measured.items() if name.endswith("_error_percent")}
        # Where others had the processor in every run of a rate, nothing was measured; if that is so for all
        # of them, this is what there is, and proves nothing.
        errors = [value for name, value in every.items() if "_disturbed_" not in name]
        if not errors:
            errors = list(every.values())
            bench.disturbed.add("real_time_error_percent")
        figures.update(measured)
        figures["real_time_error_percent"] = max(errors)
        spread["real_time_error_percent"] = [min(errors), max(errors)]
    return figures, spread
