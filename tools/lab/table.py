"""What ./run shows: a live table of 80 columns, and the summary at the end. Rates are Mbit/s."""
import os
import sys
import time

BUSY_SHARE = 0.02  # of the time without a processor; above, the link's use says little
PIPE_EVERY_S = 5  # on a pipe a block this often is enough to follow


def mbit(bytes_per_s):
    return f"{bytes_per_s * 8e-6:.1f}"


def rate(bytes_per_s):
    bit_per_s = bytes_per_s * 8
    return f"{bit_per_s / 1e9:g} Gbit/s" if bit_per_s >= 1e9 else f"{bit_per_s / 1e6:.0f} Mbit/s"


def limit(bytes_per_s):
    return f"{bytes_per_s * 8e-6:.0f}" if bytes_per_s else "-"


BEYOND_US = 2_147_484  # what the daemon's histograms tell apart; core/histogram.h


def span(us):
    """A duration in three digits and a unit."""
    if not us:
        return "-"
    if us > 1e12:  # a quantile beyond the histogram
        return "> " + span(BEYOND_US)
    for unit, size in (("us", 1.0), ("ms", 1e3), ("s", 1e6)):
        if us < 999.5 * size or unit == "s":
            value = us / size
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    return "-"


class Screen:
    """Draws a block over the last one on a terminal that can; on a pipe, and on a dumb one, prints one now and then."""

    def __init__(self, out=sys.stdout):
        self.out, self.height, self.next_at = out, 0, 0.0
        self.can_draw = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def show(self, lines):
        if self.can_draw:
            if self.height:
                self.out.write(f"\x1b[{self.height}A\x1b[J")
            self.height = len(lines)
        elif time.monotonic() < self.next_at:
            return
        else:
            self.next_at = time.monotonic() + PIPE_EVERY_S
        self.out.write("\n".join(line[:80] for line in lines) + "\n")
        self.out.flush()

    def leave(self):
        """What is on the screen stays; the next block begins below it."""
        self.height, self.next_at = 0, 0.0


HEADER = (f"{'tenant':<7}{'dir':<4}{'demand':>7}{'guar.':>6}{'max':>6}{'got':>8}{'wait p99':>9}"
          f"{'card p99':>9}{'held':>7}  contract")


def contract_row(line, is_observed):
    second = line.last
    held = 100.0 * second["wait_ns"] / max(second["for_ns"], 1)
    if is_observed:
        state = "not enforced"
    elif not line.is_promise:
        state = "no promise"
    else:
        state = f"kept {line.kept}/{line.kept + line.missed}"
        if line.missed:
            state = f"MISSED {line.missed}"
    return (f"{line.tenant:<7}{line.direction:<4}{mbit(second['offered_bytes_per_s']):>7}"
            f"{limit(line.contract['min_bytes_per_s']):>6}"
            f"{limit(line.contract['max_bytes_per_s']):>6}"
            f"{mbit(second['sent_bytes_per_s']):>8}"
            f"{span(line.wait_p99_us):>9}{span(line.card_p99_us):>9}{held:>5.0f} %  {state}")


def size(n_bytes):
    """In steps of 1,024, as `headgate show` says it."""
    return f"{n_bytes / 2**20:.2f} MiB" if n_bytes >= 1_023_500 else f"{n_bytes / 1024:.1f} KiB"


def card_row(card, is_observed):
    """What the card's queue held at the second's end, and whose it was."""
    whose = sorted(card["by_tenant"].items(), key=lambda item: -item[1])
    total = sum(card["by_tenant"].values())
    parts = [f"{name} {100 * n / total:.0f} %" for name, n in whose if n and card["bytes"]]
    text = f"card  {size(card['bytes'])} in {card['pkts']} packets"
    if card["max_bytes"] and not is_observed:
        text += f", MAX {size(card['max_bytes'])}"
    return f"{text}{': ' if parts else ''}{', '.join(parts)}"


