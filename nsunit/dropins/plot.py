"""Starts as a picture, in the manner of `systemd-analyze plot`."""

from __future__ import annotations

from nsunit.dropins.render import fill
from nsunit.plan.timing import PARTS
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.plan.timing import Timing

_COLOURS = ("#4c72b0", "#64b5cd", "#8172b2", "#c44e52", "#ccb974", "#55a868", "#dd8452", "#8c8c8c")
_WIDTH = 900  # pixels of the longest start
_LEAST_USEC = 20  # what is shorter could not be seen
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)  # between lines, milliseconds
_LINES = 20  # at most


class Bar(Record):
    """One row: *x* and *width* in pixels, *bold* for the line of a container."""

    text: str
    x: float
    width: float
    colour: str
    bold: bool = False


def render_plot(timings: Sequence[Timing]) -> str:
    """The SVG of *timings*, each with a line of its own and its steps below."""
    longest = max((item.usec for item in timings), default=1) or 1
    scale = _WIDTH / longest
    colours = dict(zip(PARTS, _COLOURS, strict=True))
    bars = []
    for item in timings:
        bars.append(Bar(f"{item.name}: {item.usec / 1000:.1f} ms", 0, item.usec * scale, "#d0d0d0", True))
        for span in item.spans:
            if span.usec >= _LEAST_USEC:
                text = f"{span.part}: {span.what} ({span.usec / 1000:.2f} ms)"
                bars.append(Bar(text, span.begin * scale, span.usec * scale, colours[span.part]))
    step = next((step for step in _STEPS if longest / 1000 / step <= _LINES), _STEPS[-1])
    lines = [(at, at * 1000 * scale) for at in range(0, longest // 1000 + 1, step)]
    return fill("plot.svg.j2", escape=True, bars=bars, lines=lines, colours=colours, width=_WIDTH)
