"""Horizontal bars as a small SVG, readable on a light and on a dark page."""

import math
from html import escape

# A linear axis up to here; what spans more is drawn on a logarithmic one.
LINEAR_MAX = 8
WIDTH, LABEL, ROOM, ROW, TOP = 760, 268, 84, 22, 52

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.page { fill: #ffffff }
.title { font-weight: 600; font-size: 14px }
.quiet { fill: #57606a; font-size: 12px }
.bar { fill: #8c959f } .own { fill: #0969da } .floor { fill: #57606a }
.spread { stroke: #24292f; stroke-width: 1.5 } .axis { stroke: #8c959f; stroke-width: 1 }
.limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 }
  .bar { fill: #656c76 } .own { fill: #4493f8 } .floor { fill: #9198a1 }
  .spread { stroke: #e6edf3 } .limit { stroke: #f85149 }
}"""


def bars(title, unit, rows, limit=None):
    """`rows` are (name, median, low, high); low and high are drawn as a line over the bar's end.
    A logarithmic axis begins below the smallest bar and says so. A limit is a dashed line."""
    highest = max(high for _, _, _, high in rows)
    lowest = min(low for _, _, low, _ in rows)
    logarithmic = highest > LINEAR_MAX * lowest
    start = below(lowest) if logarithmic else 0
    span = WIDTH - LABEL - ROOM

    def x(value):
        part = value / highest
        if logarithmic:
            part = math.log(value / start) / math.log(highest / start)
        return LABEL + span * max(0.0, part)

    height = TOP + ROW * len(rows) + 12
    axis = f"{unit}; logarithmic, from {start:g}" if logarithmic else unit
    axis += "" if limit is None else "; dashed: wanted of Switchboard, events"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        '<rect class="page" width="100%" height="100%" rx="6"/>',
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
        f'<text class="quiet" x="8" y="38">{escape(axis)}</text>',
    ]
    if limit is not None:
        out.append(f'<line class="limit" x1="{x(limit):.1f}" x2="{x(limit):.1f}" '
                   f'y1="{TOP - 4}" y2="{height - 8}"/>')
    for number, (name, middle, low, high) in enumerate(rows):
        y = TOP + ROW * number
        kind = "own" if name.startswith("Switchboard") else "bar"
        kind = "floor" if name.startswith("floor") else kind
        out.append(f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        out.append(f'<rect class="{kind}" x="{LABEL}" y="{y + 3}" height="{ROW - 7}" '
                   f'width="{x(middle) - LABEL:.1f}"/>')
        out.append(f'<line class="spread" x1="{x(low):.1f}" x2="{x(high):.1f}" '
                   f'y1="{y + 10.5}" y2="{y + 10.5}"/>')
        out.append(f'<text x="{x(high) + 6:.1f}" y="{y + 14}">{shown(middle)}</text>')
    bottom = height - 8
    out.append(f'<line class="axis" x1="{LABEL}" x2="{LABEL}" y1="{TOP - 4}" y2="{bottom}"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def below(value):
    """The next smaller one of 1, 2 and 5 times a power of ten that leaves a bar to be seen."""
    power = 10 ** math.floor(math.log10(value))
    return max(step * power for step in (0.5, 1, 2, 5) if step * power < 0.8 * value)


def shown(value):
    """A ratio or a count, with the digits that mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
