"""Pictures of figures as SVG: bars side by side, lines over a size, goals and how far from them; and numbers as text.

Everything takes figures and returns text: the same figures, the same picture. A label that begins with "headgate" is
ours, and drawn in its own colour and shape.
"""
import collections
import math

# A chart as a benchmark's module names it in CHARTS (else bench/charts.py); name: of the file; figures by their
# names, and those that were not measured are left out. groups: {title: {label: figure}}.
Bars = collections.namedtuple("Bars", "name title unit groups")
# series: {label: {x: figure}}; x on a logarithmic scale.
Lines = collections.namedtuple("Lines", "name title x_title unit series")

WIDTH = 900
# Readable on white and on black, in print and with a colour missing: marks differ in shape as well.
COLOURS = ("#1a7f37", "#0969da", "#bc4c00", "#8250df", "#59636e", "#9a6700")
DARK = ("#3fb950", "#4493f8", "#f0883e", "#ab7df8", "#9198a1", "#d29922")


def style():
    parts = ["svg { font: 13px system-ui, sans-serif; fill: #1f2328; background: #ffffff; }",
             ".page { fill: #ffffff; }", ".quiet { fill: #59636e; }", ".title { font-weight: 600; }",
             ".grid { stroke: #d1d9e0; stroke-width: 1; }", ".goal { stroke: #1f2328; stroke-width: 2; }",
             ".reach { stroke: #1f2328; stroke-width: 1.5; fill: none; }", ".ours { font-weight: 600; }"]
    parts += [f".c{i} {{ fill: {colour}; stroke: {colour}; }}" for i, colour in enumerate(COLOURS)]
    parts += ["path.line { fill: none; stroke-width: 2; }", ".hollow { fill: #ffffff; stroke-width: 2; }",
              "@media (prefers-color-scheme: dark) {",
              "svg { fill: #e6edf3; background: #0d1117; }", ".page { fill: #0d1117; }", ".quiet { fill: #9198a1; }",
              ".grid { stroke: #30363d; }", ".goal, .reach { stroke: #e6edf3; }"]
    parts += [f".c{i} {{ fill: {colour}; stroke: {colour}; }}" for i, colour in enumerate(DARK)]
    return "\n".join(parts + ["path.line { fill: none; }", ".hollow { fill: #0d1117; }", "}"])


def text(x, y, words, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{words}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def number(value):
    """A figure in three digits or, if whole, as it is, thousands apart; what is larger with a suffix."""
    if value is None:
        return "-"
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.3g} {suffix}" if abs(value) < 999.5 * size else f"{value / size:,.0f} {suffix}"
    if value == int(value) or abs(value) >= 999.5:
        return f"{round(value):,}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def page(title, height, parts):
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="{title.replace(chr(34), "")}">', f"<style>\n{style()}\n</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}"/>', text(16, 26, title, "title")]
    return "\n".join(head + parts + ["</svg>", ""])


def is_ours(label):
    return label.startswith("headgate")


def colours(labels):
    """{label: class}: ours the first colour, the others the next ones in order."""
    others = [label for label in labels if not is_ours(label)]
    ours = [label for label in labels if is_ours(label)]
    # A second one of ours takes what is left.
    order = ours[:1] + others + ours[1:]
    first = 0 if ours else 1
    return {label: f"c{min(first + i, len(COLOURS) - 1)}" for i, label in enumerate(order)}


def bars(chart, figures, spread):
    """The SVG; None if nothing of it was measured."""
    left, plot, row = 230, 440, 22
    groups = {title: {label: name for label, name in rows.items() if name in figures}
              for title, rows in chart.groups.items()}
    groups = {title: rows for title, rows in groups.items() if rows}
    if not groups:
        return None
    kinds, parts, y = colours(list(dict.fromkeys(label for rows in groups.values() for label in rows))), [], 44
    for title, rows in groups.items():
        # Each group has a scale of its own: what is compared stands in one group.
        largest = max([figures[name] for name in rows.values()]
                      + [spread.get(name, [0, 0])[1] for name in rows.values()] + [1e-12])
        if title:
            y += row
            parts.append(text(left, y, title, "quiet"))
        for label, name in rows.items():
            y += row
            value = figures[name]
            end = left + plot * max(value, 0) / largest
            parts.append(text(left - 12, y, label, "ours" if is_ours(label) else "", "end"))
            parts.append(f'<rect class="{kinds[label]}" x="{left}" y="{y - 12}" width="{max(end - left, 1):.1f}" '
                         f'height="15"/>')
            low, high = (left + plot * max(bound, 0) / largest for bound in spread.get(name, [value, value]))
            if high - low > 2:
                parts += [line(low, y - 4.5, high, y - 4.5, "reach"), line(low, y - 8, low, y - 1, "reach"),
                          line(high, y - 8, high, y - 1, "reach")]
            parts.append(text(max(end, high) + 8, y, number(value), "ours" if is_ours(label) else ""))
        y += 8
    parts.insert(0, line(left, 50, left, y, "grid"))
    parts.append(text(16, 44, chart.unit, "quiet"))
    return page(chart.title, y + 14, parts)


MARKS = ("circle", "square", "diamond", "triangle")


