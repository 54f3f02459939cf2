"""TCP, small UDP packets and round trips between two containers: headgate against the Linux bridge with HTB.

Both carry the same: two network namespaces joined by headgated (TAP ports, minima and maxima in force that
are above what the machine can do, so that they cost and do not limit) and two by a bridge (veth, HTB with
such a class on both ports, TSO on). Both exist at the same time and are measured in turn. tcp_ratio is the
median over the pairs of headgate's rate by the bridge's.
"""
import json
import os
import subprocess
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

RATE = "40gbit"
SMALL_BYTES = 18  # the least Ethernet frame: 60 bytes
ADDRESSES = {"a": "10.78.0.1", "b": "10.78.0.2"}

CONFIG = """\
uplinks:
  - {{name: up0, device: "tap:{prefix}up", netns: {prefix}ha, capacity: 100Gbit}}
tenants:
  - name: t
    contract: {{out: {{min: 1Gbit, max: 80Gbit, burst: 4MiB}}, in: {{max: 80Gbit, burst: 4MiB}}}}
    instances:
      - name: a
        contract: {{out: {{min: 500Mbit, max: 40Gbit, burst: 2MiB}}, in: {{max: 40Gbit, burst: 2MiB}}}}
        ports: [{{name: a, device: "tap:{prefix}ta", netns: {prefix}ha, mac: "02:00:00:00:78:01"}}]
      - name: b
        contract: {{out: {{min: 500Mbit, max: 40Gbit, burst: 2MiB}}, in: {{max: 40Gbit, burst: 2MiB}}}}
        ports: [{{name: b, device: "tap:{prefix}tb", netns: {prefix}hb, mac: "02:00:00:00:78:02"}}]
"""

# Of bench/run all, and of --quick.
ALL = ["--seconds", "2"]
QUICK = ["--pairs", "1", "--seconds", "1"]


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=5, metavar="N",
                        help="how often both are measured, one after the other (default 5)")
    parser.add_argument("--seconds", type=int, default=4, metavar="N",
                        help="of each TCP transfer; half of it for the others (default 4)")


class Leg:
    """Two containers and what joins them."""

    def __init__(self, world, name, build, daemon=None):
        self.world, self.name, self.build, self.daemon = world, name, build, daemon
        self.netns = {side: world.name(name + side) for side in "ab"}

    def switch_ticks(self):
        """Processor time of the switch's own process."""
        if self.daemon is None:
            return 0
        with open(f"/proc/{self.daemon.process.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def wait_for_listener(self):
        def listens():
            done = subprocess.run(["ip", "netns", "exec", self.netns["b"], "ss", "-Hltn"], capture_output=True,
                                  text=True, check=True)
            return done.stdout.strip()

        sys.modules["lab.world"].until(listens, 10, "a server to listen")

    def iperf(self, *options):
        """A run of iperf3 from a to b; its report, with the processor seconds that all of it took."""
        server = self.world.start(["iperf3", "-s", "-1"], self.netns["b"], stdout=subprocess.DEVNULL)
        self.wait_for_listener()
        before = self.switch_ticks()
        done = subprocess.run(["ip", "netns", "exec", self.netns["a"], "iperf3", "-J", "-c", ADDRESSES["b"],
                               *options], capture_output=True, text=True, check=False, timeout=60)
        report = json.loads(done.stdout or "{}")
        if "error" in report or done.returncode != 0:
            raise harness.Failure(f"iperf3 through {self.name}: {report.get('error', done.stderr)}")
        spent = (self.switch_ticks() - before) / os.sysconf("SC_CLK_TCK")
        seconds = report["end"]["sum_received" if "sum_received" in report["end"] else "sum"]["seconds"]
        used = report["end"]["cpu_utilization_percent"]
        report["cpu_s"] = spent + (used["host_total"] + used["remote_total"]) / 100 * seconds
        self.world.end(server)
        return report["end"], report["cpu_s"]

    def tcp(self, seconds):
        end, cpu_s = self.iperf("-t", str(seconds))
        received = end["sum_received"]
        return {"tcp_bit_per_s": received["bits_per_second"],
                "tcp_bytes_per_cpu_s": received["bytes"] / cpu_s}

    def udp(self, seconds):
        end, cpu_s = self.iperf("-t", str(seconds), "-u", "-b", "0", "-l", str(SMALL_BYTES))
        got = end["sum"]["packets"] - end["sum"]["lost_packets"]
        return {"udp_pkts_per_s": got / end["sum"]["seconds"],
                "udp_lost_percent": 100 * end["sum"]["lost_packets"] / max(end["sum"]["packets"], 1),
                "udp_pkts_per_cpu_s": got / cpu_s}

    def round_trips(self, seconds):
        tool = os.path.join(self.build, "tools/load/hgload")
        address = f"{ADDRESSES['b']}:5301"
        server = self.world.start([tool, "serve", address], self.netns["b"], stdout=subprocess.DEVNULL)
        self.wait_for_listener()
        done = subprocess.run(["ip", "netns", "exec", self.netns["a"], tool, "rr", address, "--seconds",
                               str(seconds)], capture_output=True, text=True, check=False, timeout=60)
        self.world.end(server)
        if done.returncode != 0:
            raise harness.Failure(f"hgload through {self.name}: {done.stderr}")
        total = json.loads(done.stdout.splitlines()[-1])
        return {"rr_p50_us": total["p50_us"], "rr_p99_us": total["p99_us"]}


def bridge(world):
    """A namespace that plays the host, with a bridge, and HTB towards each container."""
    host = world.netns("br")
    lab = sys.modules["lab.world"]
    lab.ip("link", "add", "br0", "type", "bridge", netns=host)
    lab.ip("link", "set", "br0", "up", netns=host)
    for side, address in ADDRESSES.items():
        netns, port = world.netns("b" + side), f"v{side}"
        lab.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns, netns=host)
        lab.ip("link", "set", port, "master", "br0", "up", netns=host)
        world.address(netns, "eth0", f"{address}/24")
        for words in (["qdisc", "add", "dev", port, "root", "handle", "1:", "htb", "default", "10"],
                      ["class", "add", "dev", port, "parent", "1:", "classid", "1:10", "htb", "rate", RATE,
                       "ceil", RATE, "burst", "2m", "cburst", "2m", "quantum", "200000"]):
            subprocess.run(["tc", "-n", host] + words, check=True)


