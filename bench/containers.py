"""Bulk TCP, small UDP packets and round trips between two containers: headgate, Linux bridge with HTB, OVS with DPDK.

All carry the same between two network namespaces:
    headgate    TAP ports, minima and maxima in force that are above what the machine can do, so that they cost and do
                not limit
    bridge      veth, HTB with such a class on both ports, segments whole (TSO)
    ovs_af_xdp  OVS with DPDK, action NORMAL, no policer: veth ports by AF_XDP
    ovs_tap     likewise: TAP ports of OVS itself with user space TSO
    copier      with --floor: TAPs and a loop that reads from one and writes to the other, bench/copier.c
Small packets are sent without end, more than the receiving program can take while sender and switch have the processors:
udp: what it received; udp_reached: what the switch brought to its kernel, which drops what finds its socket full.
They exist at the same time and are measured in turn; whoever's turn it is not, is stopped. Ratios are medians over the
pairs, more is better in all of them; over OVS: the better of both.
"""
import os
import time

import harness
import joined
from ovs import PAGES, HugePages
from turns import Turns

ALL = ["--pairs", "15"]
QUICK = ["--pairs", "1"]
BUDGET_S = (200, 22)

# Of these headgate has 128.
N_HUGE_PAGES = 2 * PAGES + 128
RIVALS = ("bridge", "ovs_af_xdp", "ovs_tap")
FLOOR = "copier"
# A switch that goes on after it stood still, before it is measured.
SETTLE_S = 0.1


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=15, metavar="N",
                        help="how often all are measured, one after the other (default 15)")
    parser.add_argument("--seconds", type=int, default=1, metavar="N",
                        help="of each TCP transfer, of the small packets, and of the round trips (default 1)")
    parser.add_argument("--floor", action="store_true",
                        help="also what TAPs take when nothing is done between them, by OVS on TAPs")


def slice_of(pair, seconds):
    def measure():
        pair.go_on()
        time.sleep(SETTLE_S)
        try:
            return pair.tcp(seconds) | pair.udp(seconds) | pair.round_trips(seconds)
        finally:
            pair.pause()
    return measure


def figures_of(turns):
    figures, spread = {}, {}

    def ratio(name, figure, rival, is_less_better=False):
        ends = (rival, "headgate") if is_less_better else ("headgate", rival)
        figures[name], spread[name] = turns.ratio(*ends, figure)

    ovs = [side for side in turns.sides if side.startswith("ovs")]
    kinds = {"bulk": ("tcp_bit_per_s", False), "bulk_per_cpu_s": ("tcp_bytes_per_cpu_s", False),
             "udp": ("udp_pkts_per_s", False), "udp_reached": ("udp_reached_pkts_per_s", False),
             "udp_per_cpu_s": ("udp_pkts_per_cpu_s", False),
             "rr_p50": ("rr_p50_us", True), "rr_p99": ("rr_p99_us", True)}
    for kind, (figure, is_less_better) in kinds.items():
        for rival in ["bridge"] + ovs:
            ratio(f"{kind}_over_{rival}", figure, rival, is_less_better)
        worst = min((f"{kind}_over_{side}" for side in ovs), key=figures.get)
        figures[f"{kind}_over_ovs"], spread[f"{kind}_over_ovs"] = figures[worst], spread[worst]
    if FLOOR in turns.sides:
        for kind in ("bulk", "bulk_per_cpu_s"):
            figures[f"floor_{kind}_over_ovs_tap"], spread[f"floor_{kind}_over_ovs_tap"] = turns.ratio(
                FLOOR, "ovs_tap", kinds[kind][0])
            ratio(f"{kind}_over_floor", kinds[kind][0], FLOOR)
    for side in turns.sides:
        for figure in turns.used[0][side]["figures"]:
            figures[f"{side}_{figure}"] = turns.median(side, figure)
            spread[f"{side}_{figure}"] = turns.spread(side, figure)
    return figures, spread


def run(bench, options, world):
    pairs = {"headgate": joined.headgate(world)[0]}
    try:
        for way in RIVALS + ((FLOOR,) if options.floor else ()):
            pairs[way] = getattr(joined, way)(world)
            pairs[way].run("ping", "-c", "3", "-i", "0.2", joined.ADDRESSES["b"])  # they find each other
            pairs[way].pause()
        pairs["headgate"].pause()
        turns = Turns(bench, {side: slice_of(pair, options.seconds) for side, pair in pairs.items()}, options.pairs)
        return figures_of(turns.run())
    finally:
        for pair in pairs.values():
            pair.go_on()  # who stands still cannot end


def measure(bench, options):
    os.environ["HEADGATE_BUILD"] = bench.build("apps/headgated", "tools/load/hgload", "bench/bench_copier")
    import lab.world
    try:
        with HugePages(N_HUGE_PAGES), lab.world.World() as world:
            return run(bench, options, world)
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