def felt_rows(felt):
    rr, wake = felt.get("rr", {}), felt.get("wake", {})
    return [f"rr    round trip   p50 {span(rr.get('p50_us')):>8}   p99 {span(rr.get('p99_us')):>8}"
            f"   max {span(rr.get('max_us')):>8}",
            f"wake  first answer max {span(wake.get('max_us')):>8}   "
            f"burst {wake.get('burst_mbit_per_s', 0.0):.0f} Mbit/s"]


CPU_NS = 1e9
# What the page calls the states of processor credits.
DOOR = {"open": "open", "gliding": "closing", "baseline": "at its baseline", "host": "host is full",
        "observed": "not enforced"}


def cpu_row(credits):
    """Processor credits, in seconds of a processor: a minute of one is a credit."""
    gift = credits["gift_cpu_ns"]
    given = f" and {gift / CPU_NS:.2f} s given" if gift > 0 else ""
    return (f"cpu   wake: {(credits['balance_cpu_ns'] - gift) / CPU_NS:.2f} of "
            f"{credits['max_cpu_ns'] / CPU_NS:.0f} s saved{given}, uses {credits['used_mcpu'] / 10:.0f} %, "
            f"{DOOR.get(credits['state'], credits['state'])}")


def cpu_summary(before, after):
    """How the balance rose and fell, and whether it bought what it should."""
    balances = after.credits("balance_cpu_ns")
    if not balances:
        return
    states = after.credits("state")
    yield "processor credits of wake, a day's story in half a minute: 20 % for certain"
    yield (f"cpu   balance, seconds    {min(balances) / CPU_NS:.2f} to {max(balances) / CPU_NS:.2f};  "
           f"used {min(after.credits('used_mcpu')) / 10:.0f} % to {max(after.credits('used_mcpu')) / 10:.0f} % "
           f"of a processor")
    yield (f"cpu   the door            open {states.count('open')}, closing {states.count('gliding')}, "
           f"at its baseline {states.count('baseline')} of {len(states)} s")


def live_block(phase, n_seconds):
    at = phase.seconds[-1]
    of = f"/{n_seconds}" if n_seconds < 10**6 else ""
    stolen = " STOLEN" if at["stolen"] else ""
    lines = [f"{phase.title}   second {phase.n_counted() if of else at['second']}{of}   link {100 * at['link_use']:.1f} % of "
             f"{rate(phase.capacity)}{stolen}",
             HEADER]
    lines += [contract_row(line, at["mode"] == "observe") for line in phase.lines.values()]
    lines.append(card_row(at["card"], at["mode"] == "observe"))
    if at["credits"]:
        lines.append(cpu_row(at["credits"]))
    return lines + felt_rows(at["felt"]) + [""]


def promise_text(contract):
    parts = []
    if contract["min_bytes_per_s"]:
        parts.append(f">= {limit(contract['min_bytes_per_s'])}")
    if contract["max_bytes_per_s"]:
        parts.append(f"<= {limit(contract['max_bytes_per_s'])}")
    return ", ".join(parts)


def promise_rows(before, after):
    for line in after.promises():
        was = before.lines[line.tenant, line.direction]
        if line.missed or line.says_missed > 0:
            verdict = f"MISSED in {max(line.missed, line.says_missed)} of " \
                      f"{line.kept + line.missed} s"
        else:
            verdict = f"kept in each of {line.kept} s" if line.kept else "no second counts"
        yield (f"{line.tenant:<6}{line.direction:<4}{promise_text(line.contract):<16}"
               f"{mbit(was.mean('sent')):>12}{mbit(line.mean('sent')):>13}   {verdict}")


def compared(times):
    return f"{times:.1f} times better" if times >= 1 else f"{1 / max(times, 1e-9):.1f} times worse"