def headgate(world):
    from lab.daemon import Daemon
    netns = [world.netns("ha"), world.netns("hb")]
    config = world.path("bulk.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(prefix=world.prefix))
    daemon = Daemon(world).start(config)
    for side, where in zip("ab", netns):
        world.address(where, world.name("t" + side), f"{ADDRESSES[side]}/24")
    return daemon


def run(bench, options, world, build):
    bridge(world)
    legs = [Leg(world, "h", build, headgate(world)), Leg(world, "b", build)]
    names = {"h": "headgate", "b": "bridge"}
    measured = []
    for pair in range(options.pairs):
        both = {}
        # Each comes first as often as the other.
        for leg in legs if pair % 2 == 0 else reversed(legs):
            found = leg.tcp(options.seconds)
            found.update(leg.udp(max(options.seconds // 2, 1)))
            found.update(leg.round_trips(max(options.seconds // 2, 1)))
            both[leg.name] = found
        measured.append(both)
        bench.progress("pair %d of %d: " % (pair + 1, options.pairs) + "; ".join(
            f"{names[name]} {found['tcp_bit_per_s'] / 1e9:.1f} Gbit/s, {found['udp_pkts_per_s'] / 1e3:.0f} Kpps, "
            f"round trip {found['rr_p50_us']:.0f}/{found['rr_p99_us']:.0f} us"
            for name, found in sorted(both.items(), reverse=True)))
    figures, spread = {}, {}

    def add(name, values):
        figures[name] = harness.median(values)
        spread[name] = [min(values), max(values)]

    add("tcp_ratio", [both["h"]["tcp_bit_per_s"] / both["b"]["tcp_bit_per_s"] for both in measured])
    for name in ("tcp_bytes_per_cpu_s", "udp_pkts_per_s", "rr_p50_us", "rr_p99_us"):
        add(f"{name}_ratio", [both["h"][name] / both["b"][name] for both in measured])
    for leg, title in names.items():
        for name in measured[0][leg]:
            add(f"{title}_{name}", [both[leg][name] for both in measured])
    return figures, spread


def measure(bench, options):
    build = bench.build("apps/headgated", "tools/load/hgload")
    os.environ["HEADGATE_BUILD"] = build
    import lab.world
    try:
        with lab.world.World() as world:
            return run(bench, options, world, build)
    except lab.world.LabError as error:
        raise harness.Failure(str(error)) from error
