"""What people and programs get to see: tables, colours, JSON, sizes and times.

Every text that is not nsunit's own goes through `nsunit.names.printable`, so that a name, a command line or a unit's
description cannot drive the reader's terminal.
"""

from __future__ import annotations

import os
import sys
import time

from nsunit.errors import NsunitError
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TextIO

    from nsunit.cli.verbs import Invocation

_COLOURS = {"green": "0;1;32", "red": "0;1;31", "yellow": "0;1;33", "grey": "0;38;5;245", "bold": "0;1;39"}
_DOTS = {
    "active": ("●", "*", "green"),
    "reloading": ("↻", "*", "green"),
    "refreshing": ("↻", "*", "green"),
    "activating": ("↻", "*", "yellow"),
    "deactivating": ("↻", "*", "yellow"),
    "failed": ("×", "x", "red"),
    "inactive": ("○", "-", ""),
}
_STATE_COLOURS = {
    "active": "green",
    "failed": "red",
    "paused": "yellow",
    "ok": "green",
    "warning": "yellow",
    "error": "red",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LEAST_OF_CUT = 24  # columns, of what may be cut off


class Style:
    """How to write to one stream: with colours and aligned columns on a terminal, plainly elsewhere.

    `$NO_COLOR` (https://no-color.org), `--no-color` and `$TERM=dumb` turn colours off; *headings* are those of tables.
    """

    def __init__(self, stream: TextIO | None = None, plain: bool = False, headings: bool = True) -> None:
        self.stream = stream or sys.stdout
        self.headings = headings
        self.terminal = self.stream.isatty()
        self.colour = (
            self.terminal and not plain and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self.unicode = (getattr(self.stream, "encoding", "") or "").lower().replace("-", "") == "utf8"

    @classmethod
    def of(cls, invocation: Invocation) -> Style:
        """Return the style for standard output that the command line asks for."""
        return cls(plain=invocation.flag("no-color"), headings=not invocation.flag("no-headings"))

    def paint(self, text: str, colour: str) -> str:
        """Return *text* in *colour*, where colours are wanted."""
        if not self.colour or colour not in _COLOURS:
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"

    def dot(self, active_state: str) -> str:
        """Return the mark systemctl(1) puts in front of a unit in *active_state*."""
        mark, plain, colour = _DOTS.get(active_state, ("●", "*", ""))
        return self.paint(mark if self.unicode else plain, colour)

    def state(self, state: str) -> str:
        """Return the word for a state, coloured as systemctl does it."""
        return self.paint(printable(state), _STATE_COLOURS.get(state, ""))

    def width(self) -> int:
        """Columns of the terminal, 80 where there is none."""
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def cut(self, text: str) -> str:
        """Return the unpainted *text* as it fits in a line of the terminal; whole where there is none."""
        width = self.width() if self.terminal else len(text)
        if len(text) <= width:
            return text
        return text[: width - 1] + ("…" if self.unicode else ">")

    def line(self, text: str = "") -> None:
        """Write one line.  What cannot be encoded for the stream is escaped."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def print_names(names: Iterable[str]) -> None:
    """Write *names*, one a line: what a list is with --quiet."""
    for name in names:
        sys.stdout.write(printable(name) + "\n")


def print_table(
    style: Style, columns: tuple[str, ...], rows: list[tuple[str, ...]], spare: tuple[str, ...] = (), cut: bool = False
) -> None:
    """Write *rows* under a heading: aligned on a terminal, else one line each with tabs between the fields.

    On a terminal that is too narrow, columns of *spare* are left out, first those in which there is nothing, then one
    by one as they stand there.  Nothing is cut off but, with *cut*, what is in the last column.
    """
    clean = [tuple(printable(field) for field in row) for row in rows]
    if not style.terminal:
        for row in (columns, *clean) if style.headings and clean else clean:
            style.line("\t".join(row))
        return
    shown = _fitting(columns, clean, style.width(), spare, cut)
    columns = tuple(columns[index] for index in shown)
    clean = [tuple(row[index] for index in shown) for row in clean]
    widths = _widths(columns, clean)
    if style.headings:
        style.line(style.paint(_aligned(columns, widths), "bold"))
    for row in clean:
        text = _aligned(row, widths)[: style.width() if cut else None]
        for index, field in enumerate(row):
            if columns[index] == "STATE" and field in _STATE_COLOURS:
                start = sum(widths[:index]) + 2 * index
                text = text[:start] + style.state(field) + text[start + len(field) :]
        style.line(text)


def _fitting(
    columns: tuple[str, ...], rows: list[tuple[str, ...]], width: int, spare: tuple[str, ...], cut: bool
) -> list[int]:
    """The numbers of the columns that there is room for."""
    shown = list(range(len(columns)))
    empty = [name for name in spare if all(row[columns.index(name)] == "-" for row in rows)]
    widths = _widths(columns, rows)
    if cut:
        widths[-1] = min(widths[-1], max(len(columns[-1]), _LEAST_OF_CUT))
    for name in dict.fromkeys((*empty, *spare)):
        if sum(widths[index] + 2 for index in shown) - 2 <= width:
            break
        shown.remove(columns.index(name))
    return shown


def _widths(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[int]:
    return [max(len(line[index]) for line in (columns, *rows)) for index in range(len(columns))]


def _aligned(fields: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(field.ljust(width) for field, width in zip(fields, widths, strict=True)).rstrip()


def print_json(value: object, stream: TextIO | None = None) -> None:
    """Write *value* as JSON; records become objects.  ASCII only, so control characters come out escaped."""
    (stream or sys.stdout).write(json_line(value, indent=2))


def json_line(value: object, indent: int | None = None) -> str:
    """Return *value* as JSON, in one line unless there is an *indent*."""
    import json  # a heavy import, and a table needs none

    return json.dumps(jsonable(value), indent=indent) + "\n"


def jsonable(value: object) -> Any:
    """Turn records, tuples and bytes into what JSON has; an error becomes an object, with its problems."""
    if isinstance(value, Record):
        return {name: jsonable(getattr(value, name)) for name in value._fields}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, NsunitError):
        said = {"message": value.message, "hint": value.hint, "problems": getattr(value, "problems", ())}
        return jsonable(said)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def format_size(size: int | None) -> str:
    """Bytes as systemd writes them: `512B`, `1.5K`, `2G`; `-` if unknown."""
    if size is None:
        return "-"
    if size < 1024:
        return f"{size}B"
    number = float(size)
    unit = ""
    for unit in "KMGTPE":
        number /= 1024
        if number < 1024 or unit == "E":
            break
    return f"{number:.1f}".removesuffix(".0") + unit


def format_duration(seconds: float) -> str:
    """A time span with its two largest units: `5d 3h`, `4min 2s`, `350ms`."""
    if seconds < 1:
        return f"{int(seconds * 1000)}ms"
    left = int(seconds)
    parts = []
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def format_time(usec: int) -> str:
    """A moment as systemctl writes it: `Sat 2025-11-22 13:20:11 UTC`; *usec* since the epoch."""
    return time.strftime("%a %Y-%m-%d %H:%M:%S %Z", time.localtime(usec / 1_000_000))


def format_ago(usec: int | None, now: float | None = None) -> str:
    """How long ago *usec* (microseconds since the epoch) was; `-` if it never was."""
    if not usec:
        return "-"
    return format_duration(max(0.0, (time.time() if now is None else now) - usec / 1_000_000))


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write `1 layer`, `3 layers`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
