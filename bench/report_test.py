#!/usr/bin/env python3
"""A run of all benchmarks, how it is judged, its page and pictures, and what the README may quote of it.

Each check is also given what it must find.
"""
import argparse
import copy
import importlib
import json
import os
import random
import select
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import draw  # noqa: E402
import everything  # noqa: E402
import goals  # noqa: E402
import harness  # noqa: E402
import page  # noqa: E402
import turns  # noqa: E402
import turns_test  # noqa: E402

TURNS = {"sides": ["headgate", "bridge"], "pairs_asked": 15, "n_pairs": 15, "n_pairs_measured": 17,
         "why": {"stolen": 2, "calibration": 1}, "is_disturbed": False, "swing": 1.456}
BULK = {"about": "TCP between two containers.", "command": "bench/run containers --pairs 15", "budget_s": 60, "seconds": 58.2,
        "stolen_ms": 20, "load_average_1m": 0.5, "turns": [TURNS],
        "disturbed": [],
        "figures": {"headgate_tcp_bit_per_s": 21234567890.0, "bridge_tcp_bit_per_s": 20e9, "tcp_ratio": 1.0617},
        "spread": {"headgate_tcp_bit_per_s": [20e9, 22e9], "bridge_tcp_bit_per_s": [19e9, 21e9],
                   "tcp_ratio": [1.01, 1.11]},
        "configurations": {"bridge": ["$ tc qdisc add dev v0 root handle 1: htb default 10 " + "and more " * 20]}}
SCHED = dict(BULK, about="The scheduler.", command="bench/run sched", turns=[], configurations={},
             figures={"speedup_4096": 4.25, "growth_1048576": 7.5, "u_ns_64": 10.5, "u_ns_4096": 14, "rte_ns_64": 43,
                      "rte_ns_4096": 62}, spread={"speedup_4096": [4.1, 4.4]})


def result_with(**benches):
    return {"format": 1, "kind": "full", "command": "bench/run all", "commit": "0123456789abcdef",
            "commit_is_clean": True, "began": "2026-01-01 00:00 UTC", "seconds": 2000.0, "prepare_s": 100.0,
            "is_complete": True, "machine": dict(harness.machine(), stolen_ms_during_run=0),
            "versions": {"dpdk": "22.11"}, "benches": benches, "goals": goals.judge(benches)}


def lines_outside_code(text):
    """Of a page, those that are neither in a code block nor a picture's or a link's, which cannot be broken."""
    is_code = False
    for line in text.split("\n"):
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code and not line.startswith("!["):
            yield line


class Again(unittest.TestCase):
    """A run of some that goes into the result of an earlier one."""

    def test_its_page_says_what_was_measured_again(self):
        now = dict(result_with(), commit="b" * 40, command="bench/run all --only sched --into FILE")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "all.json")
            everything.save(path, result_with(sched=SCHED))
            got = everything.again(path, now)
        self.assertEqual(got["benches"], result_with(sched=SCHED)["benches"])
        self.assertIn("Measured again, of commit bbbbbbbbbbbb", " ".join(page.of(got)["docs/benchmarks.md"].split()))
        self.assertNotIn("Measured again", page.of(result_with(sched=SCHED))["docs/benchmarks.md"])

    def test_it_has_to_be_a_result_of_the_same_kind(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "quick.json")
            everything.save(path, dict(result_with(), kind="quick"))
            with self.assertRaisesRegex(SystemExit, "not the result of a full run"):
                everything.again(path, result_with())
            with self.assertRaisesRegex(SystemExit, "No such file"):
                everything.again(path + "x", result_with())


