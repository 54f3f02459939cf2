"""What the report draws and lists of the benchmarks whose modules say nothing of it.

A module may have CHARTS, a list of draw.Bars and draw.Lines, and SHOWN, a list of patterns (as of fnmatch) for the
figures of its table; with neither, all figures are listed, up to MOST.
"""
from draw import Bars, Lines

MOST = 40

SIZES = (64, 1024, 4096, 32768, 1048576)


def sized(prefix):
    return {size: f"{prefix}_{size}" for size in SIZES}


def sides(names, figure):
    """{label: figure's name} for figures called SIDE_FIGURE."""
    return {label: f"{side}_{figure}" for side, label in names.items()}


JOINED = {"headgate": "headgate", "bridge": "bridge with HTB", "ovs_af_xdp": "OVS, AF_XDP", "ovs_tap": "OVS, TAP"}
SWITCHES = {"headgate": "headgate", "testpmd": "testpmd", "ovs": "OVS with DPDK"}
GUESTS = {"headgate": "headgate", "ovs": "OVS with DPDK"}
FLOWS = (1, 1000, 100000, 1000000)
INSTANCES = (3, 64, 1024, 4096)
LIMITERS = {"headgate": "headgate", "tbf": "TBF", "htb": "HTB", "policer": "OVS's policer"}
LIMITS = (10, 100, 1000, 5000)
LOADS = {"tcp1": "one TCP flow", "tcp64": "64 TCP flows"}
QUOTAS = {"credits": "headgate's credits", "quota": "a quota of the same share"}

CHARTS = {
    "path": [
        Lines("path", "A packet of 64 bytes from memory to memory, everything on", "flows", "ns a packet", {
            label: {n: f"{side}_{n}_ns" for n in FLOWS}
            for side, label in {"headgate": "headgate", "policer": "OVS, policer", "ovs": "OVS, NORMAL",
                                "testpmd": "testpmd, mac"}.items()}),
        Bars("path-parts", "What is saved by switching a part off", "ns a packet", {"": {
            "headgate: addresses": "part_addresses_ns", "headgate: contracts": "part_contracts_ns",
            "headgate: in flight": "part_inflight_ns", "headgate: schedule": "part_schedule_ns"}}),
        Lines("path-instances", "The same packet with many instances", "instances", "ns a packet", {
            "headgate, sending": {n: f"out_{n}_ns" for n in INSTANCES},
            "headgate, receiving": {n: f"in_{n}_ns" for n in INSTANCES}})],
    "contract": [
        Bars("contract", "TCP that had to be sent again, all rates together", "segments", {"": sides(
            LIMITERS, "retransmissions")})] + [
        Bars(f"contract-{load}", f"Received with a maximum: {title}", "Mbit/s", {
            f"maximum of {n:,} Mbit/s on the wire": sides(LIMITERS, f"{load}_{n}m_mbit_per_s") for n in LIMITS})
        for load, title in LOADS.items()],
    "scale": [Lines("scale", "A packet of 60 bytes, all instances send at once", "instances", "ns a packet", {
        "headgate, one worker": {n: f"cost_ns_{n}" for n in (1, 16, 256, 2048)},
        "headgate, two": {n: f"two_workers_ns_{n}" for n in (16, 2048)}})],
    "sched": [Lines("sched", "A packet in and out of the scheduler", "instances", "ns a packet", {
        "headgate, no rates": sized("u_ns"), "headgate, all minima": sized("g_ns"), "rte_sched": sized("rte_ns")})],
    "containers": [Bars("containers", "Between two containers", "more is better, but for round trips", {
        "TCP, bit/s": sides(JOINED, "tcp_bit_per_s"),
        "TCP, bytes per processor-second": sides(JOINED, "tcp_bytes_per_cpu_s"),
        "small UDP packets received, packets/s": sides(JOINED, "udp_pkts_per_s"),
        "round trip p50, us": sides(JOINED, "rr_p50_us"),
        "round trip p99, us": sides(JOINED, "rr_p99_us")})],
    "vhost": [Bars("vhost", "Between two vhost ports, one processor for the switch", "packets/s", {
        "64 bytes": sides(SWITCHES, "64_pkts_per_s"),
        "64, 594 and 1518 bytes": sides(SWITCHES, "mixed_pkts_per_s")})],
    "vms": [Bars("vms", "Between two virtual machines", "TCP: more is better; round trips: less", {
        "TCP, Mbit/s": sides(GUESTS, "tcp_mbit_per_s"), "round trip p50, us": sides(GUESTS, "rr_p50_us"),
        "round trip p99, us": sides(GUESTS, "rr_p99_us")})],
    "guard": [Bars("guard", "A packet past the guard", "ns a packet", {"": {
        "nothing configured": "off_ns", "mac": "mac_ns", "TCP, IPv4 address": "tcp4_ns",
        "TCP, IPv6 address": "tcp6_ns", "ARP": "arp_ns", "neighbour advertisement": "advert_ns"}})],
    "cut": [Bars("cut", "A segment of 64 KiB", "ns a segment", {"": {
        "cut for 100 Mbit/s": "cut_ns_100m", "cut for 1 Gbit/s": "cut_ns_1g", "not cut (10 Gbit/s)": "cut_ns_10g",
        "split into packets": "split_ns", "released whole": "whole_ns"}})],
    "credits": [Bars("credits", "Processor time used against entitled: the worst group's error", "percent", {
        f"{n} busy groups" if n > 1 else "1 busy group": sides(QUOTAS, f"{n}_worst_error_percent")
        for n in (1, 4, 16)})],
}

SHOWN = {
    "sched": ["bucket_*", "speedup_*", "growth_*", "u_ns_*", "g_ns_*", "t_ns_*", "t_over_g_*", "rte_*",
              "turn_speedup_*", "clock_ns"],
    "contract": ["goodput_error_percent", "*_goodput_error_percent", "*_over_headgate", "*_retransmissions", "left_out",
                 "headgate_*_error_percent"],
    "isolation": ["sim_p999_over_limit", "sim_gain_10g", "sim_link_use_percent", "real_*"],
    "rate": ["worst_window_error_packets", "long_run_error_ppm", "*_error_packets", "*_long_run_error_ppm",
             "real_time_error_percent", "real_disturbed_runs"],
    "inflight": ["all_ns", "hook_ns", "window_ns", "depth_ns", "inflight_ns", "plain_ns", "full_ns"],
    "depth": ["settle_ms", "share_settle_ms", "link_use_percent", "excess_ratio"],
}
