"""The part of `isolation` in real time: kernels' TCP on both sides of a link of 1 Gbit/s.

One light instance asks small questions one after another; eight heavy ones send as fast as TCP can. Rows, in
turn in each round:
    idle      headgate on the modelled card, the light one alone
    plain     the card's own queue of 4,096 descriptors: headgate only observes
    htb       Linux HTB with two classes in front of the same card, its rate a little under the card's
    htb_cut   the same, no segment larger than what occupies the link for 100 us, and more of the link given up
    htb_only  HTB alone on a veth: its token bucket is the link, and no wire stands behind it
    headgate  contracts and in-flight control on that card, segments cut at 25 us
    headgate_100us  the same, cut at 100 us, as it comes
With HTB all senders are processes of one namespace with one interface, so that a packet crosses no more than
with headgate: TCP, HTB, TAP, card, TAP, TCP. Each row has the same eleven processes, on the first processor; the
worker of headgated, which is the card in all rows but htb_only, has the last.
"""
import os
import re
import subprocess
import sys
import time

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

LINK_BIT_PER_S = 1_000_000_000
N_HEAVY = 8
# A full frame on the wire, as HTB counts it, and what TCP carries in it.
WIRE_BYTES, FRAME_BYTES, PAYLOAD_BYTES = 1538, 1514, 1448
# A question on the wire: 64 bytes and hgload's header of 16 in TCP, IP, Ethernet and what the wire adds.
QUESTION_BYTES = 64 + 16 + 32 + 20 + 14 + 24
# Between an answer and the next question: without it the light one alone would use up a processor where it is
# answered at once, and its demand would not be the same in all rows.
PAUSE_US = 100
OUTSIDE, LIGHT_PORT, HEAVY_PORT = "10.79.0.1", 5301, 5302
SETTLE_S = 1.5  # TCP finds its rate, and headgate its depth
# Of a second, on one processor; above, it says more about the machine than about a queue. Another is measured in its
# place then, up to so many times as many; whether it is, depends on the machine alone and not on what was found.
STOLEN_MAX = 0.01
ATTEMPTS = 4
ROWS = ("idle", "plain", "htb", "htb_cut", "htb_only", "headgate", "headgate_100us")
CARD = "simnic(rate=1Gbit,ring=4096)"
LOADS_CPU = 0
# HTB's part of the card's rate, and its largest segments: the kernel's own, and pieces of 8 packets. What a stall
# left in the card goes away at the rate of the margin: with pieces the light one's p50 was 2.8 ms at 99.5 % and
# 0.1 ms at 98 %, its p99 0.5 ms to 1 ms at 98 % and 0.2 ms to 0.6 ms at 96 %; 93 %, 90 % and smaller pieces gained
# nothing.
HTB = {"htb": (0.98, 65536), "htb_cut": (0.96, 12000)}
# Two pieces are in the card on a busy link.
CUTS = {"headgate": "25us", "headgate_100us": "100us"}

INSTANCE = """\
      - name: {name}
        contract: {contract}
        ports: [{{name: {name}, device: "tap:{prefix}{name}", netns: {prefix}n{name}}}]
"""
CONFIG = """\
mode: {mode}
uplinks:
  - {{name: up0, device: "{card}+tap:{prefix}{leg}up", netns: {prefix}{leg}o, capacity: 1Gbit, cut: {cut}}}
tenants:
  - name: light
    contract: {{out: {{min: 100Mbit}}}}
    instances:
{light}  - name: heavy
    contract: {{out: {{min: 100Mbit}}}}
    instances:
{heavy}"""
BEHIND_HTB = """\
mode: observe
uplinks:
  - {{name: up0, device: "{card}+tap:{prefix}{leg}up", netns: {prefix}{leg}o, capacity: 1Gbit}}
tenants:
  - name: all
    instances:
      - {{name: all, ports: [{{name: all, device: "tap:{prefix}all", netns: {prefix}{leg}s}}]}}
"""


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="in real time, of all rows in turn; 0: virtual time alone (default 5)")
    parser.add_argument("--round-seconds", type=int, default=3, metavar="N",
                        help="that each row of a round has, undisturbed ones (default 3)")


