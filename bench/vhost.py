"""Frames between two vhost-user ports, one processor for the switch: headgate, testpmd, OVS with DPDK.

The machines are virtio-user devices of a program of ours on the first processor (vhost.c), which listens on both
sockets; the switch connects, and works on the last processor:
    headgate  two instances of one tenant, maxima for sending and receiving of both and of the tenant in force
    testpmd   vhost devices, io forwarding: what comes in goes out, nothing is looked at
    ovs       dpdkvhostuserclient ports, a flow from each to the other, an egress policer on both
Limits are above what the machine can do, so that they cost and do not limit. For each mix of sizes and each round the
three are started, measured and ended in turn (turns.py); each round begins with the next of them. over_testpmd and
over_ovs are medians over undisturbed rounds of what arrived through headgate by what arrived through the other. A run
in which the machines hardly waited for the switch measured the machines, and one in which headgate dropped frames for a
reason other than a full ring measured that reason: both count as disturbed.
"""
import collections
import os
import re
import shlex
import shutil
import subprocess
import sys

import harness
import turns

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

MIXES = {"small": "64", "mixed": "mixed"}
SWITCHES = ("headgate", "testpmd", "ovs")
LOAD_CPU = 0
# In pages of 2 MiB: the machines 256 MiB, a switch up to 768 MiB.
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"
HUGE_PAGES_LEAST = 640
# The part of the time in which the machines wait for the switch, or it is they who are measured.
WAITING_LEAST_PERCENT = 2
# Of headgate's drops, those of a switch that is faster than the machine that receives, and of one that comes or goes.
EXPECTED_DROPS = ("ring_full", "port_down")
# Bytes a second and bytes: no machine here reaches them.
POLICER = "egress-policer", "cir=12500000000", "cbs=100000000"

CONFIG = """\
uplinks:
  - {{name: up0, device: "dummy:up0", capacity: 100Gbit}}
tenants:
  - name: t
    contract: {{out: {{max: 100Gbit, burst: 64MiB}}, in: {{max: 100Gbit, burst: 64MiB}}}}
    instances:
      - name: a
        contract: {{out: {{max: 100Gbit, burst: 64MiB}}, in: {{max: 100Gbit, burst: 64MiB}}}}
        ports: [{{name: a, device: "vhost(queues=1):{a}", mac: "02:00:00:00:00:01"}}]
      - name: b
        contract: {{out: {{max: 100Gbit, burst: 64MiB}}, in: {{max: 100Gbit, burst: 64MiB}}}}
        ports: [{{name: b, device: "vhost(queues=1):{b}", mac: "02:00:00:00:00:02"}}]
"""

# Of bench/run all, and of --quick.
ALL = ["--rounds", "5", "--ms", "1000"]
QUICK = ["--rounds", "1", "--ms", "500"]


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="of all three in turn (default 7)")
    parser.add_argument("--ms", type=int, default=1500, metavar="MS",
                        help="for which each is measured in each round (default 1500)")


class Place:
    """Where one run of one switch lives."""

    n_made = 0

    def __init__(self, world, side, is_told):
        Place.n_made += 1
        self.world, self.side, self.is_told = world, side, is_told
        self.folder = world.path(f"run{Place.n_made}")
        os.mkdir(self.folder)
        self.a, self.b = self.path("a.sock"), self.path("b.sock")

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, words):
        self.say("$ " + shlex.join(words))
        return words

    def say(self, text):
        """For the report, once of each side."""
        if self.is_told:
            harness.say(self.side, text.replace(self.folder, "FOLDER"))

    def start(self, words, **more):
        """In front of what else runs on the machine, its output in a log."""
        log = open(self.path(os.path.basename(words[0]) + ".log"), "w", encoding="utf-8")  # pylint: disable=consider-using-with
        return self.world.start(self.command(words), stdout=log, stderr=subprocess.STDOUT, **more)


def last_cpu():
    return (os.cpu_count() or 1) - 1


