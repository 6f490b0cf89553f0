"""Graphs of block characters: pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"


def graph(values: Sequence[float | None], width: int, height: int, top: float, *, blocks: str = BLOCKS) -> list[str]:
    """*height* lines of *width* columns, the last of *values* at the right; *top* is what fills a column.

    None, which is not known, leaves its column empty; what is more than nothing is seen.
    """
    steps = len(blocks) - 1
    shown = list(values[-width:]) if width > 0 else []
    filled = [_filled(value, height * steps, top) for value in shown]
    lines = []
    for row in range(height - 1, -1, -1):
        line = "".join(blocks[min(max(level - row * steps, 0), steps)] for level in filled)
        lines.append(line.rjust(width))
    return lines


def _filled(value: float | None, most: int, top: float) -> int:
    if value is None or value <= 0 or top <= 0:
        return 0
    return min(most, max(1, round(value / top * most)))


def top_of(values: Sequence[float | None], least: float, limit: float | None = None) -> float:
    """What the top of a graph is to be: the *limit* where there is one, or else what leaves room above *values*."""
    highest = max((value for value in values if value is not None), default=0.0)
    if limit is not None and highest <= limit:
        return limit
    top = least
    while top < highest:
        top *= 2
    return top