def htb(netns, device, frame_bit_per_s):
    """Two classes on a device; returns the commands. HTB counts frames, of a segment those of all its packets.
    The light class has more than it uses, so that it never borrows, and goes first where it would; bursts are
    small, for what passes at once stands in the card."""
    rate, light, heavy = (f"{round(frame_bit_per_s * part)}bit" for part in (1, 0.1, 0.9))
    add = lambda what, *words: [what, "add", "dev", device, *words]
    klass = lambda parent, name, own, *words: add("class", "parent", parent, "classid", name, "htb", "rate", own,
                                                  "ceil", rate, "burst", "1600", "cburst", "1600", *words)
    commands = [
        add("qdisc", "root", "handle", "1:", "htb", "default", "20"),
        klass("1:", "1:1", rate, "quantum", "66000"),
        klass("1:1", "1:10", light, "prio", "0", "quantum", "3028"),
        klass("1:1", "1:20", heavy, "prio", "1", "quantum", "66000"),
        add("qdisc", "parent", "1:10", "handle", "10:", "pfifo", "limit", "1000"),
        add("qdisc", "parent", "1:20", "handle", "20:", "bfifo", "limit", "1500000"),
        add("filter", "parent", "1:", "protocol", "ip", "prio", "1", "u32", "match", "ip", "dport",
            str(LIGHT_PORT), "0xffff", "flowid", "1:10"),
    ]
    for words in commands:
        done = subprocess.run(["tc", "-n", netns] + words, capture_output=True, text=True, check=False)
        if done.returncode != 0 or "warning" in done.stderr.lower():
            raise harness.Failure(f"tc {' '.join(words)}: {done.stderr.strip()}")
    return commands


def receive_on_loads_cpu(netns, device):
    """What the kernel does with a packet that came through a TAP is its receiver's work, not the worker's."""
    path = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
    subprocess.run(["ip", "netns", "exec", netns, "sh", "-c", f"echo {1 << LOADS_CPU:x} >{path}"], check=True)


def go_first(load):
    """The light one's processes never wait for a processor that the heavy ones' have: the wait is the link's."""
    os.sched_setscheduler(load.process.pid, os.SCHED_FIFO, os.sched_param(1))


class Leg:
    """Senders, what is between, and the outside."""

    def __init__(self, world, outside, light, heavy, daemon=None):
        """outside, light: namespaces; heavy: those of the heavy senders."""
        self.world, self.outside, self.light, self.heavy, self.daemon = world, outside, light, heavy, daemon
        self.load(outside, "serve", HEAVY_PORT, "--seconds", 86400).wait_listening()
        go_first(self.load(outside, "serve", LIGHT_PORT, "--seconds", 86400).wait_listening())

    def load(self, netns, mode, port, *options):
        from lab.daemon import NICE
        from lab.load import Load
        from lab.world import prefer_session
        load = Load(self.world, netns, mode, f"{OUTSIDE}:{port}", *options)
        os.sched_setaffinity(load.process.pid, {LOADS_CPU})
        # As headgated, and before whatever else the machine does.
        prefer_session(load.process.pid, NICE)
        return load

    def received_bytes(self):
        """Payload that the outside has had from the heavy ones, on the connections that there are."""
        listing = subprocess.run(["ip", "netns", "exec", self.outside, "ss", "-Htino", "state", "established",
                                  "sport", "=", f":{HEAVY_PORT}"], capture_output=True, text=True, check=True)
        return sum(int(number) for number in re.findall(r"bytes_received:(\d+)", listing.stdout))

    def kept_waiting_s(self):
        return self.daemon.kept_waiting_s() if self.daemon else 0.0

    def _now(self):
        return {"stolen_ms": harness.stolen_ms(), "waited_s": self.kept_waiting_s(), "bytes": self.received_bytes(),
                "s": time.monotonic()}

    def measure(self, seconds, has_heavy=True):
        """The light one's round trips and the link's use, of each of so many seconds in which nobody took the
        processor away; of fewer, if there are not as many in ATTEMPTS times that. And the seconds thrown away."""
        from lab.world import until
        heavy = [self.load(netns, "flood", HEAVY_PORT, "--seconds", 86400, "--congestion", harness.CONGESTION)
                 for netns in (self.heavy if has_heavy else [])]
        time.sleep(SETTLE_S)
        light = self.load(self.light, "rr", LIGHT_PORT, "--seconds", 86400, "--pause-us", PAUSE_US)
        go_first(light)
        kept, thrown, before = [], [], self._now()
        while len(kept) < seconds and len(kept) + len(thrown) < ATTEMPTS * seconds:
            n_before = len(kept) + len(thrown)
            until(lambda: light.check() or len(light.seconds) > n_before, 20, "a second of round trips")
            now = self._now()
            second = self._second(light.seconds[n_before], before, now)
            (thrown if second["stolen"] > STOLEN_MAX else kept).append(second)
            before = now
        for load in [light] + heavy:
            load.finish()
        return kept, thrown

    @staticmethod
    def _second(light, before, now):
        for_s = now["s"] - before["s"]
        wire = (now["bytes"] - before["bytes"]) / PAYLOAD_BYTES * WIRE_BYTES + light["count"] * QUESTION_BYTES
        return {**{name: light[name] for name in ("p50_us", "p99_us", "p999_us")},
                "link_use_percent": 100 * wire * 8 / (LINK_BIT_PER_S * for_s),
                "stolen": (now["stolen_ms"] - before["stolen_ms"]) / 1e3 / for_s,
                "waited": (now["waited_s"] - before["waited_s"]) / for_s}


