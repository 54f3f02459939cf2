"""Sides measured in turn, what may be said of them afterwards, and the guard that throws slices away.

A slice is one call of one side; a pair is one slice of each side, however many sides there are. Neighbours in time
share what the machine does, so sides are compared within pairs, and the order rotates, so that each side comes first
as often as any other. A pair counts if none of its slices was disturbed. What is disturbed:

    stolen         more than 1 % of the slice was taken from the machine by its host (/proc/stat, all processors)
    calibration    a loop of fixed work, run before and after the slice on the first and on the last processor,
                   took more than 5 % longer or shorter than the run's median of it
    anything else  the slice itself raised Disturbed("reason")

Nothing of a side may be left polling when its slice ends: the other side and the loop would be measured under it.
If too few pairs are left, the figures are those of all pairs that came to an end, and is_disturbed says so.
"""
import os
import random
import time

import harness

MAX_STOLEN = 0.01  # of the slice
MAX_MOVED = 0.05  # of the median of the calibration loop
ATTEMPTS = 2  # times the pairs asked for, at most
LEAST_PAIRS = 3  # or a third of those asked for, if that is more: else the figures are disturbed
LOOP_STEPS, LOOPS = 6000, 7  # less than 1 ms each; the middle one of seven does not see a lone interrupt
RESAMPLES, SEED = 4000, 20
CONFIDENCE = 0.95


class Disturbed(Exception):
    """A slice says that it measured something else; the sentence is counted as its reason."""


def median(values):
    return harness.median(values)


