"""Sides measured in turn, what may be said of them afterwards, and the guard that throws pairs away.

A slice is one call of one side; a pair is one slice of each side, however many sides there are. Neighbours in time
share what the machine does, so sides are compared within pairs, and the order rotates, so that each side comes first
as often as any other. A pair counts if nothing disturbed it. What does:

    stolen         more than 1 % of a slice was taken from the processors by their host (/proc/stat)
    calibration    a loop of fixed work, run before the pair and after each of its slices on the first and on the last
                   processor (where all sides run on one alone: on that), took more than 10 % longer at one of these times than at another, on one processor
    anything else  a slice itself raised Disturbed("reason")

The loop is judged within the pair, because that is where sides are compared: a processor of a virtual machine becomes
1.5 times slower for seconds when a neighbour works on the other half of its core, and pairs before and in that time are
as good as each other, since the ratio is. Figures that are no ratios are then of a machine whose speed changed between
pairs: they come with their spread, and about() says by how much the loop did (`swing`). 10 %: the best of seven loops
repeats itself within 1 % in most cases, and a neighbour's coming or going is 30 to 50 %. What stays below
drifts one way as often as the other, and as each side comes first as often, in the median it is nobody's.

A slice that has to last longer than a neighbour stays is another matter (Throughout): one that comes and goes every 20 to
100 ms was there at one end of some slice in nearly every pair, and in between for as long in one as in the other. Two
instants say nothing of such a slice, so the loop runs all through it, for one part in fifty of the time and before
everything else, and what is compared is its mean: how fast the processor was in one slice and in the other.

/proc/stat counts in ticks, mostly of 10 ms, and nothing that a program may read is finer (what a thread waited for,
run_delay, does not contain it). So of a slice of less than a second one tick is too much, and a theft that is less than
a tick is seen in whichever slice the tick is full.

Nothing of a side may be left polling when its slice ends: the other side and the loop would be measured under it.
If too few pairs are left, the figures are those of all pairs that came to an end, and is_disturbed says so.
"""
import os
import random
import threading
import time

import harness

MAX_STOLEN = 0.01  # of the slice
MAX_APART = 1.10  # slowest by fastest loop of a pair, on one processor
ATTEMPTS = 4  # times the pairs asked for, at most
LEAST_PAIRS = 3  # or a third of those asked for, if that is more: else the figures are disturbed
# A power of large numbers: a few hundred microseconds that the interpreter has no part in. The best of seven, which
# neither an interrupt nor a program that shares the processor is in.
LOOP_BASE, LOOP_EXPONENT, LOOP_MODULUS, LOOPS = 3, (1 << 60) - 1, (1 << 1279) - 1, 7
# Of slices that last longer than what disturbs them: a loop a third as long, so often on each processor. The slowest of
# them are left out: in these is what interrupted the loop, which what was stolen is counted by already.
LOOP_EXPONENT_WITHIN, PERIOD_S, LEFT_OUT = (1 << 20) - 1, 0.003, 0.1
RESAMPLES, SEED = 4000, 20
CONFIDENCE = 0.95
TELL_S = 1  # at least so long between two lines of progress


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


def work(exponent=LOOP_EXPONENT):
    """Fixed integer work; returns how long it took, in seconds."""
    began = time.perf_counter()
    pow(LOOP_BASE, exponent, LOOP_MODULUS)
    return time.perf_counter() - began


def calibrate(processors):
    """What the loop takes now on each of them, pinned to it."""
    allowed = os.sched_getaffinity(0)
    try:
        found = []
        for processor in processors:
            os.sched_setaffinity(0, {processor})
            found.append(min(work() for _ in range(LOOPS)))
        return found
    finally:
        os.sched_setaffinity(0, allowed)


class Watch:
    """The loop on each of some processors, again and again, until its end."""

    def __init__(self, processors):
        self.is_over = threading.Event()
        self.found = [[] for _ in processors]
        self.threads = [threading.Thread(target=self._run, args=words) for words in zip(processors, self.found)]
        for thread in self.threads:
            thread.start()

    def _run(self, processor, found):
        os.sched_setaffinity(0, {processor})  # this thread's
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pass  # what else runs makes it slower then, and is a disturbance
        while True:
            found.append(work(LOOP_EXPONENT_WITHIN))
            if self.is_over.wait(PERIOD_S):
                return

    def end(self):
        """What the loop took on average, on each."""
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return [mean_of_most(found) for found in self.found]


