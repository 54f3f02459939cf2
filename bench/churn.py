"""Machines that come and go: what a cycle costs, what stays behind, and whether others notice.

The real daemon; its ports are vhost, their guests a small front end of the benchmark's own. Two honest guests
exchange a frame every 100 us throughout. --cycles times one machine is attached, sends, and is detached; then --guests at
once. leaked_bytes: what headgated has allocated and not freed (its own count, heap_bytes) after, less before, both with no
machine but the pair, and before after --warm-up cycles and all guests once, since what is made once and kept is no leak;
leaked_buffers, leaked_descriptors, leaked_mappings: likewise. The C library keeps freed pieces for the thread that freed
them and counts them as given away, which is switched off (glibc.malloc.tcache_count=0), so that the count is exact but for
the digits of numbers in a state. It is looked at five times, with a machine that comes and goes before each; the least of
those after counts, less the most of those before: within looks_spread_bytes, the most of those before less the least, it
is not told apart from nothing. machine_bytes: by how much one machine that stays raises it; if that were nothing, so would
be the rest. resident_bytes, resident_growth_bytes: anonymous memory, some of which waits to be given back.
worst_stall_us: the longest that a frame of the pair took meanwhile, less what its processor stood still for everybody just
then, by a sentinel that goes before all; cycles_, many_ and quiet_worst_us: by part, quiet with nothing going on for as
long; _raw_us: with what the machine itself stood still. cycle_us: from the request to attach until the answer that it is
detached. The pair's thread and headgated's worker have the last processor and go before other processes there, since it is
headgated that is measured and not the wait for a processor. Its other threads do not: on a busy machine one of them may be
kept waiting while it has what the worker needs in the kernel, which shows here as a stall.
"""
import collections
import os
import resource
import sys
import time

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))

CONFIG = """\
uplinks:
  - {{name: up0, device: "dummy:churn", capacity: 10Gbit}}
tenants:
  - name: pair
    instances:
      - {{name: a, ports: [{{name: a, device: "vhost:{folder}/a.sock", mac: "02:00:00:00:00:01"}}]}}
      - {{name: b, ports: [{{name: b, device: "vhost:{folder}/b.sock", mac: "02:00:00:00:00:02"}}]}}
  - name: others
    instances:
{instances}"""

# Of bench/run all, and of --quick.
ALL = ["--cycles", "1000"]
QUICK = ["--cycles", "50", "--warm-up", "100", "--guests", "40"]


def add_options(parser):
    parser.add_argument("--cycles", type=int, default=1000, metavar="N", help="attach and detach (default 1000)")
    parser.add_argument("--warm-up", type=int, default=200, metavar="N", help="cycles before (default 200)")
    parser.add_argument("--guests", type=int, default=200, metavar="N", help="at once (default 200)")


# Nothing that a change set in motion is still under way then.
SETTLED_S = 1
LOOKS = 5

Fared = collections.namedtuple("Fared", "frames lost raw_ns net_ns over_1ms")


class Guests(harness.Program):
    """The program with all guests in it, of which two never rest."""

    def __init__(self, build, folder):
        self.folder = folder
        super().__init__([os.path.join(build, "bench/bench_churn"), folder], is_stopped=False)

    def mark(self):
        """How the pair fared since the last mark."""
        return Fared(*(int(word) for word in self.tell("mark")[0].split()))


def must(answer):
    status, body = answer
    if status != 200:
        raise harness.Failure(f"headgated answers {status}: {body}")


def attach(daemon, guests, first, n):
    guests.tell("open", first, n)
    for i in range(first, first + n):
        must(daemon.ask("PUT", f"/v1/ports/p{i}", f'{{"instance": "g{i}", "device": "vhost:{guests.folder}/g{i}.sock"}}'))
    for answer in guests.tell("up", first, n):  # only if one is down
        port = daemon.get(f"/v1/ports/p{answer.split()[1][1:]}")
        raise harness.Failure(f"a guest does not come up: {answer.partition(' ')[2]}; headgated says: {port}")


def detach(daemon, guests, first, n):
    for i in range(first, first + n):
        must(daemon.ask("DELETE", f"/v1/ports/p{i}"))
    guests.tell("close", first, n)


def cycle(daemon, guests, n):
    """Returns the time of each, in us; the guest's own start and end are in it, which cost little."""
    times = []
    for _ in range(n):
        begin = time.monotonic()
        attach(daemon, guests, 0, 1)
        detach(daemon, guests, 0, 1)
        times.append((time.monotonic() - begin) * 1e6)
    return times


def all_at_once(daemon, guests, n):
    """Returns how many were up, with the pair."""
    attach(daemon, guests, 0, n)
    up = [port["link"] for port in daemon.get("/v1/ports")["ports"]].count("up")
    detach(daemon, guests, 0, n)
    return up


