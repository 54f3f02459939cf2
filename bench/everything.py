"""All benchmarks in one run and one result: bench/run all [--quick] [--only NAMES] [--patience SECONDS] [--out FILE].

Installs what is missing (tools/setup.sh), builds, and then runs every benchmark as its own process, one after the
other, each with the options that its module names for this kind of run:

    ALL = [...]       its options in a full run (none: as it comes)
    QUICK = [...]     in a quick one; None: left out of it
    IN_ALL = False    it is in neither
    BUDGET_S = (a, b) how long it may take, in a full run and a quick one; else BUDGETS_S below. Pairs that were
                      disturbed are repeated within that time.

Progress goes to stderr with the time that is left. A benchmark that fails is reported with its sentence, and the
others go on; the exit code is 1 then. The result is written after each of them, so that a run that was interrupted
has what it got. bench/report makes a page of it.
"""
import argparse
import importlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

import goals
import harness

FORMAT = 1
OUT = os.path.join(harness.HERE, "out")
PACKAGES = ("openvswitch-switch-dpdk", "dpdk-dev", "iproute2", "iperf3", "sockperf", "qemu-system-x86")
SETUP = [os.path.join(harness.ROOT, "tools", "setup.sh"), "run", "vms", "bench"]
PREPARE_BUDGET_S = (160, 20)  # installing and building; a quick run is for a machine that has both
# Measured on two processors, building not included: (full, quick).
BUDGETS_S = {
    "churn": (80, 14),
    "credit-loop": (60, 18),
    "credits": (270, 0),
    "cut": (35, 2),
    "depth": (10, 6),
    "isolation": (150, 14),
    "rate": (120, 8),
    "vhost": (160, 40),
    "vms": (360, 0),
}
BUDGET_S = (120, 12)  # of one that says nothing
LIMIT_S = (45 * 60, 5 * 60)  # of the whole
OVERRUN, OVERRUN_S = 3, 60  # a benchmark is ended after so many times its budget, and so long more
TICK_S = 15  # without a word of a benchmark there is one of the run
READ_S = 60  # until what an ended benchmark has written is read, on a machine that is full


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Entry:
    """A benchmark as it is in a run of this kind."""

    def __init__(self, name, is_quick):
        module = importlib.import_module(name)
        self.name, self.about = name, module.__doc__.splitlines()[0]
        self.options = getattr(module, "QUICK" if is_quick else "ALL", [])
        self.is_in = getattr(module, "IN_ALL", True) and self.options is not None
        self.budget_s = getattr(module, "BUDGET_S", BUDGETS_S.get(name, BUDGET_S))[int(is_quick)]


def entries(is_quick, only):
    found = [Entry(name, is_quick) for name in goals.in_order(harness.names())]
    if only:
        return [entry for entry in found if entry.name in only and entry.options is not None]
    return [entry for entry in found if entry.is_in]


