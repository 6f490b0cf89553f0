"""`stats --plot`: CPU, memory and pressure over time."""

from __future__ import annotations

import sys
import time

from nsunit.cli import fail
from nsunit.cli.look.live.board import pressures_of
from nsunit.cli.look.live.graph import ASCII, BLOCKS, graph, top_of
from nsunit.cli.look.live.screen import BOLD, DIM, Line, until, with_screen
from nsunit.cli.look.stats import sampler_of, seconds
from nsunit.cli.output import format_duration, format_size
from nsunit.plan.usage import SESSION, TOTAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.look.live.screen import Screen
    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.look.stats import Sample
    from nsunit.errors import NsunitError
    from nsunit.plan.usage import Usage

_INTERVAL = 2.0
_MOST = 1000  # samples that are kept of each, more than a terminal has columns
_QUIT = ("q", "Q", "\x1b")


class History:
    """What has been seen of one container, group or all: CPU in percent, bytes, waiting in percent."""

    def __init__(self) -> None:
        self.cpu: list[float | None] = []
        self.memory: list[float | None] = []
        self.pressure: list[float | None] = []
        self.last: Usage | None = None

    def add(self, item: Usage | None) -> None:
        """Note *item*, None where it does not run now."""
        pressures = [part.some_avg10 for part in pressures_of(item) if part is not None] if item else []
        self.cpu.append(item.cpu.percent if item and item.cpu else None)
        self.memory.append(float(item.memory.current) if item and item.memory else None)
        self.pressure.append(max(pressures) if pressures else None)
        self.last = item or self.last
        for series in (self.cpu, self.memory, self.pressure):
            del series[:-_MOST]


def note(histories: dict[str, History], sample: Sample, names: tuple[str, ...]) -> None:
    """Add *sample* to *histories*: of *names*, or of all together and each container."""
    found = {item.name: item for item in sample.usages if item.kind != SESSION and (not names or item.name in names)}
    for name in found:
        histories.setdefault(name, History())
    for name, history in histories.items():
        history.add(found.get(name))


def drawn(histories: dict[str, History], size: tuple[int, int], interval: float, blocks: str = BLOCKS) -> list[Line]:
    """The lines of a screen of *size*: of each of *histories* three graphs side by side, as many as there is room for.

    The one of all together comes first.
    """
    height, width = size
    order = sorted(histories, key=lambda name: (not _is_total(histories[name]), name))
    room = height - 1
    count = max(1, min(len(order), room // 4))
    tall = max(1, room // count - 2) if count else 1
    part = max(8, (width - 4) // 3)
    lines: list[Line] = []
    for name in order[:count]:
        history = histories[name]
        lines.append(Line(name + ("" if _runs(history) else "  (does not run)"), BOLD))
        columns = [_column(*item, part, min(tall, 8), blocks) for item in _series(history)]
        lines += [
            Line("  ".join(row), DIM if not number else "plain")
            for number, row in enumerate(zip(*columns, strict=True))
        ]
    left = f"; {len(order) - count} more have no room" if len(order) > count else ""
    span = format_duration(part * interval)
    return [*lines[:room], Line(f"q quits; {span} from left to right{left}", DIM)]


def _series(history: History) -> list[tuple[str, list[float | None], float]]:
    """Of each graph its heading, its values and its top."""
    last = history.last
    quota = last.cpu.quota_usec / 10_000 if last and last.cpu and last.cpu.quota_usec else None
    most = float(last.memory.max) if last and last.memory and last.memory.max else None
    seen = (history.cpu, history.memory, history.pressure)
    cpu, memory, pressure = (series[-1] if series else None for series in seen)
    tops = (top_of(history.cpu, 100.0, quota), top_of(history.memory, float(1 << 20), most), 100.0)
    said = (
        f"CPU {_percent(cpu)} of {tops[0]:.0f}%{' (limit)' if quota == tops[0] else ''}",
        f"memory {format_size(None if memory is None else int(memory))} of {format_size(int(tops[1]))}"
        f"{' (limit)' if most == tops[1] else ''}",
        f"waiting {_percent(pressure)} of the time",
    )
    return list(zip(said, seen, tops, strict=True))


def _column(heading: str, values: list[float | None], top: float, width: int, height: int, blocks: str) -> list[str]:
    return [heading[:width].ljust(width), *graph(values, width, height, top, blocks=blocks)]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}%"


def _is_total(history: History) -> bool:
    return history.last is not None and history.last.kind == TOTAL


def _runs(history: History) -> bool:
    return bool(history.cpu) and history.cpu[-1] is not None


def plot(invocation: Invocation) -> int:
    """The option `--plot` of the verb `stats`."""
    sampler = sampler_of(invocation)
    interval = seconds(invocation.value("watch")) if invocation.flag("watch") else _INTERVAL
    names = tuple(invocation.operands)
    sampler.prime()
    absent: list[NsunitError] = []
    if not sampler.sample(names, absent).usages and absent:
        return fail(absent)  # before the screen is taken; where others run, when that is given back
    blocks = BLOCKS if "utf" in (sys.stdout.encoding or "").lower() else ASCII

    def view(screen: Screen) -> None:
        histories: dict[str, History] = {}
        moment = time.monotonic() + min(0.25, interval)
        while True:
            if until(moment) == 0:
                note(histories, sampler.sample(), names)
                moment = time.monotonic() + interval
            screen.show(drawn(histories, screen.size, interval, blocks))
            if screen.key(until(moment)) in _QUIT:
                return

    return with_screen(view, "'nsunit stats --plot'") or fail(absent)