def mark(kind, x, y, colour, more=""):
    shape = {"circle": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"',
             "square": f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"',
             "diamond": f'<path d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"',
             "triangle": f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z"'}[kind]
    return f'{shape} class="{colour}{more}"/>'


def apart(wanted, least):
    """Places near those wanted, least apart, in the same order of size: [(index, place)]."""
    found, last = {}, -1e9
    for index in sorted(range(len(wanted)), key=wanted.__getitem__):
        last = max(wanted[index], last + least)
        found[index] = last
    return found


def lines(chart, figures, spread):
    """The SVG; None if nothing of it was measured."""
    left, plot, top, height = 70, 560, 66, 250
    series = {label: {x: name for x, name in points.items() if name in figures}
              for label, points in chart.series.items()}
    series = {label: points for label, points in series.items() if points}
    if not series:
        return None
    kinds = colours(list(series))
    xs = sorted({x for points in series.values() for x in points})
    names = [name for points in series.values() for name in points.values()]
    largest = max([figures[name] for name in names] + [spread.get(name, [0, 0])[1] for name in names] + [1e-12])
    step = next(base * 10.0**power for power in range(-6, 12) for base in (1, 2, 5) if largest / (base * 10.0**power) <= 6)
    top_value = step * math.ceil(largest / step)

    def at_x(x):
        width = math.log(xs[-1] / xs[0]) if len(xs) > 1 else 1
        return left + plot * (math.log(x / xs[0]) / width if len(xs) > 1 else 0.5)

    def at_y(value):
        return top + height * (1 - max(value, 0) / top_value)

    parts = [text(16, 46, chart.unit, "quiet")]
    for i in range(round(top_value / step) + 1):
        y = at_y(i * step)
        parts += [line(left, y, left + plot, y, "grid"), text(left - 8, y + 4.5, number(i * step), "quiet", "end")]
    for x in xs:
        parts.append(text(at_x(x), top + height + 20, f"{x:,}", "quiet", "middle"))
    parts.append(text(left + plot / 2, top + height + 40, chart.x_title, "quiet", "middle"))
    ends = []
    for index, (label, points) in enumerate(series.items()):
        places = [(at_x(x), at_y(figures[points[x]]), points[x]) for x in sorted(points)]
        parts.append(f'<path class="{kinds[label]} line" d="M'
                     + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in places) + '"/>')
        for x, y, name in places:
            low, high = (at_y(bound) for bound in spread.get(name, [figures[name]] * 2))
            if low - high > 4:
                parts.append(line(x, low, x, high, kinds[label]))
            parts.append(mark(MARKS[index % len(MARKS)], x, y, kinds[label]))
        ends.append((places[-1][1], label, figures[places[-1][2]]))
    for index, y in apart([end[0] for end in ends], 17).items():
        _, label, value = ends[index]
        parts.append(mark(MARKS[index % len(MARKS)], left + plot + 22, y, kinds[label]))
        parts.append(text(left + plot + 34, y + 4.5, f"{label}, {number(value)}", "ours" if is_ours(label) else ""))
    return page(chart.title, top + height + 56, parts)


VERDICT_MARKS = {"aim": ("circle", "c0", ""), "met": ("circle", "c0", ""), "missed": ("diamond", "c2", ""),
                 "disturbed": ("square", "c4", " hollow"), "not shown": ("square", "c4", " hollow")}
SPAN = 10.0  # times better or worse than asked, at most


def better(goal, value):
    """How many times better than asked, at most SPAN either way; None where that says nothing."""
    if value is None or goal["goal"] == 0:
        return None
    ratio = value / goal["goal"] if goal["sense"] == "least" else goal["goal"] / max(value, 1e-12)
    return min(max(ratio, 1 / SPAN), SPAN)


def goals(judged):
    """All goals on one scale: left of the line is missed. None if nothing of them was measured."""
    left, plot, row, top = 250, 400, 22, 74
    shown = [goal for goal in judged if better(goal, goal["value"]) is not None]
    if not shown:
        return None

    def at(ratio):
        return left + plot * (math.log(ratio) / math.log(SPAN) + 1) / 2

    parts, y, bottom = [], top, top + row * len(shown) + 6
    for ratio, words in ((1 / 10, "10 times short"), (1 / 2, "half"), (1, "as asked"), (2, "twice"), (10, "10 times")):
        parts += [line(at(ratio), top - 8, at(ratio), bottom, "goal" if ratio == 1 else "grid"),
                  text(at(ratio), top - 14, words, "quiet", "middle")]
    for goal in shown:
        y += row
        ratio = better(goal, goal["value"])
        shape, colour, more = VERDICT_MARKS[goal["verdict"]]
        parts.append(text(left - 12, y - 6, f"{goal['bench']}.{goal['figure']}", anchor="end"))
        if goal["aim"] is not None:
            x = at(better(goal, goal["aim"]))
            parts += [line(x, y - 16, x, y - 5, "reach")]
        low, high = sorted(at(better(goal, bound)) for bound in goal["interval"] or [goal["value"]] * 2)
        if high - low > 10:
            parts.append(line(low, y - 10.5, high, y - 10.5, colour))
        parts.append(mark(shape, at(ratio), y - 10.5, colour, more))
        sign = ">=" if goal["sense"] == "least" else "<="
        asked = f"{sign} {goal['goal']:g}" if goal["no_worse"] is None else f"no worse, {goal['no_worse']:g}"
        parts.append(text(left + plot + 16, y - 6,
                          f"{number(goal['value'])} ({asked}) {goal['verdict'].replace('aim', 'aim met')}"))
    return page("Goals: how many times better than asked (tick: the aim)", bottom + 12, parts)