def interval(values, statistic=median, confidence=CONFIDENCE, seed=SEED):
    """[lo, hi]: percentile bootstrap of a statistic over independent values; the same values, the same answer."""
    values, chance = list(values), random.Random(seed)
    found = sorted(statistic(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = int((1 - confidence) / 2 * RESAMPLES)
    return [found[tail], found[-1 - tail]]


def work():
    """Fixed integer work; returns how long it took, in seconds."""
    began, state = time.perf_counter(), 1
    for _ in range(LOOP_STEPS):
        state = (state * 1103515245 + 12345) & 0x7fffffff
    return time.perf_counter() - began


def calibrate():
    """What the loop takes now: the first and the last processor that this thread may use, pinned to each."""
    allowed = os.sched_getaffinity(0)
    try:
        found = []
        for processor in sorted({min(allowed), max(allowed)}):
            os.sched_setaffinity(0, {processor})
            work()  # wakes the processor
            found.append(median([work() for _ in range(LOOPS)]))
        return found
    finally:
        os.sched_setaffinity(0, allowed)


class Machine:
    """What the guard looks at; a test brings its own."""
    now_s = staticmethod(time.monotonic)
    stolen_ms = staticmethod(harness.stolen_ms)
    calibrate = staticmethod(calibrate)


class Guard:
    """Runs slices between two calibrations and says afterwards which were disturbed."""

    def __init__(self, machine=Machine):
        self.machine = machine
        self.loops = [machine.calibrate() for _ in range(5)]

    def run(self, function):
        """One slice: {figures, declared, stolen, loops, seconds}."""
        before, stolen_ms, began = self.machine.calibrate(), self.machine.stolen_ms(), self.machine.now_s()
        figures, declared = None, None
        try:
            figures = function()
        except Disturbed as reason:
            declared = str(reason) or "declared by the slice"
        seconds = self.machine.now_s() - began
        stolen = (self.machine.stolen_ms() - stolen_ms) / 1e3 / max(seconds, 1e-9)
        loops = [before, self.machine.calibrate()]
        self.loops += loops
        return {"figures": figures, "declared": declared, "stolen": stolen, "loops": loops, "seconds": seconds}

    def medians(self):
        """Of the loop so far, by processor."""
        return [median(column) for column in zip(*self.loops)]

    def why(self, piece):
        """The reason for which a slice is thrown away, by the medians so far; None if it counts."""
        if piece["declared"] is not None:
            return piece["declared"]
        if piece["stolen"] > MAX_STOLEN:
            return "stolen"
        usual = self.medians()
        if any(abs(took / expected - 1) > MAX_MOVED
               for loop in piece["loops"] for took, expected in zip(loop, usual)):
            return "calibration"
        return None


class Turns:
    """Sides measured in turn (A, B, A, B ...), order rotated from pair to pair.

    sides: {name: function() -> {figure: number}}, one slice each call. run() repeats pairs that were disturbed, up to
    twice the pairs asked for, while the benchmark has time.
    """

    def __init__(self, bench, sides, pairs=15, guard=None):
        self.bench, self.sides, self.pairs = bench, dict(sides), pairs
        self.guard = guard
        self.measured = []  # pairs: {side: slice}; a pair in which a slice declared itself disturbed ends there
        self.used = []  # those of them that the figures are taken from
        self.why = {}  # reason: how many slices
        self.n_pairs = 0  # undisturbed ones
        self.given = set()  # numbers that were asked of it: by them a result knows which figures are from here
        bench.turns.append(self)

    @property
    def thrown(self):
        """How many slices were thrown away."""
        return sum(self.why.values())

    @property
    def is_disturbed(self):
        return self.n_pairs < max(LEAST_PAIRS, self.pairs // 3) and self.n_pairs < self.pairs

    def run(self):
        self.guard = self.guard or Guard()
        began, names = time.monotonic(), list(self.sides)
        while self.n_pairs < self.pairs and self._may_measure():
            first = len(self.measured) % len(names)
            self.measured.append(self._pair(names[first:] + names[:first]))
            self._judge()
            self._progress(time.monotonic() - began)
        if not self.used:
            raise harness.Failure(f"every one of {len(self.measured)} pairs was disturbed: {self._reasons()}")
        return self

    def _may_measure(self):
        n = len(self.measured)
        return n < self.pairs or n < ATTEMPTS * self.pairs and self.bench.has_time()

    def _pair(self, order):
        pair = {}
        for side in order:
            pair[side] = self.guard.run(self.sides[side])
            if pair[side]["declared"] is not None:
                break
        return pair

    def _judge(self):
        """All of them anew: the median of the loop is known better with every slice."""
        self.why, clean = {}, []
        for pair in self.measured:
            reasons = [reason for reason in map(self.guard.why, pair.values()) if reason is not None]
            for reason in reasons:
                self.why[reason] = self.why.get(reason, 0) + 1
            if not reasons:
                clean.append(pair)
        self.n_pairs = len(clean)
        ended = [pair for pair in self.measured if all(piece["figures"] is not None for piece in pair.values())]
        self.used = ended if self.is_disturbed else clean

    def _reasons(self):
        return ", ".join(f"{reason} {n}" for reason, n in sorted(self.why.items()))

    def _progress(self, seconds):
        last = self.measured[-1]
        left_s = seconds / len(self.measured) * (self.pairs - self.n_pairs)
        told = "; ".join(f"{side} " + (harness.short(piece["figures"]) if piece["declared"] is None
                                       else f"disturbed: {piece['declared']}") for side, piece in last.items())
        self.bench.progress(f"pair {self.n_pairs} of {self.pairs}"
                            + (f" (thrown away: {self._reasons()})" if self.why else "")
                            + f", about {left_s:.0f} s left: {told}")

    def values(self, side, figure):
        return [pair[side]["figures"][figure] for pair in self.used]

    def median(self, side, figure):
        return self._give(median(self.values(side, figure)))

    def _give(self, number):
        self.given.add(abs(number))  # who asks for the size of an error asks for the same
        return number

    def spread(self, side, figure):
        values = self.values(side, figure)
        return [min(values), max(values)]

    def ratio(self, a, b, figure):
        """(median of the pairs' ratios a by b, [lo, hi]): 95 % by bootstrap over the pairs; one pair has no width."""
        dividends, divisors = self.values(a, figure), self.values(b, figure)
        if not all(divisors):
            raise harness.Failure(f"{figure} of {b} was 0 in a pair, so there is no ratio")
        ratios = [dividend / divisor for dividend, divisor in zip(dividends, divisors)]
        return self._give(median(ratios)), interval(ratios)

    def about(self):
        """What the result says of it."""
        return {"sides": list(self.sides), "pairs_asked": self.pairs, "n_pairs": self.n_pairs,
                "n_pairs_measured": len(self.measured), "thrown_slices": self.thrown, "why": self.why,
                "is_disturbed": self.is_disturbed}
