"""Two containers (network namespaces with real kernels' TCP) and what joins them: headgate, a bridge, OVS.

A way to join is a function of the world that makes the namespaces and returns a Pair. All can exist at the same time;
pause() stops the switch of whoever's turn it is not, since a switch of DPDK is never idle.
"""
import glob
import json
import os
import re
import signal
import subprocess
import sys

import harness
from ovs import Ovs
from turns import Disturbed

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

RATE = "40gbit"
SMALL_BYTES = 18  # the least Ethernet frame: 60 bytes
ADDRESSES = {"a": "10.78.0.1", "b": "10.78.0.2"}
LAST_CPU = (os.cpu_count() or 1) - 1

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


def lab():
    return sys.modules["lab.world"]


def process_ticks(pid):
    fields = harness.read(f"/proc/{pid}/stat").rsplit(")", 1)[-1].split()
    return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0


def kernel_pids():
    """Of the threads that do what is left over of received packets."""
    return [pid for pid in os.listdir("/proc")
            if pid.isdigit() and harness.read(f"/proc/{pid}/comm").startswith("ksoftirqd/")]


class Pair:
    """Two containers and what joins them. switch: its process, if it is one; cpus: of the containers, None: all."""

    def __init__(self, world, netns, switch=None, cpus=None):
        self.world, self.netns, self.switch, self.cpus = world, dict(zip("ab", netns)), switch, cpus
        self.counted = kernel_pids() + ([switch.pid] if switch else [])

    # ---- whose turn it is -----------------------------------------------------------------------

    def pause(self):
        if self.switch:
            self.switch.send_signal(signal.SIGSTOP)

    def go_on(self):
        if self.switch:
            self.switch.send_signal(signal.SIGCONT)

    def kept_waiting_s(self):
        """How long the busiest thread of the switch was ready and had no processor, since it started."""
        found = [0.0]
        for path in glob.glob(f"/proc/{self.switch.pid}/task/*/schedstat") if self.switch else ():
            words = harness.read(path).split()
            found.append(int(words[1]) / 1e9 if len(words) > 1 else 0.0)
        return max(found)

    def switch_ran_s(self):
        """Processor seconds of the switch so far, to the nanosecond."""
        return sum(int(harness.read(path, "0").split()[0]) / 1e9
                   for path in glob.glob(f"/proc/{self.switch.pid}/task/*/schedstat"))

    # ---- loads ----------------------------------------------------------------------------------

    def pinned(self, *words):
        return (["taskset", "-c", self.cpus] if self.cpus else []) + [str(word) for word in words]

    def run(self, *words, side="a"):
        """In a container; what it printed, and what it said on stderr."""
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.netns[side]}"] + self.pinned(*words),
                              capture_output=True, text=True, check=False, timeout=60)
        return done.stdout, done.stderr

    def serve(self, *words):
        """A server in the second container, which listens when this returns."""
        server = self.world.start(self.pinned(*words), self.netns["b"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)

        def listens():
            return subprocess.run(["ip", "netns", "exec", self.netns["b"], "ss", "-Hltn"], capture_output=True,
                                  text=True, check=True).stdout.strip()

        lab().until(listens, 10, "a server to listen")
        return server

    def ticks(self):
        return sum(map(process_ticks, self.counted))

    def iperf(self, *options):
        """iperf3 from a to b: its report, and processor seconds of both ends, the switch and the kernel's threads."""
        server = self.serve("iperf3", "-s", "-1")
        before = self.ticks()
        control = () if "-u" in options else ("-C", harness.CONGESTION)
        said, error = self.run("iperf3", "-J", "-c", ADDRESSES["b"], *control, *options)
        spent = (self.ticks() - before) / os.sysconf("SC_CLK_TCK")
        self.world.end(server)
        report = json.loads(said or "{}")
        if "error" in report or "end" not in report:
            raise Disturbed(f"iperf3: {report.get('error', error.strip())}")
        end = report["end"]
        seconds = end["sum_received" if "sum_received" in end else "sum"]["seconds"]
        used = end["cpu_utilization_percent"]
        return end, spent + (used["host_total"] + used["remote_total"]) / 100 * seconds

    def tcp(self, seconds):
        before_s = self.switch_ran_s() if self.switch else 0
        end, cpu_s = self.iperf("-t", seconds)
        received = end["sum_received"]
        figures = {"tcp_bit_per_s": received["bits_per_second"], "tcp_bytes_per_cpu_s": received["bytes"] / cpu_s}
        if self.switch:
            figures["tcp_switch_us_per_64k"] = (self.switch_ran_s() - before_s) * 1e6 / (received["bytes"] / 65536)
        return figures

    def datagrams(self):
        """That the second container's kernel was handed for a program so far, read by it or not."""
        rows = [line.split() for line in self.run("cat", "/proc/net/snmp", side="b")[0].splitlines()
                if line.startswith("Udp:")]
        counted = dict(zip(rows[0][1:], map(int, rows[1][1:])))
        return counted["InDatagrams"] + counted["InErrors"]

    def udp(self, seconds):
        before = self.datagrams()
        end, cpu_s = self.iperf("-t", seconds, "-u", "-b", 0, "-l", SMALL_BYTES)
        got = end["sum"]["packets"] - end["sum"]["lost_packets"]
        return {"udp_pkts_per_s": got / end["sum"]["seconds"],
                "udp_reached_pkts_per_s": (self.datagrams() - before) / end["sum"]["seconds"],
                "udp_lost_percent": 100 * end["sum"]["lost_packets"] / max(end["sum"]["packets"], 1),
                "udp_pkts_per_cpu_s": got / cpu_s}

    def round_trips(self, seconds):
        tool = os.path.join(os.environ["HEADGATE_BUILD"], "tools/load/hgload")
        address = f"{ADDRESSES['b']}:5301"
        server = self.serve(tool, "serve", address)
        said, error = self.run(tool, "rr", address, "--seconds", seconds)
        self.world.end(server)
        if not said:
            raise Disturbed(f"hgload: {error.strip()}")
        total = json.loads(said.splitlines()[-1])
        return {"rr_p50_us": total["p50_us"], "rr_p99_us": total["p99_us"]}


def tell(side, words):
    """Says a command without this run's own names."""
    harness.say(side, "$ " + re.sub(r"hg\d+-", "", " ".join(words)))
    return words


def checked(side, words):
    done = subprocess.run(tell(side, words), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise harness.Failure(f"{' '.join(words)}: {done.stderr.strip()}")


# ---- ways to join -----------------------------------------------------------------------------------

def headgate(world, text=CONFIG, letter="h"):
    """Returns the Pair and its Daemon. text: with {prefix}, ports ta and tb in the namespaces ha and hb."""
    from lab.daemon import Daemon
    netns = [world.netns(letter + side) for side in "ab"]
    config = world.path("joined.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(text.format(prefix=world.prefix))
    harness.say("headgate", text.format(prefix=""))
    daemon = Daemon(world).start(config)
    for side, where in zip("ab", netns):
        world.address(where, world.name("t" + side), f"{ADDRESSES[side]}/24")
    daemon.links_up()
    return Pair(world, netns, daemon.process), daemon


def veths(world, letter, side_of_host, offloads=True):
    """Two containers with a veth each; their other ends, va and vb, are in the namespace of the host."""
    netns = []
    for side, address in ADDRESSES.items():
        netns.append(world.netns(letter + side))
        port = f"v{side}"
        lab().ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns[-1], netns=side_of_host)
        lab().ip("link", "set", port, "up", netns=side_of_host)
        world.address(netns[-1], "eth0", f"{address}/24")
        if not offloads:
            for where, device in (side_of_host, port), (netns[-1], "eth0"):
                checked("ovs_af_xdp", ["nsenter", f"--net=/run/netns/{where}", "ethtool", "-K", device, "tx", "off"])
    return netns


def htb(side, host, port, rate=RATE, burst="2m"):
    for words in (["qdisc", "replace", "dev", port, "root", "handle", "1:", "htb", "default", "10"],
                  ["class", "replace", "dev", port, "parent", "1:", "classid", "1:10", "htb", "rate", rate,
                   "ceil", rate, "burst", burst, "cburst", burst, "quantum", "200000"]):
        checked(side, ["tc", "-n", host] + words)


def bridge(world, letter="b", is_shaped=True):
    """A namespace that plays the host, with a bridge, and HTB towards each container; segments stay whole (TSO)."""
    host = world.netns(letter + "r")
    lab().ip("link", "add", "br0", "type", "bridge", netns=host)
    lab().ip("link", "set", "br0", "up", netns=host)
    pair = Pair(world, veths(world, letter, host))
    for side in ADDRESSES:
        lab().ip("link", "set", f"v{side}", "master", "br0", netns=host)
        if is_shaped:
            htb("bridge", host, f"v{side}")
    pair.host = host
    return pair


def containers_cpus():
    """A packet thread of DPDK wants its processor for itself: the containers have the others."""
    return f"0-{LAST_CPU - 1}" if LAST_CPU > 0 else None


def ovs_af_xdp(world, letter="x", name="ovs_af_xdp"):
    """veth ports by net_af_xdp, which knows no checksums to be completed and no segments; an empty poll is no system
    call (busy_budget=0)."""
    host = world.netns(letter + "o")
    netns = veths(world, letter, host, offloads=False)
    ports = {f"p{side}": ["type=dpdk", f"options:dpdk-devargs=net_af_xdp{i},iface=v{side},busy_budget=0"]
             for i, side in enumerate(ADDRESSES)}
    ovs = Ovs(world, ports, netns=host, name=name)
    pair = Pair(world, netns, ovs.switch, containers_cpus())
    pair.ovs = ovs
    return pair


def copier(world):
    """The floor: TAPs and a loop that reads from one and writes to the other."""
    netns = [world.netns("c" + side) for side in ADDRESSES]
    taps = [world.name("c" + side) for side in ADDRESSES]
    program = os.path.join(os.environ["HEADGATE_BUILD"], "bench/bench_copier")
    process = world.start([program, netns[0], taps[0], netns[1], taps[1]], nice=sys.modules["lab.daemon"].NICE,
                          stdout=subprocess.DEVNULL)
    for (side, address), where in zip(ADDRESSES.items(), netns):
        world.address(where, world.name("c" + side), f"{address}/24")
    return Pair(world, netns, process)


def ovs_tap(world):
    """TAP ports of OVS itself, with user space TSO: segments stay whole. They are polled by its main thread."""
    host = world.netns("to")
    ovs = Ovs(world, {f"v{side}": ["type=tap"] for side in ADDRESSES}, ("userspace-tso-enable=true",), host, LAST_CPU,
              "ovs_tap")
    return moved(world, ovs, host, "t")


def moved(world, ovs, host, letter):
    """The interfaces va and vb of a switch, each moved into a container."""
    netns = []
    for side, address in ADDRESSES.items():
        netns.append(world.netns(letter + side))
        lab().until(lambda: lab().ip("-o", "link", "show", "dev", f"v{side}", netns=host, check=False), 10,
                    f"v{side} of {ovs.name}")
        lab().ip("link", "set", f"v{side}", "netns", netns[-1], netns=host)
        world.address(netns[-1], f"v{side}", f"{address}/24")
    return Pair(world, netns, ovs.switch, containers_cpus())
