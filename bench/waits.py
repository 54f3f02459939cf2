"""The picture of `isolation`: one line for each row of each link, with p99 and p99.9 of the light one's wait on a
scale of powers of ten, and the link's use beside it.
"""
import math

from draw import text

WIDTH, LINE, LEFT, PLOT, RIGHT = 900, 20, 200, 430, 160  # of the page, a line; names, waits, use of the link
GAP = 50  # between the waits and the link's use
TOP = 92
# The card and the heavy traffic that the virtual rows are shown for.
CARD, TRAFFIC = "moderated", "mtu"
REAL_ROWS = (("idle", "alone"), ("plain", "plain card queue"), ("htb", "HTB"), ("htb_cut", "HTB, segments cut"),
             ("headgate_100us", "headgate, cut 100 us"), ("headgate", "headgate, cut 25 us"),
             ("htb_only", "HTB, no wire behind"))
SIM_ROWS = (("idle", "alone"), ("plain", "plain card queue"), ("dql", "dynamic queue limits"),
            ("headgate", "headgate"))
UNITS = ((1e6, "s"), (1e3, "ms"), (1, "us"))
# Readable on white and on black, in print and with a colour missing: the marks differ in shape as well.
STYLE = """\
svg { font: 13px system-ui, sans-serif; fill: #1f2328; background: #ffffff; }
.page { fill: #ffffff; }
.quiet { fill: #59636e; }
.title { font-weight: 600; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.span { stroke: #8c959f; stroke-width: 2; }
.p99 { fill: #0969da; }
.p999 { fill: #ffffff; stroke: #0969da; stroke-width: 2; }
.bar { fill: #8c959f; }
.ours .span { stroke: #1a7f37; }
.ours .p99, .ours .bar { fill: #1a7f37; }
.ours .p999 { stroke: #1a7f37; }
.ours text { font-weight: 600; }
@media (prefers-color-scheme: dark) {
svg { fill: #e6edf3; background: #0d1117; }
.page { fill: #0d1117; }
.quiet { fill: #9198a1; }
.grid { stroke: #30363d; }
.span { stroke: #656c76; }
.bar { fill: #656c76; }
.p99 { fill: #4493f8; }
.p999 { fill: #0d1117; stroke: #4493f8; }
.ours .span { stroke: #3fb950; }
.ours .p99, .ours .bar { fill: #3fb950; }
.ours .p999 { stroke: #3fb950; }
}"""


def groups(figures):
    """(title, [(name, is ours, p99 us, p99.9 us, link use or None)]) for each link that was measured."""
    if "real_headgate_p99_us" in figures:
        yield ("1 Gbit/s in real time, kernels' TCP: round trips", [
            (title, row.startswith("headgate"), figures[f"real_{row}_p99_us"], figures[f"real_{row}_p999_us"],
             None if row == "idle" else figures[f"real_{row}_link_use_percent"])
            for row, title in REAL_ROWS if f"real_{row}_p99_us" in figures])
    for gbit in (1, 10, 25):
        case = f"sim_{gbit}g_{CARD}_{TRAFFIC}"
        if f"{case}_headgate_wire_p99_ns" in figures:
            yield (f"{gbit} Gbit/s in virtual time: from arrival to the last bit on the wire", [
                (title, row == "headgate", figures[f"{case}_{row}_wire_p99_ns"] / 1e3,
                 figures[f"{case}_{row}_wire_p999_ns"] / 1e3,
                 None if row == "idle" else figures[f"{case}_{row}_link_use_percent"])
                for row, title in SIM_ROWS])


def span(us):
    """A duration in three digits and a unit."""
    for size, unit in UNITS:
        if us >= size or unit == "us":
            value = us / size
            return f"{value:.{max(0, 2 - int(math.log10(max(value, 1))))}f} {unit}"
    return ""


class Scale:
    """Powers of ten that hold all waits."""

    def __init__(self, waits):
        self.low = math.floor(math.log10(max(min(waits), 1e-3)))
        self.high = math.ceil(math.log10(max(waits)))

    def x(self, us):
        at = (math.log10(max(us, 1e-3)) - self.low) / max(self.high - self.low, 1)
        return LEFT + PLOT * min(max(at, 0), 1)

    def ticks(self):
        return [10.0**power for power in range(self.low, self.high + 1)]


def use_x(percent):
    return LEFT + PLOT + GAP + (RIGHT - 60) * min(percent, 100) / 100


def axes(scale, bottom):
    for us in scale.ticks():
        x = scale.x(us)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{bottom}"/>'
        size, unit = next((size, unit) for size, unit in UNITS if us >= size or unit == "us")
        yield text(x, TOP - 20, f"{us / size:g} {unit}", "quiet", "middle")
    for percent in (0, 50, 100):
        x = use_x(percent)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{bottom}"/>'
        yield text(x, TOP - 20, f"{percent} %", "quiet", "middle")
    yield text(LEFT, TOP - 42, "wait of the light one, logarithmic", "title")
    yield text(LEFT + PLOT, TOP - 42, "\u25cf p99 / \u25cb p99.9", "quiet", "end")
    yield text(use_x(0), TOP - 42, "use of the link", "title")


def line(row, scale, y):
    name, is_ours, p99, p999, use = row
    left, right, middle = scale.x(p99), scale.x(p999), y - 4.5
    yield f'<g class="{"ours" if is_ours else "other"}">'
    yield f"<title>{name}: p99 {span(p99)}, p99.9 {span(p999)}</title>"
    yield text(LEFT - 12, y, name, anchor="end")
    yield f'<line class="span" x1="{left:.1f}" y1="{middle}" x2="{right:.1f}" y2="{middle}"/>'
    yield f'<circle class="p999" cx="{right:.1f}" cy="{middle}" r="5"/>'
    yield f'<circle class="p99" cx="{left:.1f}" cy="{middle}" r="4"/>'
    # To the side that has room.
    if right + 150 < LEFT + PLOT:
        yield text(right + 10, y, f"{span(p99)} / {span(p999)}")
    else:
        yield text(left - 10, y, f"{span(p99)} / {span(p999)}", anchor="end")
    if use is not None:
        yield (f'<rect class="bar" x="{use_x(0):.1f}" y="{y - 11}" width="{use_x(use) - use_x(0):.1f}" '
               f'height="12"/>')
        yield text(use_x(100) + 8, y, f"{use:.1f} %")
    yield "</g>"


def draw(figures):
    """The SVG; None if nothing of it was measured."""
    found = list(groups(figures))
    if not found:
        return None
    scale = Scale([wait for _, rows in found for row in rows for wait in row[2:4] if wait > 0])
    parts, y = [], TOP
    for title, rows in found:
        y += LINE
        parts.append(text(LEFT, y, title, "title"))
        for row in rows:
            y += LINE
            parts += line(row, scale, y)
        y += LINE // 2
    bottom = y
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 14}" role="img" '
            f'aria-label="Waits of a light sender beside eight heavy ones, and use of the link">',
            f"<style>\n{STYLE}\n</style>", f'<rect class="page" width="{WIDTH}" height="{bottom + 14}"/>',
            text(16, 24, "One light sender beside eight heavy ones on one link", "title")]
    return "\n".join(head + list(axes(scale, bottom)) + parts + ["</svg>", ""])