def felt_summary(before, after):
    def row(name, text, key, show, better=None):
        was, now = before.totals[name].get(key, 0.0), after.totals[name].get(key, 0.0)
        note = ""
        if better and was and now:
            note = compared(better(was, now))
        return f"{name:<6}{text:<20}{show(was):>12}{show(now):>13}   {note}"
    lower, higher = (lambda was, now: was / now), (lambda was, now: now / was)
    yield row("rr", "round trip p50", "p50_us", span)
    yield row("rr", "round trip p99", "p99_us", span, lower)
    yield row("rr", "round trips max", "max_us", span)
    yield row("wake", "first answer p50", "p50_us", span, lower)
    yield row("wake", "burst, Mbit/s", "burst_mbit_per_s", lambda v: f"{v:.0f}", higher)


def card_summary(before, after):
    def row(text, was, now, show, note=""):
        return f"{'card':<6}{text:<20}{show(was):>12}{show(now):>13}   {note}"
    was, now = before.card("p99_ns") / 1e3, after.card("p99_ns") / 1e3
    times = min(was, BEYOND_US) / now if was and now else 0
    at_least = ">= " if was > BEYOND_US else ""
    yield row("time in it p99", was, now, span, f"{at_least}{times:.1f} times shorter" if times >= 1 else "")
    max_bytes = after.card("max_bytes")
    yield row("in its queue", before.card("bytes"), after.card("bytes"), size,
              f"MAX is {size(max_bytes)}" if max_bytes else "")


def conclusion(after, result, stolen_max):
    if after.missing_share() > stolen_max:
        yield (f"COULD NOT MEASURE: the machine underneath took processor time away in "
               f"{after.n_stolen} of")
        yield (f"{len(after.seconds)} s, so that {f'only {after.n_counted()} count' if after.n_counted() else 'none counts'}. "
               "Try again when it is quieter.")
        return
    if result["kept"]:
        yield f"EVERY CONTRACT WAS KEPT in each of the {after.n_counted()} s that count."
    else:
        broken = [f"{l.tenant} {l.direction} (second {', '.join(map(str, l.missed_at[:5]))})"
                  for l in after.promises() if l.missed or l.says_missed > 0]
        yield f"NOT KEPT: {'; '.join(broken) or 'nothing was measured'}."
    use, better = result["link_use"], result["rr_p99_times_better"]
    for what, goal, is_met in (
            (f"Link used {100 * use:.1f} %", f"{100 * result['link_use_goal']:.0f} %",
             use >= result["link_use_goal"]),
            (f"rr's p99 {compared(better)}", f"{result['rr_p99_goal']:.0f} times better",
             better >= result["rr_p99_goal"])):
        yield f"{what} (goal: {goal}, {'met' if is_met else 'NOT met'})."
    if use < result["link_use_goal"]:
        idle = result["link_idle_share"]
        yield f"Unused while something waited: {100 * idle:.1f} %; while nothing did: {100 * max(0.0, 1 - use - idle):.1f} %."
        yield (f"headgated came late for {100 * after.dry['late']:.1f} % of it, by more than a card bridges "
               f"for {100 * after.dry['beyond']:.1f} %.")
    if after.kept_waiting > BUSY_SHARE and use < result["link_use_goal"]:
        yield (f"This machine is busy with other things: headgated waited "
               f"{100 * after.kept_waiting:.0f} % of the time")
        yield "for a processor, and the link stands idle meanwhile."


def summary_lines(before, after, result, stolen_max):
    yield ""
    yield f"SUMMARY   {len(before.seconds)} s with a plain queue, {len(after.seconds)} s with " \
          f"contracts, {after.n_stolen} s left out (stolen)"
    yield "contract, Mbit/s             plain queue    contracts   kept (rule of measure)?"
    yield from promise_rows(before, after)
    yield "what the tenants felt"
    yield from felt_summary(before, after)
    yield "the link and its card's queue"
    yield f"link  used{100 * before.link_use():>26.1f} %{100 * after.link_use():>11.1f} %"
    yield from card_summary(before, after)
    yield from cpu_summary(before, after)
    yield ""
    yield from conclusion(after, result, stolen_max)
