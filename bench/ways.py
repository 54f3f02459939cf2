"""What ways a switch in user space has into a container and out of another, and what each takes of a processor.

Reading and writing TAPs frame by frame, as headgate does (`tap`); the same with io_uring, one call for each burst
(`tap_uring`); packet sockets on veths frame by frame, as headgate's driver `packet` does (`packet`), with calls for many frames
(`packet_many`), and with a ring of memory that the kernel fills (`packet_ring`). Nothing is done in between: no switch
is in it. UDP, one packet of 18 bytes (`18`), or a segment of 63,000 that travels whole (`63000`); one thread on the last
processor sends, passes on and receives, one after the other. WAY_BYTES_switch_ns, ..._sender_ns, ..._total_ns: a packet;
..._switch_by_tap, ..._total_by_tap: in the same pair, less is better. bench/ways.c says more.
"""
import os
import subprocess
import sys

import harness
from turns import Turns, last_processor, of_last_processor

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

# A question that is answered: not in a run of all.
IN_ALL = False
ALL, QUICK = [], None

WAYS = ("tap", "tap_uring", "packet", "packet_many", "packet_ring")
SIZES = (18, 63000)
TAP, VETH = 0, 1  # as the kinds in bench/ways.c


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=61, metavar="N", help="all ways in turn (default 61)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N",
                        help="of 256 packets, or 64 segments, in each slice, in [1, 1000] (default 7)")
    parser.add_argument("--burst", type=int, default=32, metavar="N",
                        help="frames that are passed on at a time, in [1, 32] (default 32)")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS), metavar="WAY")


def quiet_netns(world, letter):
    """Interfaces in it say nothing of themselves."""
    netns = world.netns(letter)
    for which in "all", "default":
        subprocess.run(["nsenter", f"--net=/run/netns/{netns}", "sysctl", "-qw", f"net.ipv6.conf.{which}.disable_ipv6=1"],
                       check=True)
    return netns


def join(world, ip, host, containers):
    """A veth for each container; they know each other's addresses on it and on the TAPs."""
    macs = {}
    for side, netns in containers.items():
        world.address(netns, "way1", f"10.78.{TAP}.{1 + (side == 'B')}/24")
        ip("link", "set", f"way{side}", "up", netns=host)
        world.address(netns, "way0", f"10.78.{VETH}.{1 + (side == 'B')}/24")
        for device in "way0", "way1":
            said = ip("-o", "link", "show", "dev", device, netns=netns)
            macs[side, device] = said.split("link/ether ")[1].split()[0]
    for side, netns in containers.items():
        other = "A" if side == "B" else "B"
        for device, kind in ("way1", TAP), ("way0", VETH):
            ip("neigh", "replace", f"10.78.{kind}.{1 + (other == 'B')}", "lladdr", macs[other, device], "dev", device, netns=netns)


def figures_of(turns, ways):
    figures, spread = {}, {}

    def keep(name, found):
        figures[name], spread[name] = found

    for size in SIZES:
        for way in ways:
            side = f"{way}_{size}"
            for what in "sender_ns", "switch_ns", "total_ns":
                keep(f"{side}_{what}", turns.of_side(side, what))
            for what in "switch", "total":
                if way != "tap" and "tap" in ways:
                    keep(f"{side}_{what}_by_tap", turns.ratio(side, f"tap_{size}", f"{what}_ns"))
    return figures, spread


def run(bench, options, world, ip):
    program = os.path.join(bench.build("bench/bench_ways"), "bench/bench_ways")
    host = quiet_netns(world, "h")
    containers = {side: quiet_netns(world, side.lower()) for side in "AB"}
    for side, netns in containers.items():
        ip("link", "add", f"way{side}", "type", "veth", "peer", "name", "way0", "netns", netns, netns=host)
    with harness.Program([program, *containers.values(), host], processor=last_processor()) as ways:
        join(world, ip, host, containers)
        ways.tell("address")
        sides = {f"{way}_{size}": lambda way=way, size=size: ways.figures(way, size, options.rounds,
                                                                            options.burst)
                 for size in SIZES for way in options.ways}
        return figures_of(Turns(bench, sides, options.pairs, of_last_processor()).run(), options.ways)


def measure(bench, options):
    import lab.world
    try:
        with lab.world.World() as world:
            return run(bench, options, world, lab.world.ip)
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
