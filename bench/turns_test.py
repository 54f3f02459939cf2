#!/usr/bin/env python3
"""Sides measured in turn: order, ratios, intervals and the guard, on a machine that a test makes up.

What must be found is also looked for by a guard that looks at nothing; if that passed as well, the test would be
worth nothing.
"""
import json
import os
import random
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
import turns  # noqa: E402


class Bench:
    """As much of harness.Bench as Turns needs."""

    def __init__(self):
        self.turns, self.told, self.is_late, self.n_waited = [], [], False, 0

    def has_time(self):
        return not self.is_late

    def progress(self, text):
        self.told.append(text)

    def wait_for_quiet(self):
        self.n_waited += 1


class Machine:
    """A machine of a test: time passes when a slice says so, and things happen when it wants them to."""

    def __init__(self):
        self.time_s, self.stolen, self.loop_s = 0.0, 0, [0.005, 0.004]
        self.watches = []

    def now_s(self):
        return self.time_s

    def stolen_ms(self):
        return self.stolen

    def calibrate(self):
        return list(self.loop_s)

    def watch(self):
        return Watch(self)


class Watch:
    """Of a test: the loop's mean is that of when it began and of what was noted meanwhile."""

    def __init__(self, machine):
        self.machine, self.seen = machine, [machine.calibrate()]
        machine.watches.append(self)

    def end(self):
        self.machine.watches.remove(self)
        return [sum(column) / len(column) for column in zip(*self.seen)]


class Blind(turns.Guard):
    """The broken twin: no pair is ever disturbed."""

    def why(self, pair):
        return []


class OfTheRun(turns.Guard):
    """Another one: judges by the first loop that it saw, whichever pair that was in."""

    def __init__(self, machine):
        super().__init__(machine)
        self.first = machine.calibrate()

    def why(self, pair):
        loops = [self.first] + [loop for piece in pair.values() for loop in piece["loops"]]
        return ["calibration"] if turns.apart(loops) > turns.MAX_APART else []


class World:
    """Two sides on a made-up machine. happens: {number of the slice: function(machine)}, during that slice; between:
    {number of the pair: function(machine)}, when nothing is measured, in front of it."""

    def __init__(self, happens=None, values=None, pairs=15, guard=turns.Guard, between=None, within_s=None):
        self.machine, self.happens, self.between = Machine(), happens or {}, between or {}
        self.values = values or {"a": lambda n: 200.0, "b": lambda n: 100.0}
        self.order, self.bench = [], Bench()
        self.turns = turns.Turns(self.bench, {side: lambda side=side: self.slice(side) for side in self.values},
                                 pairs, guard(self.machine), within_s)
        self.turns._pair = lambda order, pair=self.turns._pair: self.pair(pair, order)

    def pair(self, measure, order):
        self.between.get(len(self.turns.measured), lambda machine: None)(self.machine)
        return measure(order)

    def slice(self, side):
        number = len(self.order)
        self.order.append(side)
        self.machine.time_s += 1.0
        if number in self.happens:
            self.happens[number](self.machine)
        return {"rate": self.values[side](number)}


def steal(milliseconds):
    return lambda machine: setattr(machine, "stolen", machine.stolen + milliseconds)


def slow(factor, processor=0):
    def happen(machine):
        machine.loop_s[processor] *= factor
    return happen


def visit(factor, parts, all_parts=10):
    """Somebody makes it slower for so many parts of what is left of the slice, and is gone before it ends."""
    def happen(machine):
        for watch in machine.watches:
            usual = watch.seen.pop()
            watch.seen += [[loop * factor for loop in usual]] * parts + [usual] * (all_parts - parts)
    return happen


def declare(machine):
    raise turns.Disturbed("the link went down")


