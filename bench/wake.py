"""An idle instance wakes while all others flood: its first packet, its full guarantee; processor use of an idle host.

Real time, the whole packet lane and a modelled card of 1 Gbit/s that 15, 255 and 2,047 others fill with frames of 1,514
bytes; the one that wakes has a guarantee of 300 Mbit/s and rests for 20 ms in between. first_N_p50_us, first_N_p99_us:
from the frame's being given to its port to its arrival behind the card (12 us of which it is on the wire, and up to 12
us the frame before it is); full_N_p99_us: to the begin of the first millisecond in which it gets its guarantee. N: how
many others there are; 0: none, so that the worker sleeps, too. idle_host_percent: of one processor, headgated with 64 TAP ports and no traffic.
"""
import os
import sys
import time

import harness
from turns import Disturbed, Turns

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

ALL = ["--pairs", "5"]
QUICK = ["--pairs", "1", "--wakes", "30", "--idle-seconds", "2"]
BUDGET_S = (60, 16)

OTHERS = (0, 15, 255, 2047)
N_PORTS = 64

CONFIG = """\
uplinks:
  - {{name: up0, device: "simnic(rate=1Gbit,ring=1024)+tap:{prefix}up", netns: {prefix}idle, capacity: 1Gbit}}
tenants:
  - name: t
    instances:
"""
INSTANCE = """\
      - name: i{i}
        contract: {{out: {{min: 1Mbit, max: 1Gbit}}}}
        ports: [{{name: i{i}, device: "tap:{prefix}{i}", netns: {prefix}idle}}]
"""


def add_options(parser):
    parser.add_argument("--pairs", type=int, default=7, metavar="N", help="of all in turn (default 7)")
    parser.add_argument("--wakes", type=int, default=50, metavar="N", help="of each in each pair (default 50)")
    parser.add_argument("--idle-seconds", type=int, default=10, metavar="N",
                        help="for which an idle headgated is watched (default 10)")


def quantile(values, part):
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


def slice_of(bench, program, n_others, options):
    def measure():
        found = bench.figures_of([program, str(n_others), str(options.wakes)])
        if found["done"] < options.wakes:
            raise Disturbed("the worker had no processor")
        figures = {}
        for kind in "first", "full":
            values = [value for name, value in found.items() if name.startswith(kind + "_")]
            figures[f"{kind}_p50_us"], figures[f"{kind}_p99_us"] = harness.median(values), quantile(values, 0.99)
        figures["disturbed_wakes"] = found["disturbed"]
        return figures
    return measure


def idle_host(options):
    """Percent of one processor that headgated takes with nothing to do."""
    import lab.world
    from lab.daemon import Daemon
    with lab.world.World() as world:
        world.netns("idle")
        config = world.path("idle.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write((CONFIG + "".join(INSTANCE.replace("{i}", str(i)) for i in range(N_PORTS)))
                       .format(prefix=world.prefix))
        daemon = Daemon(world).start(config)
        daemon.links_up(30)
        time.sleep(2)  # what new interfaces say to each other
        before, began = ticks(daemon.process.pid), time.monotonic()
        time.sleep(options.idle_seconds)
        spent = (ticks(daemon.process.pid) - before) / os.sysconf("SC_CLK_TCK")
        return 100 * spent / (time.monotonic() - began)


def ticks(pid):
    fields = harness.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def measure(bench, options):
    build = bench.build("bench/bench_wake", "apps/headgated")
    os.environ["HEADGATE_BUILD"] = build
    if (os.cpu_count() or 1) < 2:
        raise harness.Failure("needs two processors: one for the worker, one for who wakes")
    program = os.path.join(build, "bench/bench_wake")
    turns = Turns(bench, {str(n): slice_of(bench, program, n, options) for n in OTHERS}, options.pairs).run()
    figures, spread = {}, {}
    for n in OTHERS:
        for figure in "first_p50_us", "first_p99_us", "full_p50_us", "full_p99_us", "disturbed_wakes":
            kind, what = figure.split("_", 1)
            name = f"{kind}_{n}_{what}"
            figures[name], spread[name] = turns.median(str(n), figure), turns.spread(str(n), figure)
    import lab.world
    try:
        figures["idle_host_percent"] = idle_host(options)
    except (lab.world.LabError, PermissionError) as error:
        raise harness.Failure(str(error)) from error
    return figures, spread