class Goals(unittest.TestCase):
    def verdict(self, sense, value, is_disturbed=False, aim=2.0):
        goal = goals.Goal("b", "f", sense, 1.0, aim if sense == "least" else 0.5, "")
        return goals.verdict(goal, {"figures": {"f": value}, "disturbed": ["f"] if is_disturbed else []})

    def test_verdicts(self):
        self.assertEqual([self.verdict("least", value) for value in (0.99, 1.0, 2.0)], ["missed", "met", "aim"])
        self.assertEqual([self.verdict("most", value) for value in (1.01, 1.0, 0.5)], ["missed", "met", "aim"])

    def test_disturbed_is_never_met(self):
        self.assertEqual(self.verdict("least", 5.0, is_disturbed=True), "disturbed")

    def no_worse(self, value, interval, is_disturbed=False):
        goal = goals.Goal("b", "f", "least", 1.0, None, "", 0.95)
        return goals.verdict(goal, {"figures": {"f": value}, "spread": {"f": interval},
                                    "disturbed": ["f"] if is_disturbed else []})

    def test_no_worse_is_what_the_interval_shows(self):
        self.assertEqual(self.no_worse(0.99, [0.95, 1.0]), "met")
        self.assertEqual(self.no_worse(1.2, [1.1, 1.3]), "met")
        self.assertEqual(self.no_worse(0.98, [0.97, 0.99]), "missed")
        self.assertEqual(self.no_worse(0.5, [0.4, 0.6]), "missed")

    def test_noise_does_not_help(self):
        self.assertEqual(self.no_worse(1.0, [0.94, 1.06]), "not shown")
        self.assertEqual(self.no_worse(1.3, [0.5, 3.0]), "not shown")
        self.assertEqual(self.no_worse(1.3, [1.2, 1.4], is_disturbed=True), "disturbed")

    def test_equal_sides_are_met_with_enough_pairs_and_a_tenth_worse_ones_never(self):
        chance = random.Random(3)

        def met(centre, n_pairs):
            found = []
            for _ in range(40):
                values = [centre * chance.lognormvariate(0, 0.1) for _ in range(n_pairs)]
                found.append(self.no_worse(turns.median(values), turns.interval(values)))
            return found.count("met") / len(found)
        self.assertGreater(met(1.0, 60), 0.7)
        self.assertLess(met(1.0, 5), 0.4)
        self.assertEqual(met(0.9, 60), 0)

    def test_those_with_goals_come_first(self):
        self.assertEqual(goals.in_order(["guard", "churn", "cut", "path"]), ["path", "churn", "cut", "guard"])

    def test_nothing_measured_is_not_met(self):
        goal = goals.GOALS[0]
        self.assertEqual(goals.verdict(goal, None), "no figure")
        self.assertEqual(goals.verdict(goal, {"failure": "no OVS"}), "no figure")

    def test_each_goal_once_and_aims_beyond_them(self):
        self.assertEqual(len({(goal.bench, goal.figure) for goal in goals.GOALS}), len(goals.GOALS))
        for goal in goals.GOALS:
            self.assertIn(goal.sense, ("least", "most"))
            if goal.aim is not None:
                self.assertTrue(goals.reaches(goal.sense, goal.aim, goal.goal), goal)