# What headgated holds: its heap's count at each look; buffers in use, descriptors, mappings, anonymous memory.
Holdings = collections.namedtuple("Holdings", "heap buffers descriptors mappings resident")


def heap_settled(daemon):
    time.sleep(SETTLED_S)
    return daemon.status()["host"]["heap_bytes"]


def holdings(daemon, guests):
    proc = f"/proc/{daemon.process.pid}"
    heap, descriptors = [], []
    for _ in range(LOOKS):
        cycle(daemon, guests, 1)
        heap.append(heap_settled(daemon))
        descriptors.append(len(os.listdir(f"{proc}/fd")))
    # A connection that we have just left may still be open in some looks, and the pair may have a frame under way.
    hosts = [daemon.status()["host"] for _ in range(20)]
    return Holdings(heap, min(host["n_buffers"] - host["free_buffers"] for host in hosts), min(descriptors),
                    len(harness.read(f"{proc}/maps").splitlines()),
                    int(harness.field(f"{proc}/status", "RssAnon").split()[0]) * 1024)


def one_more(daemon, guests):
    """What a machine adds to the heap while it is there."""
    without = heap_settled(daemon)
    attach(daemon, guests, 0, 1)
    with_it = heap_settled(daemon)
    detach(daemon, guests, 0, 1)
    return with_it - without


def put_in_place(daemon, guests, last):
    """The worker on the last processor, before others there; all else on the first."""
    for task in os.listdir(f"/proc/{daemon.process.pid}/task"):
        # The library's threads have names of their own.
        is_worker = task != str(daemon.process.pid) and harness.read(
            f"/proc/{daemon.process.pid}/task/{task}/comm").strip() == "headgated"
        os.sched_setaffinity(int(task), {last} if is_worker else {0})
        if is_worker:
            os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(2))
    os.sched_setaffinity(guests.process.pid, {0})


def measure(bench, options):
    build = bench.build("apps/headgated", "apps/headgate", "bench/bench_churn")
    os.environ["HEADGATE_BUILD"] = build
    os.environ["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"
    from lab.daemon import Daemon  # pylint: disable=import-outside-toplevel
    from lab.world import World  # pylint: disable=import-outside-toplevel
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    with World() as world, Guests(build, world.folder) as guests:
        daemon = Daemon(world)
        config = world.path("churn.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=world.folder, instances="".join(
                f"      - {{name: g{i}}}\n" for i in range(options.guests))))
        daemon.start(config)
        last = os.cpu_count() - 1
        put_in_place(daemon, guests, last)
        guests.tell("pair", last)
        return run(bench, options, daemon, guests)


def run(bench, options, daemon, guests):
    bench.progress(f"{options.warm_up} cycles and {options.guests} guests to warm up")
    cycle(daemon, guests, options.warm_up)
    all_at_once(daemon, guests, options.guests)
    before = holdings(daemon, guests)
    guests.mark()

    bench.progress(f"{options.cycles} cycles")
    begin = time.monotonic()
    times = cycle(daemon, guests, options.cycles)
    cycles = guests.mark()
    bench.progress(f"{options.guests} guests at once")
    up = all_at_once(daemon, guests, options.guests)
    many = guests.mark()
    seconds = time.monotonic() - begin
    after = holdings(daemon, guests)
    machine_bytes = one_more(daemon, guests)
    if machine_bytes <= 0:
        raise harness.Failure(f"a machine that stays adds {machine_bytes} bytes: a leak would not be seen")

    guests.mark()
    bench.progress(f"{seconds:.0f} s of nothing")
    time.sleep(seconds)
    quiet = guests.mark()
    figures = {
        "leaked_bytes": min(after.heap) - max(before.heap), "looks_spread_bytes": max(before.heap) - min(before.heap),
        "leaked_buffers": after.buffers - before.buffers, "leaked_descriptors": after.descriptors - before.descriptors,
        "leaked_mappings": after.mappings - before.mappings, "machine_bytes": machine_bytes,
        "resident_bytes": after.resident, "resident_growth_bytes": after.resident - before.resident,
        "cycle_us": harness.median(times), "guests": up - 2, "cycles": len(times),
        "worst_stall_us": max(cycles.net_ns, many.net_ns) / 1000, "lost_frames": cycles.lost + many.lost + quiet.lost,
        "frames": cycles.frames + many.frames,
    }
    for name, fared in ("cycles", cycles), ("many", many), ("quiet", quiet):
        figures[f"{name}_worst_us"] = fared.net_ns / 1000
        figures[f"{name}_worst_raw_us"] = fared.raw_ns / 1000
        figures[f"{name}_over_1ms"] = fared.over_1ms
    spread = {name: [value, value] for name, value in figures.items()}
    spread["cycle_us"] = [min(times), max(times)]
    return figures, spread
