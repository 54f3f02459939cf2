"""Real kernels' TCP and UDP against a maximum: goodput and retransmissions, headgate, TBF, HTB and OVS's policer.

A container sends to another one (as in `containers`): one, 16 and 64 TCP flows, and UDP at one and a half times the
maximum, which is of wire bytes, 10 Mbit/s to 5 Gbit/s. The others are told the same rate as they count it: TBF and
HTB frames, OVS packets of IP. goodput_error_percent: the worst of |received / what the maximum lets through - 1| of
headgate; policer_over_headgate: TCP's, of all rates that both could be measured at. What a side cannot
send at all without a limit is left out and said.
"""
import contextlib
import json
import os
import re
import subprocess
import sys
import time

import harness
import joined
from ovs import PAGES, HugePages
from turns import Alone, Disturbed, Turns

ALL = ["--seconds", "1"]
QUICK = ["--rates", "100", "1000", "--loads", "tcp16", "--seconds", "1", "--sides", "headgate", "policer"]
BUDGET_S = (180, 20)

RATES_MBIT_PER_S = (10, 100, 1000, 5000)
LOADS = {**{f"tcp{n}": ("-P", str(n), "-C", harness.CONGESTION) for n in (1, 16, 64)}, "udp": ("-u", "-l", "1472")}
# Of a full packet, on the wire, as a frame, as IP.
WIRE_BYTES, FRAME_BYTES, IP_BYTES = 1538, 1514, 1500
PAYLOAD_BYTES = {"tcp1": 1448, "tcp16": 1448, "tcp64": 1448, "udp": 1472}
# Of what a side sends without a limit; above it, and with UDP above half of it, the machine is what limits.
REACHABLE = 0.8
UDP_OVER = 1.5
NO_LIMIT_MBIT_PER_S = 100_000
N_HUGE_PAGES = PAGES + 128
# Of a slice: a switch that had no processor for longer limits nothing but itself. What its own containers take is less.
WAITED_MAX = 0.2
# What arrives behind a lost segment is received when that is: up to a megabyte at once, which is not to decide about a
# slow rate.
LEAST_MBIT = 30
SETTLE_S = 1  # TCP finds its rate, and bursts are spent

CONFIG = """\
uplinks:
  - {{name: up0, device: "tap:{prefix}up", netns: {prefix}ha, capacity: 100Gbit}}
tenants:
  - name: t
    instances:
      - name: a
        contract: {{out: {{max: RATEMbit, burst: BURST}}}}
        ports: [{{name: a, device: "tap:{prefix}ta", netns: {prefix}ha, mac: "02:00:00:00:78:01"}}]
      - name: b
        ports: [{{name: b, device: "tap:{prefix}tb", netns: {prefix}hb, mac: "02:00:00:00:78:02"}}]
"""


def add_options(parser):
    parser.add_argument("--rates", type=int, nargs="+", default=RATES_MBIT_PER_S, metavar="MBIT",
                        help="maxima in Mbit/s (default 10 100 1000 5000)")
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=LOADS, metavar="LOAD",
                        help="of " + ", ".join(LOADS) + " (default all)")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES, metavar="SIDE",
                        help="of " + ", ".join(SIDES) + " (default all)")
    parser.add_argument("--ecn", type=int, default=1, metavar="N", help="net.ipv4.tcp_ecn of the containers (default 1)")
    parser.add_argument("--pairs", type=int, default=1, metavar="N", help="of each rate and load (default 1)")
    parser.add_argument("--seconds", type=int, default=2, metavar="N",
                        help="of each transfer after its first second, at least 30 Mbit (default 2)")
    parser.add_argument("--take", type=int, default=0, metavar="PERCENT",
                        help="of each processor taken away meanwhile, the same slices for each transfer; all figures are "
                             "called taken_... then (default 0)")


# ---- the limits --------------------------------------------------------------------------------------