def mean_of_most(values):
    most = sorted(values)[:len(values) - int(len(values) * LEFT_OUT)]
    return sum(most) / len(most)


class Machine:
    """What the guard looks at; a test brings its own. processors: those on which the sides run, if not on all."""

    def __init__(self, processors=None):
        allowed = os.sched_getaffinity(0)
        self.processors, self.looked_at = processors, processors or sorted({min(allowed), max(allowed)})

    @staticmethod
    def now_s():
        return time.monotonic()

    def stolen_ms(self):
        return harness.stolen_ms(self.processors)

    def calibrate(self):
        return calibrate(self.looked_at)

    def watch(self):
        return Watch(self.looked_at)


def apart(loops):
    """How many times as long the loop took when it took longest as when it took least, on the worse processor."""
    return max(max(column) / min(column) for column in zip(*loops))


class Guard:
    """Runs slices between two calibrations and says afterwards which pairs were disturbed."""

    def __init__(self, machine=None):
        self.machine = machine or Machine()

    def run(self, function, before=None):
        """One slice: {figures, declared, stolen, loops, seconds}. before: the loop behind the slice before it."""
        before = before or self.machine.calibrate()
        piece = self._measure(function)
        return dict(piece, loops=[before, self.machine.calibrate()])

    def _measure(self, function):
        stolen_ms, began = self.machine.stolen_ms(), self.machine.now_s()
        figures, declared = None, None
        try:
            figures = function()
        except Disturbed as reason:
            declared = str(reason) or "declared by the slice"
        seconds = self.machine.now_s() - began
        stolen = (self.machine.stolen_ms() - stolen_ms) / 1e3 / max(seconds, 1e-9)
        return {"figures": figures, "declared": declared, "stolen": stolen, "seconds": seconds}

    def why(self, pair):
        """The reasons for which a pair ({side: slice}) is thrown away, each once; none if it counts."""
        reasons = [piece["declared"] for piece in pair.values() if piece["declared"] is not None]
        if any(piece["stolen"] > MAX_STOLEN for piece in pair.values()):
            reasons.append("stolen")
        if apart([loop for piece in pair.values() for loop in piece["loops"]]) > MAX_APART:
            reasons.append("calibration")
        return reasons


class Throughout(Guard):
    """Of slices that last longer than what disturbs them: the loop's mean in each, instead of the loop at their ends."""

    def run(self, function, before=None):
        watch = self.machine.watch()
        try:
            piece = self._measure(function)
        finally:
            loops = watch.end()
        return dict(piece, loops=[loops])


class Alone(Guard):
    """Of slices that say nothing about the processor's speed and whose figures are compared with no other's, such as how
    well a limit is kept: what was stolen from, or declared itself disturbed, is measured again by itself, ATTEMPTS times
    at most and while the benchmark has time; the loop is not looked at. n_again: slices thrown away."""

    def __init__(self, bench, machine=None):
        super().__init__(machine)
        self.bench, self.n_again = bench, 0

    def run(self, function, before=None):
        for attempt in range(ATTEMPTS):
            piece = super().run(function, before)
            if piece["declared"] is None and piece["stolen"] <= MAX_STOLEN:
                break
            if attempt == ATTEMPTS - 1 or not self.bench.has_time():
                break
            self.n_again += 1
            self.bench.wait_for_quiet()
        return piece

    def why(self, pair):
        return [reason for reason in super().why(pair) if reason != "calibration"]


def last_processor():
    """On which what needs one for itself is measured."""
    return max(os.sched_getaffinity(0))


def of_last_processor():
    """The guard of sides that run on the last processor alone; others' state is seen there if it matters."""
    return Guard(Machine([last_processor()]))


