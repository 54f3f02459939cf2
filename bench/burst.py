"""Latency of a bursty service below its baseline: processor credits, quotas and no limit, beside busy neighbours.

A service of one task answers requests of 1 ms of processor time each that come in bursts of 20 to 1,500 (bounded
Pareto) by a schedule made beforehand, the same in each row; a request's time counts from when it was to come. On
average it uses half of its baseline of 300 mcpu. Four neighbours would use whole processors; headgate holds them at
their baselines of 200 mcpu in every row, so that only what holds the service differs:
    unlimited       nothing
    headgate        processor credits, with what a quiet minute before earned
    quota           cpu.cfs_quota_us of the baseline, period 100 ms
    quota_burst     the same with cpu.cfs_burst_us as large as the kernel takes it
    quota_burst_1s  the same with a period of 1 s, the longest that the kernel takes
p99_over_unlimited, p999_over_unlimited: headgate's percentile by that without a limit, over all rounds' requests;
quota_p99_over_unlimited and so on: the rivals'. Requests that lived in a second in which more than 20 ms were stolen
from the machine in any row are thrown away in all of them, and counted. Root, two processors, control groups of version
1 with cpu.cfs_burst_us.
"""
import os

import harness

ALL = ["--seconds", "15", "--rounds", "2"]
QUICK = None
BUDGET_S = (200, 0)

ROWS = ("headgate", "quota", "quota_burst", "quota_burst_1s")


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of all five rows in turn (default 5)")
    parser.add_argument("--seconds", type=int, default=20, metavar="N", help="of each row in a round (default 20)")


def measure(bench, options):
    build = bench.build("bench/bench_burst")
    found = bench.figures_of([os.path.join(build, "bench/bench_burst"), str(options.seconds), str(options.rounds)])
    if "unlimited_p99_us" not in found:
        raise harness.Failure("time was stolen from the machine throughout: nothing was measured")
    figures, spread = {}, {}
    for row in ROWS:
        for part in "p50", "p99", "p999":
            name = f"{part}_over_unlimited" if row == "headgate" else f"{row}_{part}_over_unlimited"
            figures[name] = found[f"{row}_{part}_us"] / found[f"unlimited_{part}_us"]
            rounds = [found[f"{row}_{i}_{part}_us"] / found[f"unlimited_{i}_{part}_us"]
                      for i in range(options.rounds) if f"{row}_{i}_{part}_us" in found]
            spread[name] = [min(rounds), max(rounds)]
    for row in ("unlimited",) + ROWS:
        for part in "p50", "p99", "p999":
            figures[f"{row}_{part}_us"] = found[f"{row}_{part}_us"]
    figures["requests"], figures["thrown_requests"] = found["requests"], found["thrown_requests"]
    return figures, spread