def burst_bytes(bit_per_s):
    """Of 4 ms, for all but the policer: what a limiter gets that has no processor for longer is lost for good."""
    return max(bit_per_s // 8 // 250, 131072)


def config(mbit_per_s):
    return CONFIG.replace("RATE", str(mbit_per_s)).replace("BURST", f"{burst_bytes(mbit_per_s * 1_000_000)}B")


class Headgate:
    def __init__(self, world):
        self.world = world
        self.pair, self.daemon = joined.headgate(world, config(NO_LIMIT_MBIT_PER_S))

    def limit(self, mbit_per_s):
        path = self.world.path("contract.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config(mbit_per_s).format(prefix=self.world.prefix))
        harness.say("headgate", f"contract: {{out: {{max: {mbit_per_s}Mbit}}}}")
        self.daemon.apply(path)


class Qdisc:
    """TBF or HTB of the host's port towards the receiver. Room for 50 ms, bursts of 4 ms (a tick) and of at least two
    segments."""

    def __init__(self, world, kind):
        self.kind, self.pair = kind, joined.bridge(world, {"tbf": "q", "htb": "k"}[kind], is_shaped=False)

    def limit(self, mbit_per_s):
        bit_per_s = mbit_per_s * 1_000_000 * FRAME_BYTES // WIRE_BYTES
        burst = burst_bytes(bit_per_s)
        room = bit_per_s // 8 // 20 + burst
        host = self.pair.host
        subprocess.run(["tc", "-n", host, "qdisc", "del", "dev", "vb", "root"], capture_output=True, check=False)
        if self.kind == "tbf":
            joined.checked("tbf", ["tc", "-n", host, "qdisc", "add", "dev", "vb", "root", "tbf", "rate",
                                   f"{bit_per_s}bit", "burst", str(burst), "limit", str(room)])
        else:
            joined.htb("htb", host, "vb", f"{bit_per_s}bit", str(burst))
            joined.checked("htb", ["tc", "-n", host, "qdisc", "add", "dev", "vb", "parent", "1:10", "bfifo", "limit",
                                   str(room)])


class Policer:
    """OVS's egress policer towards the receiver; burst: 80 % of a second's bytes, as its manual recommends for TCP."""

    def __init__(self, world):
        self.pair = joined.ovs_af_xdp(world, name="policer")

    def limit(self, mbit_per_s):
        bytes_per_s = mbit_per_s * 125_000 * IP_BYTES // WIRE_BYTES
        self.pair.ovs.vsctl("clear", "port", "pb", "qos", "--", "--all", "destroy", "qos")
        self.pair.ovs.vsctl("set", "port", "pb", "qos=@q", "--", "--id=@q", "create", "qos", "type=egress-policer",
                            f"other-config:cir={bytes_per_s}", f"other-config:cbs={bytes_per_s * 8 // 10}")


SIDES = {"headgate": Headgate, "tbf": lambda world: Qdisc(world, "tbf"), "htb": lambda world: Qdisc(world, "htb"),
         "policer": Policer}


@contextlib.contextmanager
def taken(percent, seconds):
    """While a thief (thief.c) takes so much of each processor away; ends by itself if nobody ends it."""
    if not percent:
        yield
        return
    program = os.path.join(os.environ["HEADGATE_BUILD"], "bench/bench_thief")
    with subprocess.Popen([program, str(percent), str(seconds)], stdout=subprocess.PIPE, text=True) as thief:
        try:
            if thief.stdout.readline() != "ready\n":
                raise harness.Failure("bench_thief cannot take processors away here")
            yield
        finally:
            thief.terminate()
            print(f"contract: {harness.short(harness.figures_in(thief.stdout))}", file=sys.stderr, flush=True)


# ---- what arrives ------------------------------------------------------------------------------------

def retransmitted(pair):
    """Segments of the sender's TCP, since its namespace was made."""
    lines = [line.split() for line in pair.run("cat", "/proc/self/net/snmp")[0].splitlines() if line.startswith("Tcp:")]
    return int(lines[1][lines[0].index("RetransSegs")])


def transfer(pair, load, rate, seconds):
    """iperf3 for so long after SETTLE_S: what the receiver got meanwhile, and what TCP had to send again in all."""
    path = pair.world.path("server.json")
    # The receiver's own clock: no process has to be asked at the right moment.
    server = pair.serve("iperf3", "-s", "-1", "-J", "--logfile", path)
    before = retransmitted(pair)
    udp = ("-b", f"{rate * UDP_OVER:.0f}M") if load == "udp" else ()
    said, error = pair.run("iperf3", "-J", "-c", joined.ADDRESSES["b"], "-O", SETTLE_S, "-t", seconds, *LOADS[load],
                           *udp)
    again = retransmitted(pair) - before
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        pass
    pair.world.end(server)
    report = harness.read(path)
    os.remove(path)
    try:
        counted = [each["sum"] for each in json.loads(report)["intervals"] if not each["sum"]["omitted"]]
        # The last interval is what came while both said goodbye, if it is short.
        counted = [each for each in counted if each["seconds"] > 0.5]
        got, for_s = sum(each["bytes"] for each in counted), sum(each["seconds"] for each in counted)
    except (ValueError, KeyError) as cause:
        raise Disturbed("iperf3 said nothing: " + (error or said)[-100:].strip()) from cause
    if for_s == 0:
        raise Disturbed("iperf3 measured nothing")
    return {"bit_per_s": 8 * got / for_s, "retransmissions": again, "for_s": for_s}


class Side:
    def __init__(self, world, name, ecn, take):
        self.take = take
        self.name, self.limiter = name, SIDES[name](world)
        self.pair, self.now = self.limiter.pair, None
        for side in "ab":
            self.pair.run("sysctl", "-qw", f"net.ipv4.tcp_ecn={ecn}", side=side)
        self.pair.run("ping", "-c", "3", "-i", "0.2", joined.ADDRESSES["b"])
        self.pair.pause()

    def measure(self, load, rate, seconds, take=0):
        self.pair.go_on()
        time.sleep(0.1)
        try:
            if self.now != rate:
                self.limiter.limit(rate)
                self.now = rate
            waited, began = self.pair.kept_waiting_s(), time.monotonic()
            with taken(take, seconds + SETTLE_S + 10):
                found = transfer(self.pair, load, rate, seconds)
            waited = (self.pair.kept_waiting_s() - waited) / (time.monotonic() - began)
            if waited > WAITED_MAX and not take:
                raise Disturbed(f"{self.name} was kept waiting for a processor")
            return found
        finally:
            self.pair.pause()

    def reach(self, load, enough):
        """In Mbit/s: what it sends with no limit in force, the better of two seconds unless the first is enough; 0: nothing
        could be measured."""
        best = 0
        for _ in range(2):
            try:
                best = max(best, self.measure(load, NO_LIMIT_MBIT_PER_S, 1)["bit_per_s"] / 1e6)
            except Disturbed:
                continue
            if best >= enough:
                break
        return best

    def slice(self, load, rate, seconds):
        seconds = max(seconds, -(-LEAST_MBIT // rate))

        def measure():
            found = self.measure(load, rate, seconds, self.take)
            lets = rate * 1e6 * PAYLOAD_BYTES[load] / WIRE_BYTES
            return {"error_percent": 100 * (found["bit_per_s"] / lets - 1),
                    "retransmissions": found["retransmissions"], "mbit_per_s": found["bit_per_s"] / 1e6}
        return measure


# ---- the whole ---------------------------------------------------------------------------------------

def needed(load, rate):
    """In Mbit/s: what a side has to send without a limit to take part."""
    return rate * (UDP_OVER if load == "udp" else 1) / REACHABLE


def who_can(bench, sides, reach, load, rate):
    able = [side for side in sides if reach[side, load] >= needed(load, rate)]
    for side in sides:
        if side not in able:
            bench.progress(f"left out: {side}, {load} at {rate} Mbit/s: {reach[side, load]:.0f} Mbit/s without a limit")
    return able


def run(bench, options, world):
    sides, figures, spread = {}, {}, {}
    try:
        for name in options.sides:
            sides[name] = Side(world, name, options.ecn, options.take)
        reach = {(name, load): side.reach(load, needed(load, max(options.rates)))
                 for load in options.loads for name, side in sides.items()}
        n_left_out, bench.n_turns = 0, len(options.rates) * len(options.loads)
        for rate in options.rates:
            for load in options.loads:
                able = who_can(bench, sides, reach, load, rate)
                n_left_out += len(sides) - len(able)
                if "headgate" not in able:
                    continue
                bench.progress(f"{load} at {rate} Mbit/s")
                turns = Turns(bench, {name: sides[name].slice(load, rate, options.seconds) for name in able},
                              options.pairs, Alone(bench))
                try:
                    turns.run()
                except harness.Failure as failure:  # the result says so of these turns
                    bench.progress(str(failure))
                    continue
                for name in able:
                    for figure in "error_percent", "retransmissions", "mbit_per_s":
                        key = f"{name}_{load}_{rate}m_{figure}"
                        figures[key], spread[key] = turns.median(name, figure), turns.spread(name, figure)
        for (name, load), mbit_per_s in reach.items():
            figures[f"{name}_{load}_reach_mbit_per_s"] = mbit_per_s
    finally:
        for side in sides.values():
            side.pair.go_on()
    figures["left_out"] = n_left_out
    return summed(figures, spread)


def summed(figures, spread):
    def of(side, what):
        return {name[len(side) + 1:]: value for name, value in figures.items()
                if re.fullmatch(rf"{side}_\w+_\d+m_{what}", name)}

    for side in SIDES:
        errors = [abs(value) for value in of(side, "error_percent").values()]
        if errors:
            name = "goodput_error_percent" if side == "headgate" else f"{side}_goodput_error_percent"
            figures[name], spread[name] = max(errors), [min(errors), max(errors)]
    ours = of("headgate", "retransmissions")
    for side in SIDES:
        theirs = of(side, "retransmissions")
        both = [cell for cell in theirs if cell in ours and not cell.startswith("udp")]
        if both and side != "headgate":
            figures[f"{side}_retransmissions"] = sum(theirs[cell] for cell in both)
            # Without any of ours: as if there were one.
            figures[f"{side}_over_headgate"] = (sum(theirs[cell] for cell in both) /
                                                               max(sum(ours[cell] for cell in both), 1))
    figures["headgate_retransmissions"] = sum(value for cell, value in ours.items() if not cell.startswith("udp"))
    return figures, spread


def measure(bench, options):
    os.environ["HEADGATE_BUILD"] = bench.build("apps/headgated", "apps/headgate",
                                               "bench/bench_thief")
    import lab.world
    try:
        with HugePages(N_HUGE_PAGES), lab.world.World() as world:
            figures, spread = run(bench, options, world)
            prefix = "taken_" if options.take else ""
            return tuple({prefix + name: value for name, value in found.items()} for found in (figures, spread))
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
