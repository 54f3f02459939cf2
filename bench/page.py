"""The page and the pictures of a run of all benchmarks, what other documents quote of it, and two runs beside each other.

All of it is text made from the result (bench/run all), so that it can be checked against it.
"""
import fnmatch
import importlib
import re
import shlex
import textwrap

import charts
import draw
import goals
import harness
import waits

COLUMNS = 80
PAGE, FOLDER = "docs/benchmarks.md", "docs/benchmarks"
RESULT = f"{FOLDER}/results.json"
# Documents that quote figures, and the section in which they do.
QUOTING = {"README.md": "## How fast", "docs/speed.md": "## What is left"}
SWING_SHOWN = 1.02  # more than the loop's own noise
UNITS = r"(?:times|percent|ns|us|ms|Mpps|[KMG]?bit/s|packets/s)\b|%"
NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?(?: [MGT]\b)?"


def paragraph(words):
    return textwrap.fill(words, COLUMNS, break_long_words=False, break_on_hyphens=False)


def table(head, rows):
    """Columns as wide as they must be, so that it can be read as it is; the first to the left, numbers too."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    one = lambda row: "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
    return "\n".join([one(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|"] + [one(row) for row in rows])


def bound(goal):
    if goal["no_worse"] is not None:
        return f"no worse ({goal['no_worse']:g})"
    sign = ">=" if goal["sense"] == "least" else "<="
    return f"{sign} {goal['goal']:g}" + (f", aim {goal['aim']:g}" if goal["aim"] is not None else "")


# Verdict: what stands above the goals of which it is.
NOT_REACHED = {"missed": "Missed, and by how much", "no figure": "Not measured",
               "not shown": "Not shown, since the interval is too wide to say that it is no worse, with what was measured",
               "disturbed": "Disturbed, so that nothing is claimed, with what was measured all the same"}


def told(goal):
    return {"aim": "aim met"}.get(goal["verdict"], goal["verdict"])


def short_of(goal):
    """How far a goal is that was missed."""
    value, wanted = goal["value"], goal["goal"]
    if goal["no_worse"] is not None:
        return f"worse, from {span(goal['interval'])}"
    if goal["sense"] == "least":
        return f"{100 * value / wanted:.0f} % of what was asked"
    return f"{value / wanted:.3g} times what was allowed" if wanted else f"{draw.number(value)} too many"


def not_reached(goal):
    """What there is to say of a goal that is not known to be reached."""
    words = f"`{goal['bench']}.{goal['figure']}` ({goal['sentence']})"
    if goal["verdict"] == "missed":
        words += ": " + short_of(goal)
    elif goal["verdict"] in ("disturbed", "not shown"):
        words += f": {draw.number(goal['value'])}" + (f", from {span(goal['interval'])}" if span(goal["interval"]) else "")
    tried = goals.TRIED.get((goal["bench"], goal["figure"]))
    return words + "." + (f" Tried: {tried}" if tried else "")


def span(spread):
    return "" if spread is None or spread[0] == spread[1] else f"{draw.number(spread[0])} to {draw.number(spread[1])}"


def module_of(name):
    return importlib.import_module(name) if name in harness.names() else None


def charts_of(name, bench):
    """[(file name, title, SVG)] of one benchmark."""
    found = []
    for chart in getattr(module_of(name), "CHARTS", charts.CHARTS.get(name, [])):
        drawn = (draw.bars if isinstance(chart, draw.Bars) else draw.lines)(chart, bench["figures"], bench["spread"])
        if drawn:
            found.append((f"{chart.name}.svg", chart.title, drawn))
    if name == "isolation":
        drawn = waits.draw(bench["figures"])
        if drawn:
            found.append(("isolation.svg", "One light sender beside eight heavy ones", drawn))
    return found


def shown_of(name, figures):
    patterns = getattr(module_of(name), "SHOWN", charts.SHOWN.get(name))
    if patterns is None:
        return list(figures)[:charts.MOST]
    return [figure for figure in figures if any(fnmatch.fnmatchcase(figure, pattern) for pattern in patterns)]


def head(result):
    seconds = result["seconds"]
    told_commit = result["commit"][:12] + ("" if result["commit_is_clean"] else ", with changes")
    kind = {"full": "full run", "quick": "quick run, with wide intervals"}[result["kind"]]
    if not result["is_complete"]:
        kind += ", of which not everything was run"
    yield "# Benchmarks\n"
    yield paragraph(
        f"What `{result['command']}` measured: a {kind}, of commit {told_commit}, begun {result['began']}, in "
        f"{seconds / 60:.0f} minutes. This page is written by `bench/report` from [{RESULT[5:]}]({RESULT[5:]}); "
        "what each benchmark does, and how, is in [../bench/README.md](../bench/README.md).") + "\n"
    for more in result.get("again", []):
        told_commit = more["commit"][:12] + ("" if more["commit_is_clean"] else ", with changes")
        yield paragraph(f"Measured again, of commit {told_commit}, begun {more['began']}, and shown here in the place of what "
                        f"was found before: `{more['command']}`.") + "\n"
    yield paragraph(
        "What is compared was measured in turn. Where a benchmark says how many pairs, figures are medians over pairs "
        "and ratios and differences have a 95 % bootstrap interval. Pairs in which the machine was stolen from, or in "
        "which a loop of fixed work took 10 % longer at one time than at another, are thrown away and counted, so that the "
        "sides of a pair met the same machine. Pairs need not have met the same as each other: the speed of a virtual "
        "machine depends on its neighbours, so a figure in ns or packets a second, other than a ratio, is of a machine "
        "whose speed changed, by as much as is said, and its range belongs to it. Ranges of figures that are neither "
        "ratios nor differences are the least and the largest; what is not in turn by pairs has no guard, and says how "
        "much was stolen.") + "\n"
    stay = [name for name, bench in result["benches"].items() if bench.get("processors_stay")]
    if stay:
        which = "all benchmarks" if len(stay) == len(result["benches"]) else ", ".join(f"`{name}`" for name in stay)
        yield paragraph(f"In {which} idle processors polled for up to 10 ms before they halted (haltpoll, a setting of Linux as a "
                        "guest), for all sides alike: a virtual machine gives a processor that halts back to its host, and "
                        "waits until it has it again.") + "\n"


def goals_part(result):
    judged = result["goals"]
    counts = {}
    for goal in judged:
        counts[told(goal)] = counts.get(told(goal), 0) + 1
    yield "## Goals\n"
    yield paragraph("; ".join(f"{word} {n}" for word, n in counts.items()) + ".") + "\n"
    if draw.goals(judged):
        yield f"![How many times better than asked each figure is]({FOLDER[5:]}/goals.svg)\n"
    yield table(["figure", "asked", "measured", "verdict"], [
        [f"`{goal['bench']}.{goal['figure']}`", bound(goal), draw.number(goal["value"]), told(goal)]
        for goal in judged]) + "\n"
    margins = sorted({goal["no_worse"] for goal in judged if goal["no_worse"] is not None})
    for margin in margins:
        yield paragraph(
            f"No worse ({margin:g}): as good as the other. Of two that are equal the better one is as often this as that, so "
            f"it is asked whether a difference is shown: the 95 % interval has to reach 1, and to begin at {margin:g} or above. "
            "Where it ends below 1 the goal is missed; where it begins below that it is too wide to say, and nothing is "
            "shown.") + "\n"
    for verdict, heading in NOT_REACHED.items():
        those = [goal for goal in judged if goal["verdict"] == verdict]
        if those:
            yield f"{heading}:\n"
        for goal in those:
            yield textwrap.fill("- " + not_reached(goal), COLUMNS, subsequent_indent="  ", break_long_words=False,
                                break_on_hyphens=False)
        if those:
            yield ""


def turns_told(turns):
    why = ", ".join(f"{reason} {n}" for reason, n in sorted(turns["why"].items()))
    sides = ", ".join(turns["sides"][:-1]) + " and " + turns["sides"][-1]
    words = f"{sides}: {turns['n_pairs']} undisturbed pairs of {turns['n_pairs_measured']}" + (
        f" (others: {why})" if why else "")
    if turns.get("n_slices_again"):
        words += f", {turns['n_slices_again']} slices measured again by themselves"
    if turns.get("swing", 1) >= SWING_SHOWN:
        words += f", between which the machine's speed changed by {turns['swing']:.2f} times"
    return words + (". Too few are left: figures are of all pairs, and prove nothing" if turns["is_disturbed"] else "")


def wrapped(text):
    """Commands in lines that fit, with a backslash where they go on, as a shell has it; configuration as it is."""
    for whole in text.splitlines():
        if len(whole) <= COLUMNS or not whole.startswith("$ "):
            yield whole
            continue
        line = "$"
        for word in map(shlex.quote, shlex.split(whole[2:])):
            if len(line) + len(word) + 3 > COLUMNS and line.strip() != "$":
                yield line + " \\"
                line = "   "
            line += " " + word
        yield line


def bench_part(name, bench):
    yield f"## {name}\n"
    yield paragraph(bench["about"]) + "\n"
    if "failure" in bench:
        yield paragraph(f"**No figures**: {bench['failure']} (after {bench['seconds']:.0f} s).") + "\n"
        return
    stolen_percent = bench["stolen_ms"] / 10 / max(bench["seconds"], 0.1)
    yield paragraph(f"`{bench['command']}`, {bench['seconds']:.0f} s" + (
        f"; {bench['stolen_ms']} ms were stolen meanwhile, {stolen_percent:.1f} %" if bench["stolen_ms"] else "")
        + (", and not thrown away" if stolen_percent > 1 and not bench["turns"] else "") + ".") + "\n"
    for turns in bench["turns"]:
        yield paragraph(turns_told(turns) + ".") + "\n"
    for file, title, _ in charts_of(name, bench):
        yield f"![{title}]({FOLDER[5:]}/{file})\n"
    shown = shown_of(name, bench["figures"])
    yield table(["figure", "value", "range"], [
        [f"`{figure}`", draw.number(bench["figures"][figure]),
         span(bench["spread"].get(figure)) + (" disturbed" if figure in bench["disturbed"] else "")]
        for figure in shown]) + "\n"
    left_out = len(bench["figures"]) - len(shown)
    if left_out:
        yield paragraph(f"{left_out} more are in [{RESULT[5:]}]({RESULT[5:]}).") + "\n"
    if bench["configurations"]:
        yield "<details><summary>Commands and configurations</summary>\n"
        for side, parts in bench["configurations"].items():
            yield f"{side}:\n"
            yield "```\n" + "\n".join(line for part in parts for line in wrapped(part)) + "\n```\n"
        yield "</details>\n"


def machine_part(result):
    machine = result["machine"]
    yield "## Machine and versions\n"
    rows = [["processor", f"{machine['cpu']}, {machine['n_cpus']} of them"],
            ["memory", f"{machine['memory_mib'] / 1024:.1f} GiB"], ["virtual", machine["virtual"]],
            ["kernel", machine["kernel"]], ["system", machine["system"]], ["compiler", machine["compiler"]],
            ["DPDK", machine["dpdk"]], ["stolen", f"{machine['stolen_ms_during_run'] / 1e3:.2f} s during the run"]]
    yield table(["what", "which"], rows + [[name, version] for name, version in result["versions"].items()]) + "\n"
    total = sum(bench["seconds"] for bench in result["benches"].values())
    yield "## Time\n"
    yield paragraph(f"Installing and building took {result['prepare_s']:.0f} s, measuring {total:.0f} s.") + "\n"
    yield table(["benchmark", "s", "planned"], [
        [f"`{name}`", f"{bench['seconds']:.0f}", f"{bench['budget_s']}"] for name, bench in result["benches"].items()])


def of(result):
    """{path in the project: text} of the page and its pictures."""
    parts = list(head(result)) + list(goals_part(result))
    files = {}
    drawn = draw.goals(result["goals"])
    if drawn:
        files[f"{FOLDER}/goals.svg"] = drawn
    for name in goals.in_order(result["benches"]):
        bench = result["benches"][name]
        parts += bench_part(name, bench)
        if "failure" not in bench:
            files.update({f"{FOLDER}/{file}": svg for file, _, svg in charts_of(name, bench)})
    parts += machine_part(result)
    files[PAGE] = "\n".join(parts) + "\n"
    return files


def section(name, text):
    """(begin, end) of the section of a document that quotes figures; None if there is none."""
    begin = text.find(QUOTING[name] + "\n")
    if begin < 0:
        return None
    end = text.find("\n## ", begin + 1)
    return begin, len(text) if end < 0 else end


ROW = re.compile(r"^\|(?P<what>[^|]*)\|(?P<value>[^|]*)(?P<name>\|\s*`(?P<bench>[\w-]+)\.(?P<figure>\w+)`\s*\|)$")
# What a row may say that is no figure.
NONE = ("not measured", "disturbed")


def quotable(bench, figure):
    """What a document may say of a figure."""
    value = bench.get("figures", {}).get(figure)
    if value is None:
        return NONE[0]
    return NONE[1] if figure in bench["disturbed"] else draw.number(value)


def quoted(name, text, result):
    """A document with the figures of a result in the rows of its section that name one; those of a quick run are too
    wide to be quoted."""
    benches = result["benches"] if result["kind"] == "full" else {}
    place = section(name, text)
    if place is None:
        return text
    lines = text[place[0]:place[1]].split("\n")
    for i, one in enumerate(lines):
        row = ROW.match(one)
        if row:
            words = quotable(benches.get(row["bench"], {}), row["figure"])
            lines[i] = f"|{row['what']}| {words.ljust(len(row['value']) - 2)} {row['name']}"
    return text[:place[0]] + "\n".join(lines) + text[place[1]:]


def page_rows(page):
    """{(bench, figure): value as shown}, of the page's tables."""
    found, bench = {}, None
    for line in page.split("\n"):
        if line.startswith("## "):
            bench = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            found[bench, cells[0].strip("`")] = cells[1]
        if line.startswith("| `") and len(cells) == 4:
            found[tuple(cells[0].strip("`").split(".", 1))] = cells[2]
    return found


