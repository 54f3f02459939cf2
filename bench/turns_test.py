#!/usr/bin/env python3
"""Sides measured in turn: order, ratios, intervals and the guard, on a machine that a test makes up.

What must be found is also looked for by a guard that looks at nothing; if that passed as well, the test would be
worth nothing.
"""
import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
import turns  # noqa: E402


class Bench:
    """As much of harness.Bench as Turns needs."""

    def __init__(self):
        self.turns, self.told, self.is_late = [], [], False

    def has_time(self):
        return not self.is_late

    def progress(self, text):
        self.told.append(text)


class Machine:
    """A machine of a test: time passes when a slice says so, and things happen when it wants them to."""

    def __init__(self):
        self.time_s, self.stolen, self.loop_s = 0.0, 0, [0.005, 0.004]

    def now_s(self):
        return self.time_s

    def stolen_ms(self):
        return self.stolen

    def calibrate(self):
        return list(self.loop_s)


class Blind(turns.Guard):
    """The broken twin: no slice is ever disturbed."""

    def why(self, piece):
        return None


class World:
    """Two sides on a made-up machine. happens: {number of the slice: function(machine)}, during that slice."""

    def __init__(self, happens=None, values=None, pairs=15, guard=turns.Guard):
        self.machine, self.happens = Machine(), happens or {}
        self.values = values or {"a": lambda n: 200.0, "b": lambda n: 100.0}
        self.order, self.bench = [], Bench()
        self.turns = turns.Turns(self.bench, {side: lambda side=side: self.slice(side) for side in self.values},
                                 pairs, guard(self.machine))

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

    def check(self, happens, reason, n_thrown=1):
        world = World(happens)
        world.turns.run()
        self.assertEqual(world.turns.why, {reason: n_thrown})
        self.assertEqual(world.turns.thrown, n_thrown)
        self.assertEqual(world.turns.n_pairs, 15)
        self.assertFalse(world.turns.is_disturbed)
        blind = World(happens, guard=Blind)
        blind.turns.run()
        self.assertEqual(blind.turns.thrown, 0)

    def test_stolen_time(self):
        self.check({3: steal(11)}, "stolen")

    def test_a_slower_processor(self):
        # Slow in the middle of slice 4, and itself again in the next: both saw it on one side.
        self.check({4: slow(1.06), 5: slow(1 / 1.06)}, "calibration", 2)

    def test_a_faster_one_and_the_other_processor(self):
        self.check({8: slow(0.94, 1), 9: slow(1 / 0.94, 1)}, "calibration", 2)

    def test_a_little_of_either_is_no_reason(self):
        world = World({3: steal(9), 4: slow(1.04), 5: slow(1 / 1.04)})
        world.turns.run()
        self.assertEqual((world.turns.thrown, len(world.turns.measured)), (0, 15))

    def test_a_machine_that_changes_for_good_is_judged_by_the_median_of_all(self):
        # What was usual in the first two pairs was not what was usual: they go, though they were good at first.
        world = World({4: slow(1.2)})
        world.turns.run()
        self.assertEqual(world.turns.n_pairs, 15)
        self.assertEqual(world.turns.thrown, 5)

    def test_a_disturbed_slice_changes_no_figure(self):
        values = {"a": lambda n: 9e9 if n == 3 else 200.0, "b": lambda n: 100.0}
        world = World({3: steal(500)}, values)
        world.turns.run()
        self.assertEqual(world.turns.spread("a", "rate"), [200.0, 200.0])
        blind = World({3: steal(500)}, values, guard=Blind)
        blind.turns.run()
        self.assertEqual(blind.turns.spread("a", "rate"), [200.0, 9e9])


class TooFew(unittest.TestCase):
    def test_a_slice_may_declare_itself(self):
        world = World({2: declare})
        world.turns.run()
        self.assertEqual(world.turns.why, {"the link went down": 1})
        self.assertEqual(world.turns.n_pairs, 15)

    def test_no_more_than_twice_the_pairs(self):
        world = World({n: steal(100) for n in range(100)}, pairs=6)
        world.turns.run()
        self.assertEqual(len(world.turns.measured), 12)
        self.assertEqual(world.turns.n_pairs, 0)
        self.assertTrue(world.turns.is_disturbed)
        self.assertEqual(world.turns.median("a", "rate"), 200.0)  # of all pairs, and said so
        about = world.turns.about()
        self.assertEqual((about["n_pairs"], about["thrown_slices"], about["is_disturbed"]), (0, 24, True))

    def test_nothing_is_repeated_when_the_time_is_over(self):
        world = World({n: steal(100) for n in range(100)}, pairs=6)
        world.bench.is_late = True
        world.turns.run()
        self.assertEqual(len(world.turns.measured), 6)

    def test_some_are_enough_if_they_are_a_third(self):
        world = World({n: steal(100) for n in range(48)}, pairs=15)
        world.turns.run()
        self.assertEqual(world.turns.n_pairs, 6)
        self.assertFalse(world.turns.is_disturbed)
        self.assertEqual(len(world.turns.used), 6)

    def test_nothing_measured_is_a_failure(self):
        world = World({n: declare for n in range(100)}, pairs=3)
        with self.assertRaisesRegex(harness.Failure, "every one of 6 pairs .* the link went down 6"):
            world.turns.run()

    def test_a_figure_is_good_only_if_it_is_from_undisturbed_turns(self):
        good, bad = World(values={"a": lambda n: 3.0, "b": lambda n: 2.0}), World({n: steal(100) for n in range(100)})
        found = {"good": good.turns.run().ratio("a", "b", "rate")[0], "bad": bad.turns.run().ratio("a", "b", "rate")[0],
                 "derived": 7.0}
        every = [good.turns, bad.turns]
        self.assertEqual(harness.disturbed(found, every), ["bad", "derived"])
        self.assertEqual(harness.disturbed(found, [good.turns]), [])

    def test_a_result_knows_its_turns(self):
        world = World()
        self.assertEqual(world.bench.turns, [world.turns])


class Real(unittest.TestCase):
    def test_the_loop_runs_where_it_should_and_leaves_no_trace(self):
        before = os.sched_getaffinity(0)
        found = turns.calibrate()
        self.assertEqual(len(found), min(len(before), 2))
        self.assertTrue(all(took > 0 for took in found))
        self.assertEqual(os.sched_getaffinity(0), before)


def run(module):
    """All tests of a module; the last line counts them, as tools/run_tests.py wants it."""
    found = unittest.TextTestRunner(sys.stdout, verbosity=2).run(unittest.defaultTestLoader.loadTestsFromModule(module))
    failed = len(found.failures) + len(found.errors)
    print(f"{found.testsRun - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    run(sys.modules[__name__])