def commit():
    """(commit, whether the tree is just that)."""
    git = ["git", "-C", harness.ROOT]
    changed = subprocess.run(git + ["status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True,
                             check=False)
    return (harness.output(*git, "rev-parse", "HEAD") or "unknown",
            changed.returncode == 0 and not changed.stdout.strip())


def versions():
    """Of the rivals and the tools, as the packages call them."""
    found = {name: harness.output("dpkg-query", "-W", "-f", "${Version}\n", name) or "not installed" for name in PACKAGES}
    return {**found, "TCP's congestion control": harness.CONGESTION}


class Clock:
    """How much of the run is left: by the budgets, less what is done."""

    def __init__(self, budgets_s):
        self.left_s, self.began, self.current_s = list(budgets_s), time.monotonic(), 0.0
        self.of_current = time.monotonic()

    def next(self):
        self.current_s, self.of_current = self.left_s.pop(0), time.monotonic()

    def left(self):
        return sum(self.left_s) + max(self.current_s - (time.monotonic() - self.of_current), 0)

    def prefix(self):
        return f"[{clock(self.left())} left]"


class Child:
    """One benchmark under way; its words come with the time that is left in front of them."""

    def __init__(self, command, clock_, environment):
        self.clock, self.said, self.output = clock_, time.monotonic(), ""
        self.last = ""  # line on stderr
        # Its own session: Ctrl-C reaches it through us, once.
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        errors="replace", start_new_session=True, env=environment)
        self.readers = [threading.Thread(target=target, daemon=True) for target in (self._words, self._result)]
        for reader in self.readers:
            reader.start()

    def _words(self):
        for line in self.process.stderr:
            self.said, self.last = time.monotonic(), line.rstrip() or self.last
            print(f"{self.clock.prefix()} {line.rstrip()}", file=sys.stderr, flush=True)

    def _result(self):
        self.output = self.process.stdout.read()

    def wait(self, limit_s):
        """Returns the exit code, None if it had to be ended."""
        began, was_ended = time.monotonic(), False
        while True:
            try:
                code = self.process.wait(1)
                for reader in self.readers:
                    reader.join(READ_S)
                return None if was_ended else code
            except subprocess.TimeoutExpired:
                pass
            except KeyboardInterrupt:
                self.end()
                raise
            if time.monotonic() - self.said > TICK_S:
                self.said = time.monotonic()
                print(f"{self.clock.prefix()} ...", file=sys.stderr, flush=True)
            if time.monotonic() - began > limit_s:
                self.end()
                was_ended = True

    def end(self):
        """It cleans up after itself if it is asked; if it does not, it is killed, and what it started with it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own
        except ProcessLookupError:
            pass
        self.process.wait()


def measure(entry, clock_, patience_s=0):
    """Runs one benchmark; returns its part of the result."""
    options = entry.options + (["--patience", f"{patience_s:g}"] if patience_s else [])
    command = [sys.executable, os.path.join(harness.HERE, "run"), entry.name] + options
    limit_s = OVERRUN * entry.budget_s + OVERRUN_S + patience_s
    began = time.monotonic()
    child = Child(command, clock_, dict(os.environ, HEADGATE_BENCH_BUDGET_S=str(entry.budget_s)))
    code = child.wait(limit_s)
    found = {"about": entry.about, "command": shlex.join(["bench/run", entry.name] + options),
             "budget_s": entry.budget_s, "seconds": round(time.monotonic() - began, 1)}
    if code is None:
        found["failure"] = f"ended after {limit_s} s"
    elif code != 0:
        sentence = re.sub(r"^bench/run \S+: ", "", child.last).replace(harness.ROOT + "/", "")
        found["failure"] = sentence or f"ended with {code}"
    else:
        try:
            found.update(result_of(child.output))
        except ValueError as error:
            found["failure"] = str(error)
    return found


def result_of(text):
    """What of a benchmark's last line is kept; the machine is the run's."""
    try:
        result = json.loads(text.splitlines()[-1])
        return {"figures": result["figures"], "spread": result["spread"], "turns": result["turns"],
                "disturbed": result["disturbed"],
                "configurations": result["configurations"],
                "stolen_ms": result["machine"]["stolen_ms_during_run"],
                "load_average_1m": result["machine"]["load_average_1m"],
                "processors_stay": result["machine"]["processors_stay"]}
    except (IndexError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"its last line is no result: {error!r}") from error


def save(path, result):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def prepare(bench, is_all):
    """What is needed, from the packages and, for all benchmarks, from the sources; progress is theirs."""
    if subprocess.run(SETUP, check=False).returncode != 0:
        raise harness.Failure("tools/setup.sh could not install what is missing")
    if not is_all:
        return  # each builds what it needs
    bench.build("build.ninja")
    known = subprocess.run(["meson", "introspect", "--targets", harness.BUILD], capture_output=True, text=True,
                           check=True)
    bench.build("apps/headgated", "apps/headgate", "tools/load/hgload", *sorted(
        os.path.relpath(target["filename"][0], harness.BUILD) for target in json.loads(known.stdout)
        if target["name"].startswith("bench_")))


def options_of(words):
    parser = argparse.ArgumentParser(prog="bench/run all", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="in under 5 minutes, with wider intervals")
    parser.add_argument("--only", metavar="NAMES", type=lambda text: text.split(","), default=[],
                        help="these, with commas between them")
    parser.add_argument("--into", metavar="FILE", help="the result of an earlier run that these belong to; it says that they "
                        "were measured again")
    parser.add_argument("--out", metavar="FILE", help="the result (default bench/out/all.json, or quick.json)")
    parser.add_argument("--patience", metavar="SECONDS", type=float, default=0,
                        help=harness.PATIENCE_HELP + "; each benchmark, beside its budget")
    options = parser.parse_args(words)
    unknown = sorted(set(options.only) - set(harness.names()))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {' '.join(harness.names())}")
    if options.into and not options.only:
        parser.error("--into needs --only: which are measured again?")
    if options.patience < 0:
        parser.error(f"--patience {options.patience:g}: so many seconds, 0 or more")
    options.out = options.into or options.out or os.path.join(os.path.relpath(OUT), "quick.json" if options.quick else "all.json")
    return options


def announce(found, prepare_s, is_quick, patience_s):
    for entry in found:
        print(f"  {entry.name:12} {clock(entry.budget_s):>6}  {shlex.join(entry.options)}", file=sys.stderr)
    total = sum(entry.budget_s for entry in found) + prepare_s
    print(f"{len(found)} benchmarks, about {clock(total)} with what has to be built; "
          f"at most {clock(LIMIT_S[int(is_quick)] + patience_s * len(found))} for all of them", file=sys.stderr, flush=True)


def summary(result):
    """What came of it, in a few lines on stdout."""
    for name, bench in result["benches"].items():
        print(f"{name:12} {clock(bench['seconds']):>6}  "
              + (f"FAILED: {bench['failure']}" if "failure" in bench else f"{len(bench['figures'])} figures"))
    print()
    for judged in result["goals"]:
        if result["is_complete"] or judged["bench"] in result["benches"]:
            print(goals.line(judged))


def again(path, result):
    """An earlier result with what is measured now noted in it."""
    try:
        with open(path, encoding="utf-8") as file:
            earlier = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"bench/run all: --into {path}: {error}")
    if (earlier.get("format"), earlier.get("kind")) != (result["format"], result["kind"]):
        sys.exit(f"bench/run all: --into {path}: not the result of a {result['kind']} run of format {result['format']}")
    earlier.setdefault("again", []).append({name: result[name] for name in ("command", "commit", "commit_is_clean", "began")})
    return earlier


def interrupt(*what):
    raise KeyboardInterrupt


def main(words):
    options = options_of(words)
    signal.signal(signal.SIGTERM, interrupt)
    found = entries(options.quick, options.only)
    prepare_s = PREPARE_BUDGET_S[int(options.quick)]
    announce(found, prepare_s, options.quick, options.patience)
    began, bench = time.monotonic(), harness.Bench("all", ["bench/run", "all"] + words)
    clock_ = Clock([prepare_s] + [entry.budget_s for entry in found])
    clock_.next()
    commit_id, is_clean = commit()
    result = {"format": FORMAT, "kind": "quick" if options.quick else "full", "command": bench.command,
              "commit": commit_id, "commit_is_clean": is_clean,
              "began": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "seconds": 0, "prepare_s": 0,
              "is_complete": False, "machine": {}, "versions": {}, "benches": {}, "goals": []}
    code = 0
    if options.into:
        result = again(options.into, result)

    def keep():
        if not options.into:
            result["seconds"] = round(time.monotonic() - began, 1)
            result["machine"] = dict(harness.machine(), stolen_ms_during_run=harness.stolen_ms() - bench.stolen_before_ms)
        result["goals"] = goals.judge(result["benches"])
        save(options.out, result)

    try:
        prepare(bench, is_all=not options.only)
        result["versions"] = versions()
        if not options.into:
            result["prepare_s"] = round(time.monotonic() - began, 1)
        for number, entry in enumerate(found, 1):
            clock_.next()
            print(f"{clock_.prefix()} {number} of {len(found)}: {entry.name}, {clock(entry.budget_s)}: {entry.about}",
                  file=sys.stderr, flush=True)
            result["benches"][entry.name] = measure(entry, clock_, options.patience)
            failure = result["benches"][entry.name].get("failure")
            if failure:
                code = 1
                print(f"{clock_.prefix()} {entry.name} FAILED: {failure}", file=sys.stderr, flush=True)
            keep()
        result["is_complete"] = result["is_complete"] or not options.only
    except KeyboardInterrupt:
        code = 130
    except harness.Failure as failure:
        sys.exit(f"bench/run all: {failure}")
    keep()
    summary(result)
    print(f"\n{clock(result['seconds'])}; bench/report {options.out} makes a page of it", flush=True)
    sys.exit(code)