def write(world, name, text):
    path = world.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Headgate:
    """Nine namespaces with a TAP each, and the configurations of the rows."""

    def __init__(self, world):
        from lab.daemon import Daemon
        names = ["l"] + [f"h{i}" for i in range(N_HEAVY)]
        outside = world.netns("go")
        senders = [world.netns("n" + name) for name in names]
        made = [INSTANCE.format(prefix=world.prefix, name=name,
                                contract="{priority: high, out: {min: 100Mbit}}" if name == "l" else "{}")
                for name in names]
        self.configs = {cut: write(world, f"{mode}-{cut}.yaml", CONFIG.format(
            mode=mode, prefix=world.prefix, leg="g", card=CARD, cut=cut, light=made[0], heavy="".join(made[1:])))
            for mode, cut in [("enforce", cut) for cut in CUTS.values()] + [("observe", "never")]}
        self.daemon = Daemon(world).start(self.configs["100us"])
        world.address(outside, world.name("gup"), f"{OUTSIDE}/24")
        receive_on_loads_cpu(outside, world.name("gup"))
        for i, (name, netns) in enumerate(zip(names, senders)):
            world.address(netns, world.name(name), f"10.79.0.{11 + i}/24")
            receive_on_loads_cpu(netns, world.name(name))
        self.daemon.links_up()
        self.leg = Leg(world, outside, senders[0], senders[1:], self.daemon)

    def measure(self, cut, seconds, has_heavy=True):
        """cut: never is the plain queue."""
        self.daemon.apply(self.configs[cut])
        return self.leg.measure(seconds, has_heavy)


class OnCard:
    """HTB on a TAP whose other end is the card; headgate only observes."""

    def __init__(self, world, bench):
        from lab.daemon import Daemon
        outside, senders = world.netns("co"), world.netns("cs")
        self.device = world.name("all")
        daemon = Daemon(world, "card").start(
            write(world, "card.yaml", BEHIND_HTB.format(prefix=world.prefix, leg="c", card=CARD)))
        world.address(outside, world.name("cup"), f"{OUTSIDE}/24")
        world.address(senders, self.device, "10.79.0.2/24")
        receive_on_loads_cpu(outside, world.name("cup"))
        receive_on_loads_cpu(senders, self.device)
        daemon.links_up()
        self.bench, self.is_shown = bench, set()
        self.leg = Leg(world, outside, senders, [senders] * N_HEAVY, daemon)

    def measure(self, row, seconds):
        part, segment_bytes = HTB[row]
        netns = self.leg.light
        sys.modules["lab.world"].ip("link", "set", self.device, "gso_max_size", str(segment_bytes), netns=netns)
        subprocess.run(["tc", "-n", netns, "qdisc", "del", "dev", self.device, "root"], capture_output=True,
                       check=False)
        commands = htb(netns, self.device, LINK_BIT_PER_S * part * FRAME_BYTES / WIRE_BYTES)
        if row not in self.is_shown:
            self.is_shown.add(row)
            self.bench.progress(f"{row}: ip link set DEVICE gso_max_size {segment_bytes}")
            for words in commands:
                self.bench.progress(f"{row}: tc " + " ".join(words).replace(self.device, "DEVICE"))
        return self.leg.measure(seconds)


