#!/usr/bin/env python3
"""Builds headgate and runs all of its tests; the last line is
"N passed, N failed, N skipped".

The tiers, in the order in which they run:
  style      format, layers, headers, lengths; each test that is named exists;
             generated documents are current
  build      all that meson knows: unit, property, component, fuzz corpora
  install    meson install into an empty folder puts everything in place
  sanitizer  the same with AddressSanitizer and UndefinedBehaviorSanitizer
  threads    where threads meet, with ThreadSanitizer
  fuzz       libFuzzer on the parser and the configuration, a few seconds each
  smoke      the real daemon, network namespaces and kernel TCP; needs root
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOTALS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
IN_CI = os.environ.get("CI", "") not in ("", "0", "false")
FUZZ_SECONDS = 15  # for each target; long enough to leave the corpus behind
FUZZ_SECONDS_LONG = 600
SEEDS_LONG = 50  # each random history anew from so many seeds
SOAK_MILLION_PKTS = 100


class Tally:
    """Counts single tests over all programs that ran."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, tier, name, output, ok, skipped=False):
        """One program: by its own last line if it counts its tests, else as one test."""
        lines = output.rstrip().splitlines()
        found = TOTALS.match(lines[-1].strip()) if lines else None
        passed, failed, skips = (int(n) for n in found.groups()) if found else (0, 0, 0)
        if not found:
            passed, failed, skips = int(ok and not skipped), int(not ok), int(skipped)
        elif not ok and failed == 0:
            failed = 1  # it counted no failure and still ended badly
        if skips and IN_CI:
            failed, skips = failed + skips, 0
        self.passed += passed
        self.failed += failed
        self.skipped += skips
        if failed:
            self.failures.append(f"{tier}: {name}")
        return found is not None

    def one(self, tier, name, ok, output=""):
        print(f"{'ok      ' if ok else 'FAILED  '} {name}", flush=True)
        if not ok and output:
            print(output.rstrip())
        self.add(tier, name, "", ok)


def say(text):
    print(f"\n== {text}", flush=True)


def call(args, quiet=False, **options):
    """Runs a command in the root of the project; returns (succeeded, output)."""
    done = subprocess.run(args, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, **options)
    if done.returncode != 0 and not quiet:
        print(done.stdout[-6000:])
    return done.returncode == 0, done.stdout


def tested_by(folder, suite):
    """The programs of a build folder that a suite runs."""
    known = call(["meson", "introspect", "--tests", folder], quiet=True)[1]
    return sorted({t["cmd"][0] for t in json.loads(known) if suite in (s.split(":")[-1] for s in t["suite"])})


def targets(folder, prefix):
    """(name, path) of the programs of a build folder whose name begins so."""
    known = call(["meson", "introspect", "--targets", folder], quiet=True)[1]
    return sorted((t["name"], t["filename"][0]) for t in json.loads(known)
                  if t["type"] == "executable" and t["name"].startswith(prefix))


def build(tally, folder, options, env=None, target="all", only=None, suite=None):
    """Configures (anew if the options changed) and builds; progress is ninja's own. target: of ninja; only, suite:
    instead of it, nothing but the programs whose name begins so, or that the suite runs."""
    path = os.path.join(ROOT, folder)
    env = {**os.environ, **(env or {})}
    if not os.path.exists(os.path.join(path, "build.ninja")):
        ok, _ = call(["meson", "setup", folder] + options, env=env)
    else:
        ok, _ = call(["meson", "configure", folder] + [o for o in options if o.startswith("-D")],
                     env=env)
    if ok:
        names = [target]
        if only or suite:
            paths = tested_by(folder, suite) if suite else (p for _, p in targets(folder, only))
            names = [os.path.relpath(p, path) for p in paths]
        command = ["ninja", "-C", path] + names
        # On a terminal ninja shows one moving line; elsewhere it is heard only if it fails.
        if sys.stdout.isatty():
            ok = subprocess.run(command, env=env, check=False).returncode == 0
        else:
            ok, _ = call(command, env=env)
    tally.one(folder, f"builds ({folder})", ok)
    return ok