class Run(unittest.TestCase):
    def test_budgets_fit(self):
        for is_quick in False, True:
            total = everything.PREPARE_BUDGET_S[is_quick] + sum(
                entry.budget_s for entry in everything.entries(is_quick, []))
            self.assertLessEqual(total, everything.LIMIT_S[is_quick])

    def test_options_are_known_to_their_benchmarks(self):
        for is_quick in False, True:
            for entry in everything.entries(is_quick, []):
                parser = argparse.ArgumentParser()
                importlib.import_module(entry.name).add_options(parser)
                parser.parse_args(entry.options)  # exits if not

    def measure(self, program, budget_s=5):
        """What is made of a benchmark that is this program."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "run"), "w", encoding="utf-8") as file:
                file.write(program)
            entry = everything.Entry.__new__(everything.Entry)
            entry.name, entry.about, entry.options, entry.budget_s = "made-up", "Made up.", [], budget_s
            here, harness.HERE = harness.HERE, folder
            try:
                return everything.measure(entry, everything.Clock([10]))
            finally:
                harness.HERE = here

    def test_a_result_is_kept(self):
        bench = harness.Bench("made-up", ["bench/run", "made-up"])
        found = self.measure(f"print('words')\nprint({bench.result({'a': 1}, {'a': [0, 2]})!r})")
        self.assertEqual((found["figures"], found["spread"], found["turns"]), ({"a": 1}, {"a": [0, 2]}, []))

    def test_a_failure_is_its_sentence(self):
        found = self.measure("import sys\nsys.exit('bench/run made-up: there is no OVS here')")
        self.assertEqual(found["failure"], "there is no OVS here")
        self.assertNotIn("figures", found)

    def test_no_result_is_a_failure(self):
        self.assertIn("no result", self.measure("print('done')")["failure"])

    def test_what_never_ends_is_ended(self):
        before = everything.OVERRUN_S
        everything.OVERRUN_S = 1
        try:
            found = self.measure("import time\ntime.sleep(600)", 0)
        finally:
            everything.OVERRUN_S = before
        self.assertEqual(found["failure"], "ended after 1 s")

    def heard(self, pipe):
        """The next byte of a pipe, once there is one; nothing: nobody has its other end any more."""
        self.assertTrue(select.select([pipe], [], [], 60)[0], "nothing was heard for a minute")
        return os.read(pipe, 1)

    def test_what_it_started_is_ended_with_it(self):
        program = ("import subprocess, sys, time\n"
                   "told = open(sys.argv[1], 'wb', 0)\n"
                   "subprocess.Popen(['sleep', '600'], stdout=told)\n"
                   "told.write(b'.')\n"
                   "time.sleep(600)")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "told")
            os.mkfifo(path)
            pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self.addCleanup(os.close, pipe)
            child = everything.Child([sys.executable, "-c", program, path], everything.Clock([10]), dict(os.environ))
            try:
                self.assertEqual(self.heard(pipe), b".")
            finally:
                child.end()
            self.assertEqual(self.heard(pipe), b"")


class Pictures(unittest.TestCase):
    def test_they_are_svg_and_inside_of_their_page(self):
        files = page.of(result_with(containers=BULK, sched=SCHED))
        self.assertEqual(sorted(os.path.basename(name) for name in files),
                         ["benchmarks.md", "containers.svg", "goals.svg", "sched.svg"])
        for name, text in files.items():
            if name.endswith(".svg"):
                root = xml.etree.ElementTree.fromstring(text)
                width, height = (float(word) for word in root.get("viewBox").split()[2:])
                for element in root.iter():
                    for key, most in ("x", width), ("x2", width), ("cx", width), ("y", height), ("cy", height):
                        self.assertTrue(0 <= float(element.get(key, 0)) <= most, (name, element.attrib))

    def test_nothing_measured_nothing_drawn(self):
        self.assertEqual(list(page.of(result_with(containers={"about": "b", "failure": "no", "seconds": 1, "budget_s": 1}))),
                         ["docs/benchmarks.md"])

    def test_labels_do_not_cover_one_another(self):
        found = dict(draw.apart([100, 101, 50, 102], 17))
        places = sorted(found.values())
        self.assertTrue(all(b - a >= 17 for a, b in zip(places, places[1:])))

    def test_numbers(self):
        self.assertEqual([draw.number(value) for value in (0, 3, 4.25, 1048576, 21234567890.0, 0.0123456, 12345.6)],
                         ["0", "3", "4.25", "1.05 M", "21.2 G", "0.0123", "12,346"])


class Page(unittest.TestCase):
    def test_it_fits_80_columns_and_says_all(self):
        text = page.of(result_with(containers=BULK, sched=SCHED))["docs/benchmarks.md"]
        self.assertEqual([line for line in lines_outside_code(text) if len(line) > 80], [])
        flat = " ".join(text.split())
        for words in ("15 undisturbed pairs of 17 (others: calibration 1, stolen 2)", "speed changed by 1.46 times", "commit 0123456789ab", "bench/run containers --pairs 15",
                      "tc qdisc add", "1.25 times what was allowed", "DPDK"):
            self.assertIn(words, flat)

    def test_disturbed_pairs_are_called_so(self):
        bulk = dict(BULK, turns=[dict(TURNS, n_pairs=1, is_disturbed=True)])
        text = page.of(result_with(containers=bulk))["docs/benchmarks.md"]
        self.assertIn("prove nothing", " ".join(text.split()))

    def test_what_is_not_reached_is_told_with_what_was_tried(self):
        sched = dict(SCHED, disturbed=["speedup_4096"])
        flat = " ".join(page.of(result_with(sched=sched))["docs/benchmarks.md"].split())

        def told(verdict, figure):
            of_verdict = flat[flat.index(page.NOT_REACHED[verdict]):]
            return of_verdict[of_verdict.index(f"- `{figure}`"):].split(" - `")[0]
        for verdict, figure in ("disturbed", "sched.speedup_4096"), ("no figure", "contract.goodput_error_percent"):
            tried = " ".join(goals.TRIED[tuple(figure.split("."))].split())
            self.assertIn("Tried: " + tried[:40], told(verdict, figure))
        self.assertIn("rte_sched): 4.25, from 4.1 to 4.4.", told("disturbed", "sched.speedup_4096"))

    def test_a_page_says_what_no_worse_is(self):
        for interval, words in ([0.97, 1.02], "met"), ([0.8, 1.2], "not shown"), ([0.8, 0.9], "worse, from 0.8 to 0.9"):
            vms = dict(SCHED, figures={"tcp_over_ovs": 0.98}, spread={"tcp_over_ovs": interval}, disturbed=[], turns=[TURNS])
            flat = " ".join(page.of(result_with(vms=vms))["docs/benchmarks.md"].split())
            self.assertIn("No worse (0.95): as good as the other.", flat)
            self.assertRegex(flat, r"`vms.tcp_over_ovs` \| no worse \(0.95\) +\| 0.98 +\| "
                             + {"met": "met", "not shown": "not shown"}.get(words, "missed"))
            self.assertIn(words, flat)

    def test_compared(self):
        faster = copy.deepcopy(SCHED)
        faster["figures"]["speedup_4096"], faster["spread"]["speedup_4096"] = 5.0, [4.9, 5.1]
        text = page.compared(result_with(sched=SCHED), result_with(sched=faster))
        row = next(line for line in text.split("\n") if "speedup_4096" in line)
        self.assertIn("+17.6 %", row)
        self.assertIn("*", row)


README = """# x

