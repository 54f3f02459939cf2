"""What all benchmarks share: the build, progress, programs that print figures, the machine, the result."""
import contextlib
import glob
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.path.join(ROOT, "build-bench")

# Of whoever sends by TCP in bulk, in all benchmarks: what Linux and Debian come with, whatever the measuring machine is set to.
CONGESTION = "cubic"
PATIENCE_HELP = ("how long to wait, in all, for times in which nobody steals from the processors, after something was measured "
                 "in one in which somebody did (default 0)")
PROBE_PAUSE_S = 3  # between two looks at whether the machine is quiet


class Failure(Exception):
    """A sentence that says why there are no figures."""


# Parts of benchmarks, and none by themselves.
PARTS = (
    "charts",
    "draw",
    "everything",
    "goals",
    "harness",
    "isolation_real",
    "joined",
    "ovs",
    "page",
    "turns",
    "waits",
)


def names():
    """Benchmarks there are: every bench/NAME.py that is no part of others."""
    found = (os.path.basename(path)[:-3] for path in glob.glob(os.path.join(HERE, "*.py")))
    return sorted(name for name in found if name not in PARTS and not name.endswith("_test"))


def read(path, otherwise=""):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return otherwise


def output(*command):
    """First line that a command prints; empty if it cannot be run."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (found.stdout.splitlines() or [""])[0].strip()


def field(path, key, separator=":"):
    for line in read(path).splitlines():
        name, _, value = line.partition(separator)
        if name.strip() == key:
            return value.strip().strip('"')
    return ""


def stolen_ms(processors=None):
    """Time that the host's host took from all processors, or from these, since boot."""
    rows = ["cpu"] if processors is None else [f"cpu{processor}" for processor in processors]
    found = (line.split() for line in read("/proc/stat").splitlines())
    ticks = sum(int(columns[8]) for columns in found if len(columns) > 8 and columns[0] in rows)
    return ticks * 1000 // os.sysconf("SC_CLK_TCK")


def is_quiet(seconds=1.0):
    """Whether nobody steals more than a hundredth of a processor while all are busy: from one that is idle nothing can be
    stolen."""
    with contextlib.ExitStack() as busy:
        before_ms = stolen_ms()
        for processor in sorted(os.sched_getaffinity(0)):
            program = subprocess.Popen(["taskset", "-c", str(processor), sys.executable, "-c", "while True: pass"])
            busy.callback(program.wait)
            busy.callback(program.kill)
        time.sleep(seconds)
        return stolen_ms() - before_ms <= 10 * seconds


def machine():
    return {
        "cpu": field("/proc/cpuinfo", "model name") or platform.machine(),
        "n_cpus": os.cpu_count(),
        "memory_mib": int(field("/proc/meminfo", "MemTotal").split()[0] or 0) // 1024,
        "virtual": output("systemd-detect-virt") or "unknown",
        "kernel": platform.release(),
        "system": field("/etc/os-release", "PRETTY_NAME", "="),
        "compiler": output("cc", "--version"),
        "dpdk": output("pkg-config", "--modversion", "libdpdk"),
    }


# A processor of a virtual machine that has nothing to do halts, which gives it back to the host; to have it again takes tens
# of microseconds, or milliseconds where the host has given it to somebody. With this a Linux guest looks for work for so
# long before it halts (Documentation/virt/guest-halt-polling.rst; most come with 200 us). Programs are scheduled as
# they would be, and whoever is measured has the same. A kernel that does not use that driver has the setting, too, and
# does nothing with it.
HALT_POLL = "/sys/module/haltpoll/parameters/guest_halt_poll_"
HALT_POLL_BY = "/sys/devices/system/cpu/cpuidle/current_"
HALT_POLL_IS = {"ns": "10000000", "allow_shrink": "N"}


@contextlib.contextmanager
def processors_stay():
    """While it lasts, processors poll before they halt, where that can be chosen. Yields whether they do."""
    if any(read(HALT_POLL_BY + what).strip() != "haltpoll" for what in ("driver", "governor")):
        yield False
        return
    before = {name: read(HALT_POLL + name).strip() for name in HALT_POLL_IS}

    def put(values):
        for name, value in values.items():
            with open(HALT_POLL + name, "w", encoding="utf-8") as file:
                file.write(value)

    try:
        put(HALT_POLL_IS)
    except OSError:
        with contextlib.suppress(OSError):
            put(before)
        yield False
        return
    try:
        yield True
    finally:
        put(before)


def median(values):
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def short(figures):
    """Figures in a few words, for progress: the first four."""
    return ", ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:4])


# What was said of each side in this run, in order: {side: [line]}. A benchmark is a process of its own.
SAID = {}


def say(side, text):
    """A side's command or configuration, on stderr and for the report: the same lines are said once. Commands begin
    with "$ "."""
    text = text.replace(ROOT + "/", "")
    lines = SAID.setdefault(side, [])
    if text.rstrip() in lines:
        return
    lines.append(text.rstrip())
    for line in text.rstrip().splitlines():
        print(f"{side}: {line}", file=sys.stderr, flush=True)