def meson_tests(tally, folder, suites, test_args=(), timeout_factor=2, jobs=None, wrapper=None):
    """Runs suites of one build folder and adds up what each program counted."""
    log = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    known = call(["meson", "introspect", "--tests", folder], quiet=True)[1]
    present = {s.split(":")[-1] for t in json.loads(known) for s in t["suite"]}
    command = ["meson", "test", "-C", folder, "--no-rebuild", "-t", str(timeout_factor)]
    for suite in suites:
        if suite in present:
            command += ["--suite", suite]
    if "--suite" not in command:
        return
    if jobs:
        command += ["--num-processes", str(jobs)]
    if wrapper:
        command += ["--wrapper", wrapper]
    for arg in test_args:
        command.append(f"--test-args={arg}")
    subprocess.run(command, cwd=ROOT, check=False)
    for line in open(log, encoding="utf-8") if os.path.exists(log) else ():
        test = json.loads(line)
        ok = test["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
        tally.add(folder, test["name"], test.get("stdout", ""), ok, test["result"] == "SKIP")
        if not ok:
            print(f"\n---- {test['name']}: {test['result']}")
            print((test.get("stdout", "") + test.get("stderr", ""))[-4000:])


def style(tally):
    say("style")
    meson_tests(tally, "build", ["layers", "headers", "format", "style", "docs"])
    ok, output = call(["tools/conformance.py", "--check"], quiet=True)
    tally.one("style", "conformance", ok, output)


def install(tally):
    """Everything must land where a package would put it."""
    say("install")
    target = os.path.join(ROOT, "build", "installed")
    ok, output = call(["meson", "install", "-C", "build", "--no-rebuild", "--destdir", target,
                       "--quiet"])
    found = {os.path.join(folder, name)[len(target):] for folder, _, names in os.walk(target)
             for name in names}
    for name in ("/bin/headgated", "/bin/headgate", "/lib/systemd/system/headgated.service",
                 "/etc/headgate/headgated.example.yaml", "/share/doc/headgate/README.md",
                 "/man1/headgate.1", "/man8/headgated.8"):
        tally.one("install", f"installs {name}", ok and any(f.endswith(name) for f in found),
                  output[-500:])
    ok, output = call([os.path.join(ROOT, "tools", "check_links.py"), target], quiet=True)
    tally.one("install", "links of the documents lead somewhere", ok, output)
    unit = next((f for f in found if f.endswith("/headgated.service")), None)
    text = open(target + unit, encoding="utf-8").read() if unit else ""
    tally.one("install", "the unit starts what is installed, with the default configuration",
              all(command.split()[0] in found and command.split()[-1] == "/etc/headgate/headgated.yaml"
                  for command in re.findall(r"^ExecStart=(.*)", text, re.M)) and text != "")
    tally.one("install", "the unit leaves machines' sockets where they are, and starts whatever they have become",
              "\nRuntimeDirectoryPreserve=yes\n" in text and "\nExecStartPre=" not in text)


def threads(tally):
    """Races, where threads meet."""
    say("threads")
    # Where addresses are drawn from more than this ThreadSanitizer does not find room for its own.
    with open("/proc/sys/vm/mmap_rnd_bits", encoding="utf-8") as file:
        wrapper = os.path.join(ROOT, "tools", "races.py") + (" setarch -R" if int(file.read()) > 28 else "")
    if build(tally, "build-tsan", ["-Dbuildtype=debugoptimized", "-Db_lundef=false", "-Db_sanitize=thread"],
             suite="threads"):
        meson_tests(tally, "build-tsan", ["threads"], timeout_factor=10, jobs=1, wrapper=wrapper)


def fuzz(tally, seconds):
    """Each target fuzz_NAME searches from tests/fuzz/corpus/NAME and from what it found before."""
    say(f"fuzz, {seconds} s each")
    options = ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
               "-Dbuildtype=debugoptimized"]
    if not build(tally, "build-fuzz", options, env={"CC": "clang"}, only="fuzz_"):
        return

    def search(target):
        name, path = target
        corpus = os.path.join(ROOT, "tests", "fuzz", "corpus", name.removeprefix("fuzz_"))
        found = os.path.join(ROOT, "build-fuzz", "corpus-" + name)
        os.makedirs(found, exist_ok=True)
        command = [path, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10",
                   f"-artifact_prefix={found}-", found]
        return call(command + ([corpus] if os.path.isdir(corpus) else []), quiet=True)

    found = targets("build-fuzz", "fuzz_")
    with ThreadPoolExecutor(os.cpu_count()) as at_once:
        for (name, _), (ok, output) in zip(found, at_once.map(search, found)):
            tally.one("fuzz", name, ok, output[-4000:])