## How fast

At 4,096 instances it costs a quarter: TCP by the bridge is {prose}.

| what | measured | figure |
|------|----------|--------|
| scheduler | {value} | `sched.speedup_4096` |

## Other

A hundred times: 999 times.
"""


class Readme(unittest.TestCase):
    def unfounded(self, value="4.25", prose="1.06 times"):
        text = page.of(result_with(containers=BULK, sched=SCHED))["docs/benchmarks.md"]
        return list(page.unfounded("README.md", README.format(value=value, prose=prose), text))

    def test_what_the_page_shows_may_be_quoted(self):
        self.assertEqual(self.unfounded(), [])

    def test_what_it_does_not_show_is_found(self):
        self.assertEqual(len(self.unfounded(value="4.3")), 1)
        self.assertEqual(len(self.unfounded(prose="1.3 times")), 1)
        self.assertEqual(len(self.unfounded(value="97", prose="97 Gbit/s")), 2)
        self.assertEqual(len(self.unfounded(prose="77 % faster")), 1)

    def test_disturbed_figures_are_not_quoted(self):
        self.assertEqual(page.quotable(SCHED, "speedup_4096"), "4.25")
        self.assertEqual(page.quotable(dict(SCHED, disturbed=["speedup_4096"]), "speedup_4096"), "disturbed")

    def test_quick_runs_are_not_quoted(self):
        written = page.quoted("README.md", README.format(value="4.25", prose=""), dict(result_with(sched=SCHED), kind="quick"))
        self.assertIn("| not measured | `sched.speedup_4096` |", written)

    def test_the_report_writes_the_figures(self):
        result = result_with(containers=BULK, sched=SCHED)
        written = page.quoted("README.md", README.format(value="old", prose="1.06 times"), result)
        self.assertEqual(list(page.unfounded("README.md", written, page.of(result)[page.PAGE])), [])
        self.assertIn("| 4.25", written)
        without = page.quoted("README.md", README.format(value="4.25", prose=""), result_with(containers=BULK))
        self.assertIn("| not measured | `sched.speedup_4096` |", without)


class Compare(unittest.TestCase):
    def test_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.json")
            everything.save(path, result_with(sched=SCHED))
            done = subprocess.run([os.path.join(harness.HERE, "report"), "--compare", path, path],
                                  capture_output=True, text=True, check=False)
            self.assertIn("sched.speedup_4096", done.stdout)
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"format": 7}, file)
            done = subprocess.run([os.path.join(harness.HERE, "report"), path], capture_output=True, text=True,
                                  check=False)
            self.assertIn("is no result", done.stderr)
            self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    turns_test.run(sys.modules[__name__])