class Order(unittest.TestCase):
    def test_each_side_comes_first_as_often(self):
        world = World(pairs=4)
        world.turns.run()
        self.assertEqual("".join(world.order), "ab" "ba" "ab" "ba")

    def test_three_sides_rotate(self):
        world = World(values={side: lambda n: 1.0 for side in "abc"}, pairs=3)
        world.turns.run()
        self.assertEqual("".join(world.order), "abc" "bca" "cab")

    def test_progress_is_told_for_each_pair(self):
        world = World(pairs=4)
        world.turns.run()
        self.assertEqual(len(world.bench.told), 4)
        self.assertIn("left", world.bench.told[0])


class Figures(unittest.TestCase):
    def test_ratio_is_of_pairs_not_of_medians(self):
        # The machine becomes ten times as fast in the middle of the run; the ratio is 2 in each pair.
        speed = lambda n: 1.0 if n < 15 else 10.0
        world = World(values={"a": lambda n: 200.0 * speed(n - n % 2), "b": lambda n: 100.0 * speed(n - n % 2)})
        world.turns.run()
        self.assertEqual(world.turns.ratio("a", "b", "rate"), (2.0, [2.0, 2.0]))

    def test_a_ratio_may_be_of_some_pairs(self):
        # In every other pair, of slices 0 and 1, 4 and 5, ..., one side is three times as fast; the order changes, too.
        world = World(values={"a": lambda n: 300.0 if n % 4 < 2 else 100.0, "b": lambda n: 100.0}, pairs=10)
        world.turns.run()
        fast = lambda pair: pair["a"]["figures"]["rate"] > 200
        self.assertEqual(world.turns.ratio("a", "b", "rate", among=fast), (3.0, [3.0, 3.0]))
        self.assertEqual(world.turns.ratio("a", "b", "rate", among=lambda pair: not fast(pair)), (1.0, [1.0, 1.0]))
        self.assertEqual(len(world.turns.values("a", "rate", fast)), 5)
        self.assertEqual(world.turns.ratio("a", "b", "rate")[0], 2.0)

    def test_a_difference_is_of_pairs_too(self):
        # What both have in common changes from pair to pair.
        world = World(values={"a": lambda n: 10.0 * (n // 2) + 3.0, "b": lambda n: 10.0 * (n // 2)})
        world.turns.run()
        self.assertEqual(world.turns.difference("a", "b", "rate"), (3.0, [3.0, 3.0]))

    def test_median_and_spread(self):
        world = World(values={"a": float, "b": lambda n: 1.0}, pairs=5)
        world.turns.run()  # a was measured as slices 0, 3, 4, 7, 8
        self.assertEqual(world.turns.median("a", "rate"), 4.0)
        self.assertEqual(world.turns.spread("a", "rate"), [0.0, 8.0])

    def test_same_values_same_interval(self):
        values = [random.Random(7).gauss(1, 0.1) for _ in range(15)]
        self.assertEqual(turns.interval(values), turns.interval(values))

    def test_interval_covers_the_median_as_often_as_it_says(self):
        self.assertGreater(self.coverage(turns.CONFIDENCE), 0.90)

    def test_half_an_interval_does_not(self):
        self.assertLess(self.coverage(0.5), 0.80)

    @staticmethod
    def coverage(confidence):
        """How often the interval holds the true median, over made-up runs of 15 pairs whose noise is skewed."""
        chance, held, n_runs = random.Random(1), 0, 150
        truth = 1.0  # the median of this log-normal
        for _ in range(n_runs):
            low, high = turns.interval([chance.lognormvariate(0, 0.2) for _ in range(15)], confidence=confidence)
            held += low <= truth <= high
        return held / n_runs

    def test_nothing_is_divided_by_nothing(self):
        world = World(values={"a": lambda n: 1.0, "b": lambda n: 0.0}, pairs=3)
        world.turns.run()
        self.assertRaises(harness.Failure, world.turns.ratio, "a", "b", "rate")


class GuardFinds(unittest.TestCase):
    """Each as it should be, and through the blind guard, where it must not be found."""

    def check(self, happens, why):
        world = World(happens)
        world.turns.run()
        self.assertEqual(world.turns.why, why)
        self.assertEqual(len(world.turns.measured), 15 + max(why.values()))
        self.assertEqual(world.turns.n_pairs, 15)
        self.assertFalse(world.turns.is_disturbed)
        blind = World(happens, guard=Blind)
        blind.turns.run()
        self.assertEqual((blind.turns.why, len(blind.turns.measured)), ({}, 15))

    def test_stolen_time(self):
        self.check({3: steal(11)}, {"stolen": 1})

    def test_a_machine_that_changes_inside_a_pair(self):
        self.check({4: slow(1.5)}, {"calibration": 1})

    def test_and_between_its_slices_or_back_again(self):
        # Slow in the middle of slice 4, and itself again in slice 5: one pair.
        self.check({4: slow(1.11), 5: slow(1 / 1.11)}, {"calibration": 1})

    def test_a_faster_one_and_the_other_processor(self):
        self.check({8: slow(0.9, 1), 11: slow(1 / 0.9, 1)}, {"calibration": 2})

    def test_a_pair_may_have_two_reasons(self):
        def both(machine):
            steal(11)(machine)
            slow(1.5)(machine)
        self.check({4: both}, {"calibration": 1, "stolen": 1})

    def test_a_machine_that_changes_between_pairs_loses_none(self):
        between = {2: slow(1.5), 5: slow(1 / 1.5), 9: slow(1.5, 1)}
        world = World(between=between)
        world.turns.run()
        self.assertEqual((world.turns.why, len(world.turns.measured)), ({}, 15))
        self.assertEqual(world.turns.about()["swing"], 1.5)
        twin = World(between=between, guard=OfTheRun)
        twin.turns.run()
        self.assertEqual(twin.turns.why["calibration"], 3 + turns.ATTEMPTS * 15 - 9)  # 2 to 4; from 9 on

    def test_a_little_of_either_is_no_reason(self):
        world = World({3: steal(9), 4: slow(1.09), 5: slow(1 / 1.09)})
        world.turns.run()
        self.assertEqual((world.turns.why, len(world.turns.measured)), ({}, 15))

    def test_a_drift_within_a_pair_is_nobodys(self):
        # Each slice is 2 % slower than the one before, for good; the order rotates, so that neither side has it.
        drift = {n: slow(1.02) for n in range(100)}
        world = World(drift, {"a": lambda n: 1.02 ** n, "b": lambda n: 1.02 ** n}, pairs=16)
        world.turns.run()
        self.assertEqual(world.turns.why, {})
        ratio, (low, high) = world.turns.ratio("a", "b", "rate")
        self.assertAlmostEqual(ratio, 1, delta=0.001)
        self.assertTrue(low < 1 < high)

    def test_a_disturbed_slice_changes_no_figure(self):
        values = {"a": lambda n: 9e9 if n == 3 else 200.0, "b": lambda n: 100.0}
        world = World({3: steal(500)}, values)
        world.turns.run()
        self.assertEqual(world.turns.spread("a", "rate"), [200.0, 200.0])
        blind = World({3: steal(500)}, values, guard=Blind)
        blind.turns.run()
        self.assertEqual(blind.turns.spread("a", "rate"), [200.0, 9e9])


class LongSlices(unittest.TestCase):
    """A neighbour that comes and goes within a slice: what counts is for how long it was there, in each."""

    def world(self, happens, guard=turns.Throughout):
        world = World(happens, pairs=3, guard=guard)
        world.turns.run()
        return world

    def test_who_was_there_in_one_slice_alone_disturbs_the_pair(self):
        happens = {0: visit(1.4, 5)}
        self.assertEqual(self.world(happens).turns.why, {"calibration": 1})
        # At the ends of the slice nothing is seen of it: this guard is needed.
        self.assertEqual(self.world(happens, turns.Guard).turns.why, {})

    def test_who_was_there_for_as_long_in_both_disturbs_none(self):
        self.assertEqual(self.world({0: visit(1.4, 5), 1: visit(1.4, 6)}).turns.why, {})

    def test_what_is_stolen_or_declared_counts_as_ever(self):
        self.assertEqual(self.world({0: steal(20), 3: declare}).turns.why, {"stolen": 1, "the link went down": 1})

    def test_a_processor_that_stays_slower_is_found(self):
        self.assertEqual(self.world({0: lambda machine: slow(1.3)(machine)}).turns.why, {"calibration": 1})


class SlicesByThemselves(unittest.TestCase):
    """turns.Alone: nothing is compared within pairs, so that one slice is no reason to throw the other away."""

    def world(self, happens, pairs=3):
        world = World(happens, pairs=pairs)
        world.turns.guard = turns.Alone(world.bench, world.machine)
        return world

    def test_only_the_disturbed_slice_is_measured_again(self):
        happens = {1: steal(500), 3: declare}
        world = self.world(happens)
        world.turns.run()
        self.assertEqual("".join(world.order), "abb" "bba" "ab")
        self.assertEqual((world.turns.why, world.turns.n_pairs, world.turns.about()["n_slices_again"]), ({}, 3, 2))
        twin = World(happens, pairs=3)  # by pairs it takes more
        twin.turns.run()
        self.assertGreater(len(twin.order), len(world.order))

    def test_what_was_stolen_from_changes_no_figure(self):
        world = self.world({2: steal(500)})
        world.values["a"] = lambda n: 9e9 if n == 2 else 200.0
        world.values["b"] = lambda n: 9e9 if n == 2 else 100.0
        world.turns.run()
        self.assertEqual((world.turns.spread("a", "rate"), world.turns.spread("b", "rate")),
                         ([200.0, 200.0], [100.0, 100.0]))

    def test_a_slower_processor_is_no_reason(self):
        world = self.world({1: slow(1.5)})
        world.turns.run()
        self.assertEqual((world.turns.why, len(world.order)), ({}, 6))

    def test_it_gives_up_and_says_so(self):
        world = self.world({n: steal(500) for n in range(1000)}, pairs=1)
        world.turns.run()
        self.assertTrue(world.turns.is_disturbed)
        late = self.world({n: steal(500) for n in range(1000)}, pairs=1)
        late.bench.is_late = True
        late.turns.run()
        self.assertEqual(len(late.order), 2)


class TooFew(unittest.TestCase):
    def test_a_slice_may_declare_itself(self):
        world = World({2: declare})
        world.turns.run()
        self.assertEqual(world.turns.why, {"the link went down": 1})
        self.assertEqual(world.turns.n_pairs, 15)

    def test_no_more_than_a_few_times_the_pairs(self):
        world = World({n: steal(100) for n in range(100)}, pairs=6)
        world.turns.run()
        self.assertEqual(len(world.turns.measured), turns.ATTEMPTS * 6)
        self.assertEqual(world.turns.n_pairs, 0)
        self.assertTrue(world.turns.is_disturbed)
        self.assertEqual(world.turns.median("a", "rate"), 200.0)  # of all pairs, and said so
        about = world.turns.about()
        self.assertEqual((about["n_pairs"], about["why"], about["is_disturbed"]), (0, {"stolen": 24}, True))

    def test_by_time_it_is_tried_for_so_long_however_often(self):
        # A pair takes 2 s; all but the 40th and the 41st are disturbed.
        world = World({n: steal(100) for n in range(200) if n not in (80, 81, 82, 83)}, pairs=2, within_s=100)
        world.turns.run()
        self.assertEqual((len(world.turns.measured), world.turns.n_pairs, world.turns.is_disturbed), (42, 2, False))
        late = World({n: steal(100) for n in range(200)}, pairs=2, within_s=100)
        late.turns.run()
        self.assertEqual((len(late.turns.measured), late.turns.is_disturbed), (50, True))
        over = World({n: steal(100) for n in range(200)}, pairs=2, within_s=100)
        over.bench.is_late = True
        over.turns.run()
        self.assertEqual(len(over.turns.measured), 2)

    def test_what_was_waited_for_a_thief_is_not_of_that_time(self):
        world = World({n: steal(100) for n in range(200)}, pairs=2, within_s=10)
        world.bench.wait_for_quiet = lambda: setattr(world.machine, "time_s", world.machine.time_s + 50)
        world.turns.run()
        self.assertEqual(len(world.turns.measured), 5)

    def test_nothing_is_repeated_when_the_time_is_over(self):
        world = World({n: steal(100) for n in range(100)}, pairs=6)
        world.bench.is_late = True
        world.turns.run()
        self.assertEqual(len(world.turns.measured), 6)

    def test_some_are_enough_if_they_are_a_third(self):
        world = World({n: steal(100) for n in range(108)}, pairs=15)
        world.turns.run()
        self.assertEqual(world.turns.n_pairs, 6)
        self.assertFalse(world.turns.is_disturbed)
        self.assertEqual(len(world.turns.used), 6)

    def test_nothing_measured_is_a_failure(self):
        world = World({n: declare for n in range(100)}, pairs=3)
        with self.assertRaisesRegex(harness.Failure, "every one of 12 pairs .* the link went down 12"):
            world.turns.run()

    def test_a_figure_is_good_only_if_it_is_from_undisturbed_turns(self):
        good, bad = World(values={"a": lambda n: 3.0, "b": lambda n: 2.0}), World({n: steal(100) for n in range(200)})
        found = {"good": good.turns.run().ratio("a", "b", "rate")[0], "bad": bad.turns.run().ratio("a", "b", "rate")[0],
                 "derived": 7.0}
        every = [good.turns, bad.turns]
        self.assertEqual(harness.disturbed(found, every), ["bad", "derived"])
        self.assertEqual(harness.disturbed(found, [good.turns]), [])

    def test_a_benchmark_may_say_so_itself(self):
        bench = harness.Bench("made-up", ["bench/run", "made-up"])
        bench.disturbed.add("b")
        self.assertEqual(json.loads(bench.result({"a": 1.0, "b": 2.0}, {}))["disturbed"], ["b"])

    def test_who_comes_first_does_not_take_the_time_of_the_last(self):
        bench = harness.Bench("made-up", ["bench/run", "made-up"])
        bench.budget_s, bench.n_turns = 10.0, 2
        for n, seconds, has_time in (1, 4, True), (1, 6, False), (2, 6, True), (2, 11, False), (3, 11, False):
            bench.turns, bench.began_s = [None] * n, time.monotonic() - seconds
            self.assertEqual(bench.has_time(), has_time, (n, seconds))

    def test_a_thief_is_waited_for_and_nothing_else(self):
        world = World({3: steal(100), 4: steal(100), 9: declare, 13: steal(100)}, pairs=5)
        world.turns.run()
        self.assertEqual(world.bench.n_waited, 3)  # pairs 1, 2 and 6; of pair 4 it declared itself disturbed

    def waiting(self, patience_s, looks):
        """(whether it was quiet in the end, how often it was looked): it is where looks say so, and not after them."""
        bench, looks, n = harness.Bench("made-up", ["bench/run", "made-up"]), iter(looks), [0]
        bench.patience_s, bench.progress = patience_s, lambda text: None

        def is_quiet():
            n[0] += 1
            return next(looks, False)

        return bench.wait_for_quiet(is_quiet, sleep=lambda s: time.sleep(0.001)), n[0], bench

    def test_who_has_no_patience_does_not_look(self):
        self.assertEqual(self.waiting(0, [True])[:2], (False, 0))

    def test_a_wait_ends_with_the_thief(self):
        found, n, bench = self.waiting(1000, [False, False, True])
        self.assertEqual((found, n), (True, 3))
        self.assertGreater(bench.waited_s, 0)

    def test_a_wait_ends_with_the_patience_and_is_not_of_the_budget(self):
        found, n, bench = self.waiting(0.02, [])
        self.assertFalse(found)
        self.assertGreater(n, 1)
        bench.budget_s = time.monotonic() - bench.began_s - bench.waited_s / 2
        self.assertTrue(bench.has_time())
        self.assertFalse(bench.wait_for_quiet(lambda: self.fail("looked again")))

    def test_a_result_knows_its_turns(self):
        world = World()
        self.assertEqual(world.bench.turns, [world.turns])


class Stay(unittest.TestCase):
    """Settings as files of a folder, as a module of the kernel has them."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        before, harness.HALT_POLL = harness.HALT_POLL, os.path.join(self.folder.name, "poll_")
        self.addCleanup(setattr, harness, "HALT_POLL", before)
        before_by, harness.HALT_POLL_BY = harness.HALT_POLL_BY, os.path.join(self.folder.name, "by_")
        self.addCleanup(setattr, harness, "HALT_POLL_BY", before_by)
        self.put_by("haltpoll")

    def put_by(self, driver):
        for what, name in ("driver", driver), ("governor", "haltpoll"):
            with open(harness.HALT_POLL_BY + what, "w", encoding="utf-8") as file:
                file.write(name + "\n")

    def put(self, values):
        for name, value in values.items():
            with open(harness.HALT_POLL + name, "w", encoding="utf-8") as file:
                file.write(value + "\n")

    def found(self):
        return {name: harness.read(harness.HALT_POLL + name).strip() for name in harness.HALT_POLL_IS}

    def test_what_was_set_comes_back_however_it_ends(self):
        before = {"ns": "200000", "allow_shrink": "Y"}
        self.put(before)
        with self.assertRaises(KeyboardInterrupt):
            with harness.processors_stay() as stay:
                self.assertTrue(stay)
                self.assertEqual(self.found(), harness.HALT_POLL_IS)
                raise KeyboardInterrupt
        self.assertEqual(self.found(), before)

    def test_a_kernel_that_does_not_use_it_is_not_said_to(self):
        before = {"ns": "200000", "allow_shrink": "Y"}
        self.put(before)
        self.put_by("none")
        with harness.processors_stay() as stay:
            self.assertFalse(stay)
            self.assertEqual(self.found(), before)

    def test_a_machine_without_the_setting_is_left_as_it_is(self):
        harness.HALT_POLL = os.path.join(self.folder.name, "none", "poll_")
        with harness.processors_stay() as stay:
            self.assertFalse(stay)


class Real(unittest.TestCase):
    def test_the_loop_runs_where_it_should_and_leaves_no_trace(self):
        before = os.sched_getaffinity(0)
        found = turns.Machine().calibrate()
        self.assertEqual(len(found), min(len(before), 2))
        self.assertEqual(len(turns.of_last_processor().machine.calibrate()), 1)
        self.assertTrue(all(took > 0 for took in found))
        self.assertEqual(os.sched_getaffinity(0), before)

    def test_so_does_the_one_that_runs_all_through_a_slice(self):
        before, n_threads = os.sched_getaffinity(0), threading.active_count()
        found = turns.Machine().watch().end()
        self.assertEqual(len(found), min(len(before), 2))
        self.assertTrue(all(took > 0 for took in found))
        self.assertEqual((os.sched_getaffinity(0), threading.active_count()), (before, n_threads))

    def test_what_interrupted_a_loop_is_left_out(self):
        self.assertAlmostEqual(turns.mean_of_most([2.0] * 9 + [90.0]), 2.0)
        self.assertAlmostEqual(turns.mean_of_most([2.0] * 10 + [3.0] * 10), 2.0 + 8 / 18)
        self.assertEqual(turns.mean_of_most([5.0]), 5.0)


def run(module):
    """All tests of a module; the last line counts them, as tools/run_tests.py wants it."""
    found = unittest.TextTestRunner(sys.stdout, verbosity=2).run(unittest.defaultTestLoader.loadTestsFromModule(module))
    failed = len(found.failures) + len(found.errors)
    print(f"{found.testsRun - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    run(sys.modules[__name__])