class Headgate:
    def __init__(self, place):
        from lab.daemon import Daemon
        config = place.path("config.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(a=place.a, b=place.b))
        self.daemon = Daemon(place.world, name=os.path.basename(place.folder))
        place.command(self.daemon.command(config))
        place.say(CONFIG.format(a="A", b="B"))
        self.daemon.start(config)

    def processes(self):
        return [self.daemon.process]

    def unexpected_drops(self):
        """In words; empty: none."""
        drops = collections.Counter()
        for line in self.daemon.get("/metrics").splitlines():
            found = re.fullmatch(r'headgate_\w*dropped_packets_total{.*reason="(\w+)".*} (\d+)', line)
            if found and found[1] not in EXPECTED_DROPS:
                drops[found[1]] += int(found[2])
        return ", ".join(f"{reason} {n}" for reason, n in drops.items() if n > 0)


class Testpmd:
    def __init__(self, place):
        devices = [f"--vdev=net_vhost{i},iface={socket},client=1,queues=1"
                   for i, socket in enumerate((place.a, place.b))]
        self.process = place.start(
            ["dpdk-testpmd", "-l", f"{LOAD_CPU},{last_cpu()}", "--in-memory", "--no-pci", "--no-telemetry", "-m", "512",
             "--file-prefix=" + os.path.basename(place.folder), *devices, "--", "--forward-mode=io", "--nb-cores=1",
             "--auto-start", "--total-num-mbufs=65536", "--stats-period=3600"])

    def processes(self):
        return [self.process]


class Ovs:
    """Its own database, sockets and folders; nothing of the system's is touched."""

    PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

    def __init__(self, place):
        self.place = place
        self.environment = dict(os.environ, OVS_RUNDIR=place.folder, OVS_LOGDIR=place.folder,
                                OVS_DBDIR=place.folder)
        database, socket = place.path("conf.db"), place.path("db.sock")
        self.run("ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
        self.database = place.start(["ovsdb-server", database, f"--remote=punix:{socket}",
                                     "--unixctl=" + place.path("db.ctl")], env=self.environment)
        self.socket = f"unix:{socket}"
        sys.modules["lab.world"].until(lambda: os.path.exists(socket), 10, "ovsdb-server")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:dpdk-lcore-mask={1 << LOAD_CPU:#x}", f"other_config:pmd-cpu-mask={1 << last_cpu():#x}",
                   "other_config:dpdk-socket-mem=512",
                   "other_config:dpdk-extra=--in-memory --no-pci --no-telemetry")
        self.switch = place.start([self.PROGRAM, self.socket,
                                   "--unixctl=" + place.path("switch.ctl")], env=self.environment)
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for name, path in ("a", place.a), ("b", place.b):
            self.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdkvhostuserclient",
                       f"options:vhost-server-path={path}")
        self.run("ovs-ofctl", "del-flows", "br0")
        for a, b in ("a", "b"), ("b", "a"):
            self.run("ovs-ofctl", "add-flow", "br0", f"in_port={a},actions=output:{b}")
            self.vsctl("set", "port", b, "qos=@q", "--", "--id=@q", "create", "qos", f"type={POLICER[0]}",
                       *(f"other-config:{word}" for word in POLICER[1:]))

    def run(self, *words):
        done = subprocess.run(self.place.command(list(words)), env=self.environment, capture_output=True, text=True,
                              check=False, timeout=30)
        if done.returncode != 0:
            raise harness.Failure(f"{shlex.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def vsctl(self, *words):
        self.run("ovs-vsctl", f"--db={self.socket}", "--timeout=20", *words)

    def processes(self):
        return [self.switch, self.database]


KINDS = {"headgate": Headgate, "testpmd": Testpmd, "ovs": Ovs}


def prefer(pid, cpu, policy=os.SCHED_FIFO, priority=1):
    """What is tied to the processor goes before whatever else the machine does there: the machines as the switch."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            if os.sched_getaffinity(int(task)) == {cpu}:
                os.sched_setscheduler(int(task), policy, os.sched_param(priority))
        except OSError:
            pass  # it has ended


def check(kind, switch, found):
    """Raises Disturbed if something else was measured than the switch."""
    if not found.get("pkts_per_s"):
        raise turns.Disturbed(f"nothing came through {kind}")
    if found["waiting_percent"] < WAITING_LEAST_PERCENT:
        raise turns.Disturbed(f"the machines were the limit of {kind}")
    drops = switch.unexpected_drops() if isinstance(switch, Headgate) else ""
    if drops:
        raise turns.Disturbed(f"headgate dropped frames: {drops}")


def measure_one(world, build, kind, mix, options, is_told):
    place = Place(world, kind, is_told)
    load = [os.path.join(build, "bench/bench_vhost"), place.a, place.b, mix, "300", str(options.ms)]
    found = {}
    machines = world.start(place.command(load), stdout=subprocess.PIPE, text=True)
    switch = KINDS[kind](place)
    for line in machines.stdout:
        words = line.split()
        if words == ["ready"]:
            # From here on they only poll.
            prefer(machines.pid, LOAD_CPU)
            for process in switch.processes():
                prefer(process.pid, last_cpu())
        if len(words) == 3 and words[0] == "figure":
            found[words[1]] = float(words[2])
    machines.stdout.close()
    code = machines.wait()
    try:
        if code != 0:
            raise harness.Failure(f"{mix} through {kind}: {shlex.join(load)} ended with {code}")
        check(kind, switch, found)
    finally:
        for process in switch.processes():
            world.end(process)
    return found


def with_huge_pages(action):
    """There are enough of them meanwhile, and afterwards what there was."""
    before = int(harness.read(HUGE_PAGES, "0"))
    missing = HUGE_PAGES_LEAST - int(harness.field("/proc/meminfo", "HugePages_Free").split()[0])
    try:
        if missing > 0:
            with open(HUGE_PAGES, "w", encoding="ascii") as pages:
                pages.write(str(before + missing))
        return action()
    finally:
        if missing > 0:
            with open(HUGE_PAGES, "w", encoding="ascii") as pages:
                pages.write(str(before))


def run(bench, options, world, build):
    figures, spread, told = {}, {}, set()
    bench.n_turns = len(MIXES)

    def slice_of(kind, mix):
        is_told = kind not in told
        told.add(kind)
        return measure_one(world, build, kind, mix, options, is_told)

    for mix, title in MIXES.items():
        bench.progress(f"frames of {title} bytes" if title.isdigit() else "frames of 64, 594 and 1518 bytes")
        measured = turns.Turns(bench, {kind: lambda kind=kind: slice_of(kind, mix) for kind in SWITCHES},
                               options.rounds).run()
        for rival in SWITCHES[1:]:
            name = f"over_{rival}_{title}"
            figures[name], spread[name] = measured.ratio("headgate", rival, "pkts_per_s")
        for kind in SWITCHES:
            for what in "pkts_per_s", "bytes_per_s", "waiting_percent":
                name = f"{kind}_{title}_{what}"
                figures[name], spread[name] = measured.median(kind, what), measured.spread(kind, what)
    for rival in SWITCHES[1:]:
        worst = min((f"over_{rival}_{title}" for title in MIXES.values()), key=figures.get)
        figures[f"over_{rival}"], spread[f"over_{rival}"] = figures[worst], spread[worst]
    return figures, spread


def measure(bench, options):
    for program in "dpdk-testpmd", Ovs.PROGRAM:
        if shutil.which(program) is None:
            raise harness.Failure(f"{program} is not installed: tools/setup.sh bench")
    build = bench.build("apps/headgated", "bench/bench_vhost")
    os.environ["HEADGATE_BUILD"] = build
    if (os.cpu_count() or 1) < 2:
        raise harness.Failure("needs two processors: one for the switch, one for the machines")
    import lab.world
    try:
        with lab.world.World() as world:
            return with_huge_pages(lambda: run(bench, options, world, build))
    except lab.world.LabError as error:
        raise harness.Failure(str(error)) from error