def unfounded(name, text, page):
    """What a document's section says and the page does not: sentences."""
    place = section(name, text)
    if place is None:
        return
    rows, numbers = page_rows(page), set(re.findall(NUMBER, page))
    for line in text[place[0]:place[1]].split("\n"):
        row = ROW.match(line)
        if row:
            shown, quote = rows.get((row["bench"], row["figure"]), "nothing"), row["value"].strip()
            if quote not in NONE and quote != shown:
                yield f"{name}: {row['bench']}.{row['figure']} is given as {quote!r}; {PAGE} says {shown}"
            line = row["what"]
        for value, _ in re.findall(rf"({NUMBER})[ -]?({UNITS})", line):
            if value not in numbers:
                yield f"{name}: {value!r} in {line.strip()!r} is not in {PAGE}"


def compared(old, new):
    """Figures that both results have, as a table; those whose ranges do not meet are marked."""
    rows = []
    for name, bench in new["benches"].items():
        before = old["benches"].get(name, {})
        for figure, value in bench.get("figures", {}).items():
            was = before.get("figures", {}).get(figure)
            if was is None or figure not in shown_of(name, bench["figures"]):
                continue
            change = f"{100 * (value / was - 1):+.1f} %" if was else ""
            a, b = before["spread"].get(figure), bench["spread"].get(figure)
            apart = a is not None and b is not None and (a[1] < b[0] or b[1] < a[0])
            rows.append([f"{name}.{figure}", draw.number(was), draw.number(value), change, "*" if apart else ""])
    return (f"{old['commit'][:12]} ({old['began']}) and {new['commit'][:12]} ({new['began']}); *: ranges do not meet\n\n"
            + table(["figure", "before", "now", "change", ""], rows))
