"""Round trips between two machines on vhost ports that ask and answer, and think in between: headgate against OVS.

The machines are guests of the tests' own on the first processor (trips.c), before what else runs there; the switch has the
last one, with the niceness that it has always. OVS polls that processor all the time and sleeps never, headgate is to cost nothing where nothing
happens; what this costs a round trip, and what is given for it, is measured here, without an emulator in between. "block":
who waits sleeps until it is called; "poll": it looks. The number: for how many microseconds a machine thinks before
it sends, each time, in which the switch has nothing to do; it is not counted.
HOW_THINK_over_ovs: OVS's median round trip by headgate's, more is better; SIDE_HOW_THINK_p50_us, ..._p99_us, ..._cpu_percent:
of the last processor, while it is measured; ..._kicks_per_trip, ..._calls_per_trip. With --beside BUILD the headgated of
another build takes its turn, too, and HOW_THINK_over_beside is the ratio to that.
"""
import glob
import os
import signal
import sys
import time

import harness
import turns
from ovs import PAGES, HugePages, Ovs, vhost_client
from vhost import CONFIG

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

IN_ALL = False
ALL, QUICK = [], None
N_HUGE_PAGES = PAGES + 256
LOAD_CPU = 0


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=15, metavar="N", help="of each kind in turn (default 15)")
    parser.add_argument("--ms", type=int, default=150, metavar="MS", help="of a slice (default 150)")
    parser.add_argument("--think-us", type=int, nargs="*", default=[0, 50, 200, 500], metavar="US",
                        help="how long the machines think (default 0 50 200 500)")
    parser.add_argument("--how", nargs="*", choices=["block", "poll"], default=["block", "poll"], metavar="HOW")
    parser.add_argument("--sides", nargs="*", choices=["headgate", "ovs"], default=["headgate", "ovs"], metavar="SIDE")
    parser.add_argument("--beside", metavar="BUILD", help="another build's headgated")


def headgate(program=None):
    def start(world, name, paths):
        from lab.daemon import Daemon
        config = world.path(name + ".yaml")
        text = CONFIG.format(a=paths[0], b=paths[1])
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        harness.say(name, CONFIG.format(a="A", b="B"))
        daemon = Daemon(world, name)
        daemon.program = program or daemon.program
        return daemon.start(config).process
    return start


def ovs(world, name, paths):
    return Ovs(world, {side: vhost_client(path) for side, path in zip("ab", paths)}, name=name).switch


class Leg:
    """Two machines and the switch between them, all of which stand still when they are not measured."""

    def __init__(self, world, build, name, start):
        paths = [world.path(f"{name}-{side}.sock") for side in "ab"]
        self.machines = harness.Program([os.path.join(build, "bench/bench_trips")] + paths, processor=LOAD_CPU)
        self.switch = start(world, name, paths)
        self.machines.tell("up")
        self.switch.send_signal(signal.SIGSTOP)

    def processor_ns(self):
        return sum(int(harness.read(path, "0").split()[0])
                   for path in glob.glob(f"/proc/{self.switch.pid}/task/*/schedstat"))

    def measure(self, how, think_us, ms):
        self.switch.send_signal(signal.SIGCONT)
        self.machines.tell(how, think_us, 10)
        before_ns, began = self.processor_ns(), time.monotonic()
        found = self.machines.figures(how, think_us, ms)
        spent_ns, seconds = self.processor_ns() - before_ns, time.monotonic() - began
        self.switch.send_signal(signal.SIGSTOP)
        return {"p50_us": found["p50_us"], "p99_us": found["p99_us"], "worst_us": found["worst_us"], "cpu_percent": spent_ns / seconds / 1e7,
                "kicks_per_trip": found["kicks"] / found["trips"], "calls_per_trip": found["calls"] / found["trips"]}


def run(bench, options, world, build):
    sides = {"headgate": headgate(), "ovs": ovs}
    sides = {side: sides[side] for side in options.sides}
    if options.beside:
        sides["beside"] = headgate(os.path.join(options.beside, "apps/headgated"))
    legs = {side: Leg(world, build, side, start) for side, start in sides.items()}
    figures, spread = {}, {}
    for how in options.how:
        for think_us in options.think_us:
            measured = turns.Turns(bench, {side: lambda leg=leg: leg.measure(how, think_us, options.ms)
                                           for side, leg in legs.items()}, options.pairs).run()
            for side in legs:
                for what in "p50_us", "p99_us", "cpu_percent", "kicks_per_trip", "calls_per_trip":
                    name = f"{side}_{how}_{think_us}_{what}"
                    figures[name], spread[name] = measured.of_side(side, what)
            for rival in set(legs) - {"headgate"}:
                for what, word in ("p50_us", ""), ("p99_us", "p99_"):
                    name = f"{how}_{think_us}_{word}over_{rival}"
                    figures[name], spread[name] = measured.ratio(rival, "headgate", what)
    for leg in legs.values():
        leg.machines.__exit__()
    return figures, spread


def measure(bench, options):
    build = bench.build("apps/headgated", "bench/bench_trips")
    os.environ["HEADGATE_BUILD"] = build
    if (os.cpu_count() or 1) < 2:
        raise harness.Failure("needs two processors: one for the switch, one for the machines")
    import lab.world
    try:
        with HugePages(N_HUGE_PAGES), lab.world.World() as world:
            return run(bench, options, world, build)
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