class Turns:
    """Sides measured in turn (A, B, A, B ...), order rotated from pair to pair.

    sides: {name: function() -> {figure: number}}, one slice each call. run() repeats pairs that were disturbed, up to
    ATTEMPTS times the pairs asked for, while the benchmark has time; with within_s for so many seconds instead, however
    many pairs that are: what disturbs short slices leaves gaps between, and the question is not how many are thrown away.
    """

    def __init__(self, bench, sides, pairs=15, guard=None, within_s=None):
        self.bench, self.sides, self.pairs = bench, dict(sides), pairs
        self.guard, self.within_s = guard, within_s
        self.measured = []  # pairs: {side: slice}; a pair in which a slice declared itself disturbed ends there
        self.clean = []  # those of them that nothing disturbed
        self.used = []  # those that the figures are taken from
        self.why = {}  # reason: how many pairs; one may have several
        self.given = set()  # numbers that were asked of it: by them a result knows which figures are from here
        bench.turns.append(self)

    @property
    def n_pairs(self):
        """Undisturbed ones."""
        return len(self.clean)

    @property
    def is_disturbed(self):
        return self.n_pairs < max(LEAST_PAIRS, self.pairs // 3) and self.n_pairs < self.pairs

    def run(self):
        self.guard = self.guard or Guard()
        now_s, names = self.guard.machine.now_s, list(self.sides)
        began, told = now_s(), float("-inf")
        while self.n_pairs < self.pairs and self._may_measure(now_s() - began):
            first = len(self.measured) % len(names)
            if "stolen" in self._judge(self._pair(names[first:] + names[:first])):
                at = now_s()
                self.bench.wait_for_quiet()
                began += now_s() - at
            if now_s() - told >= TELL_S or self.n_pairs == self.pairs:
                told = now_s()
                self._progress(told - began)
        self._choose()
        if not self.used:
            raise harness.Failure(f"every one of {len(self.measured)} pairs was disturbed: {self._reasons()}")
        return self

    def _may_measure(self, seconds):
        n = len(self.measured)
        may_repeat = n < ATTEMPTS * self.pairs if self.within_s is None else seconds < self.within_s
        return n < self.pairs or may_repeat and self.bench.has_time()

    def _pair(self, order):
        pair, before = {}, None
        for side in order:
            pair[side] = self.guard.run(self.sides[side], before)
            before = pair[side]["loops"][-1]
            if pair[side]["declared"] is not None:
                break
        return pair

    def _judge(self, pair):
        self.measured.append(pair)
        reasons = self.guard.why(pair)
        for reason in reasons:
            self.why[reason] = self.why.get(reason, 0) + 1
        if not reasons:
            self.clean.append(pair)
        return reasons

    def _choose(self):
        ended = [pair for pair in self.measured if all(piece["figures"] is not None for piece in pair.values())]
        self.used = ended if self.is_disturbed else self.clean

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

    def values(self, side, figure, among=lambda pair: True):
        return [pair[side]["figures"][figure] for pair in self.used if among(pair)]

    def median(self, side, figure):
        return self._give(median(self.values(side, figure)))

    def _give(self, number):
        self.given.add(abs(number))  # who asks for the size of an error asks for the same
        return number

    def spread(self, side, figure):
        values = self.values(side, figure)
        return [min(values), max(values)]

    def of_side(self, side, figure):
        """(median, [least, largest])"""
        return self.median(side, figure), self.spread(side, figure)

    def ratio(self, a, b, figure, shown=lambda ratio: ratio, among=lambda pair: True):
        """(median of the pairs' ratios a by b, [lo, hi]): 95 % by bootstrap over the pairs; one pair has no width.
        shown: what is made of each ratio. among: which pairs, at least one."""
        dividends, divisors = self.values(a, figure, among), self.values(b, figure, among)
        if not all(divisors):
            raise harness.Failure(f"{figure} of {b} was 0 in a pair, so there is no ratio")
        return self._of_pairs([shown(dividend / divisor) for dividend, divisor in zip(dividends, divisors)])

    def difference(self, a, b, figure):
        """Likewise of the pairs' differences a less b."""
        return self._of_pairs([one - other for one, other in zip(self.values(a, figure), self.values(b, figure))])

    def _of_pairs(self, values):
        return self._give(median(values)), interval(values)

    def about(self):
        """What the result says of it."""
        loops = [loop for pair in self.used for piece in pair.values() for loop in piece["loops"]]
        return {"sides": list(self.sides), "pairs_asked": self.pairs, "n_pairs": self.n_pairs,
                "n_pairs_measured": len(self.measured), "n_slices_again": getattr(self.guard, "n_again", 0),
                "why": self.why, "is_disturbed": self.is_disturbed,
                "swing": round(apart(loops), 3) if loops else 1}