def disturbed(figures, turns):
    """Names of the figures that are not shown to come from undisturbed pairs: where some of the turns are disturbed,
    all figures but those that one of the others gave as they are, and none of the disturbed ones."""
    bad = set().union(*(one.given for one in turns if one.is_disturbed))
    good = set().union(*(one.given for one in turns if not one.is_disturbed)) - bad
    if not any(one.is_disturbed for one in turns):
        return []
    return sorted(name for name, value in figures.items() if abs(value) not in good)


def figures_in(lines):
    """{name: number} of what a program printed through bench/figures.h."""
    words = (line.split() for line in lines)
    return {found[1]: float(found[2]) for found in words if len(found) == 3 and found[0] == "figure"}


class Program:
    """A program that measures when it is told to (bench/told.h). From each answer to the next request it is stopped,
    whatever its threads poll, unless it has to go on. processor: it has that one, before others there, if it may."""

    def __init__(self, command, is_stopped=True, processor=None):
        self.command, self.is_stopped = command, is_stopped
        if processor is not None:
            command = ["taskset", "-c", str(processor)] + command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()
        if processor is not None and os.geteuid() == 0:
            self._go_first()

    def _go_first(self):
        """Only now that it is up: DPDK awaits a thread that it begins with by naps so short that a real-time program
        never gives up its processor for them, and the thread waits for minutes."""
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answer(self):
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                if self.is_stopped:
                    self.process.send_signal(signal.SIGSTOP)
                return lines
            lines.append(line.rstrip())
        raise Failure(f"{shlex.join(self.command)} ended with {self.process.wait()}")

    def tell(self, *words):
        """Returns the lines that it answers."""
        self.process.send_signal(signal.SIGCONT)
        try:
            print(*words, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # its end is seen where its answer is missing
        return self._answer()

    def figures(self, *words):
        found = figures_in(self.tell(*words))
        if not found:
            raise Failure(f"{shlex.join(self.command)} has no figures for {words}")
        return found


class Bench:
    """One run of one benchmark."""

    def __init__(self, name, command):
        self.name = name
        self.command = shlex.join(command)
        self.stolen_before_ms = stolen_ms()
        self.turns = []  # whatever was measured in turn (turns.Turns) adds itself
        self.disturbed = set()  # figures of which a benchmark without turns says that they are
        # bench/run all plans so long for it: what was disturbed is repeated only within that.
        self.began_s, self.budget_s = time.monotonic(), float(os.environ.get("HEADGATE_BENCH_BUDGET_S", "inf"))
        self.n_turns = 1  # how many turns.Turns share that time, one after the other
        self.patience_s = 0.0  # how long it may wait, in all, for a machine that nobody steals from; beside its budget
        self.waited_s = 0.0
        self.processors_stay = False

    def has_time(self):
        """Whether what is measured now may go on: what was disturbed first does not take the time of what comes last."""
        part = min(max(len(self.turns), 1) / self.n_turns, 1)
        return time.monotonic() - self.began_s - self.waited_s < part * self.budget_s

    def wait_for_quiet(self, is_quiet=is_quiet, sleep=time.sleep):
        """What was measured last was stolen from, and others steal for minutes at a time: returns when they do not, or
        when there is no patience left; False then, at once if there was none. Its pace is the same whatever was found."""
        if self.waited_s >= self.patience_s:
            return False
        self.progress(f"waits for a machine that nobody steals from, up to {self.patience_s - self.waited_s:.0f} s")
        while self.waited_s < self.patience_s:
            began, found = time.monotonic(), is_quiet()
            if not found:
                sleep(PROBE_PAUSE_S)
            self.waited_s += time.monotonic() - began
            if found:
                return True
        return False

    def progress(self, text):
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def build(self, *targets):
        """Builds targets as releases are built, and nothing else. Returns the build directory."""
        if not os.path.exists(os.path.join(BUILD, "build.ninja")):
            self.progress("configuring build-bench")
            dataplane = "enabled" if output("pkg-config", "--modversion", "libdpdk") else "disabled"
            self._tool(["meson", "setup", BUILD, ROOT, "--buildtype=release", f"-Ddataplane={dataplane}"])
        self.progress(f"building {' '.join(targets)}")
        self._tool(["ninja", "-C", BUILD] + list(targets))
        return BUILD

    @staticmethod
    def _tool(command):
        try:
            done = subprocess.run(command, stdout=sys.stderr, check=False)
        except FileNotFoundError as missing:
            raise Failure(f"{command[0]} is not installed") from missing
        if done.returncode != 0:
            raise Failure(f"failed: {shlex.join(command)}")

    def figures_of(self, command):
        """Runs a program that uses bench/figures.h; its stderr passes through. Returns {name: number}."""
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            found = figures_in(program.stdout)
        if program.returncode != 0:
            raise Failure(f"{shlex.join(command)} ended with {program.returncode}")
        if not found:
            raise Failure(f"{shlex.join(command)} printed no figures")
        return found

    def result(self, figures, spread):
        """The line for stdout. figures: {name: number}; spread: {name: [least, largest]}."""
        about = machine()
        about["stolen_ms_during_run"] = stolen_ms() - self.stolen_before_ms
        about["load_average_1m"] = os.getloadavg()[0]
        about["processors_stay"] = self.processors_stay
        return json.dumps({"bench": self.name, "figures": figures, "spread": spread, "machine": about,
                           "command": self.command, "turns": [one.about() for one in self.turns],
                           "disturbed": sorted({*disturbed(figures, self.turns), *self.disturbed}), "configurations": SAID})