def soak(tally):
    """In-flight control under random faults, in virtual time."""
    say(f"soak, {SOAK_MILLION_PKTS} million packets")
    for name, path in targets("build", "inflight_soak"):
        ok, output = call([path, "--rounds", str(SOAK_MILLION_PKTS)])
        print(output.rstrip())
        tally.add("soak", name, output, ok)


def smoke(tally, is_long):
    say("smoke: the daemon, namespaces and kernel TCP")
    folder = os.path.join(ROOT, "tests", "smoke")
    names = sorted(n for n in os.listdir(folder) if n.endswith("_test.py"))
    if os.geteuid() != 0:
        for name in names:
            print(f"skipped  {name}: needs root for network namespaces")
            tally.add("smoke", name, "", True, skipped=True)
        return
    env = {**os.environ, "HEADGATE_LONG": "1" if is_long else ""}
    for name in names:
        print(f"-- {name}", flush=True)
        output = []
        child = subprocess.Popen([sys.executable, os.path.join(folder, name)], cwd=ROOT, env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in child.stdout:
            print(line, end="", flush=True)
            output.append(line)
        ok = child.wait() in (0, 77)
        tally.add("smoke", name, "".join(output), ok, child.returncode == 77)


def main():
    parser = argparse.ArgumentParser(prog="./test", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true",
                        help="random histories from many seeds, ten minutes of fuzzing for each "
                        "target, a soak of the whole: an hour or more")
    parser.add_argument("--tier", action="append", metavar="NAME",
                        choices=["style", "build", "install", "sanitizer", "threads", "fuzz", "smoke"],
                        help="only this tier (may be repeated); the release build always runs")
    args = parser.parse_args()
    wants = lambda tier: not args.tier or tier in args.tier
    began, tally = time.monotonic(), Tally()

    say("build")
    if build(tally, "build", ["-Dbuildtype=release"]):
        if wants("style"):
            style(tally)
        if wants("build"):
            say("test")
            meson_tests(tally, "build", ["unit", "property", "fuzz"])
            # Real threads and a real clock: one at a time, so that they do not starve one another.
            meson_tests(tally, "build", ["component"], jobs=1)
            for seed in range(2, SEEDS_LONG + 2) if args.long else ():
                say(f"random histories, seed {seed}")
                meson_tests(tally, "build", ["unit", "property"], ["--seed", str(seed)])
            if args.long:
                soak(tally)
        if wants("install"):
            install(tally)
        if wants("sanitizer"):
            say("sanitizers")
            if build(tally, "build-asan", ["-Dbuildtype=debugoptimized", "-Db_lundef=false",
                                           "-Db_sanitize=address,undefined"],
                     target="meson-test-prereq"):
                meson_tests(tally, "build-asan", ["unit", "property", "fuzz"],
                            timeout_factor=10)
                meson_tests(tally, "build-asan", ["component"], timeout_factor=10, jobs=1)
        if wants("threads"):
            threads(tally)
        if wants("fuzz"):
            fuzz(tally, FUZZ_SECONDS_LONG if args.long else FUZZ_SECONDS)
        if wants("smoke"):
            smoke(tally, args.long)

    say(f"{time.monotonic() - began:.0f} s")
    for failure in tally.failures:
        print(f"FAILED   {failure}")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    sys.exit(1 if tally.failed or not tally.passed else 0)


if __name__ == "__main__":
    main()