def htb_alone(world):
    lab = sys.modules["lab.world"]
    outside, senders = world.netns("vo"), world.netns("vs")
    lab.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", outside, netns=senders)
    world.address(outside, "eth0", f"{OUTSIDE}/24")
    world.address(senders, "eth0", "10.79.0.2/24")
    htb(senders, "eth0", LINK_BIT_PER_S * FRAME_BYTES / WIRE_BYTES)
    return Leg(world, outside, senders, [senders] * N_HEAVY)


def in_the_middle(seconds):
    """Of several seconds, what the middle one has of each figure."""
    return {name: harness.median([second[name] for second in seconds]) for name in seconds[0]}


def patiently(bench, way):
    """What a row has, from a time in which nobody steals if that is not too long in coming."""
    kept, thrown = way()
    while not kept and bench.wait_for_quiet():
        kept, more = way()
        thrown += more
    if kept and thrown:
        bench.wait_for_quiet()  # for the row behind it
    return kept, thrown


def tell(bench, title, name, row, n_kept, n_thrown):
    bench.progress(f"{title}: {name:14} round trip {row['p50_us']:8.1f} {row['p99_us']:8.1f} "
                   f"{row['p999_us']:8.1f} us, link {row['link_use_percent']:5.1f} %, "
                   f"stolen {100 * row['stolen']:.1f} %, worker kept waiting {100 * row['waited']:.1f} %, "
                   f"{n_kept} s kept, {n_thrown} s thrown away")


def rounds(bench, options, world):
    """What was found in each round, {row: figures} without rows in which too much was stolen, of as many rounds as were
    asked for or as there was time for; and how many seconds were thrown away."""
    headgate, card, alone = Headgate(world), OnCard(world, bench), htb_alone(world)
    seconds = options.round_seconds
    ways = {"idle": lambda: headgate.measure("100us", seconds, has_heavy=False),
            "plain": lambda: headgate.measure("never", seconds),
            "htb": lambda: card.measure("htb", seconds), "htb_cut": lambda: card.measure("htb_cut", seconds),
            "htb_only": lambda: alone.measure(seconds),
            "headgate": lambda: headgate.measure(CUTS["headgate"], seconds),
            "headgate_100us": lambda: headgate.measure(CUTS["headgate_100us"], seconds)}
    found, n_thrown = [], 0
    for i in range(options.rounds):
        found.append({})
        for name in ROWS:
            kept, thrown = patiently(bench, ways[name])
            n_thrown += len(thrown)
            tell(bench, f"round {i + 1} of {options.rounds}" if kept else "stolen from throughout", name,
                 in_the_middle(kept or thrown), len(kept), len(thrown))
            if kept:
                found[-1][name] = in_the_middle(kept)
        if not bench.has_time():
            break
    return found, n_thrown


def figures_of(found, n_thrown):
    """A figure is of the rounds that have all the rows it is made of."""
    figures, spread = {"real_rounds": len(found), "real_seconds_thrown_away": n_thrown}, {}

    def add(name, rows, value):
        values = [value(each) for each in found if all(row in each for row in rows)]
        if values:
            figures[name], spread[name] = harness.median(values), [min(values), max(values)]

    def p99(*rows):
        """The best of the rows."""
        return lambda each: min(each[row]["p99_us"] for row in rows)

    def ratio(name, of, by):
        add(name, of + by, lambda each: p99(*of)(each) / p99(*by)(each))

    ratio("real_p99_over_htb", ["headgate"], list(HTB))
    ratio("real_100us_p99_over_htb", ["headgate_100us"], list(HTB))
    ratio("real_p99_over_htb_only", ["headgate"], ["htb_only"])
    ratio("real_p99_gain", ["plain"], ["headgate"])
    for row in ROWS:
        for name in ("p50_us", "p99_us", "p999_us", "link_use_percent"):
            add(f"real_{row}_{name}", [row], lambda each, row=row, name=name: each[row][name])
    if "real_p99_over_htb" not in figures:
        raise harness.Failure("the machine underneath takes too much processor time away")
    return figures, spread


def real(bench, options):
    """(figures, spread)"""
    build = bench.build("apps/headgated", "apps/headgate", "tools/load/hgload")
    os.environ["HEADGATE_BUILD"] = build
    import lab.world
    try:
        with lab.world.World() as world:
            return figures_of(*rounds(bench, options, world))
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
