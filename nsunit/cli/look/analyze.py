"""The verb `analyze`."""

from __future__ import annotations

import sys

from nsunit.cli.output import Style, print_json, print_table
from nsunit.deeds.look.analyze import analyze, analyze_all, analyze_last
from nsunit.dropins.plot import render_plot
from nsunit.errors import UsageError
from nsunit.names import check_name, printable
from nsunit.plan.timing import PARTS, milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.plan.timing import Timing

_SHORT_USEC = 100  # steps below are shown as one line a part


def analyze_start(invocation: Invocation) -> int:
    """The verb `analyze`."""
    context, names = invocation.context(), invocation.operands
    if invocation.flag("all"):
        if names:
            raise UsageError("analyze --all takes no NAME", hint="leave out --all or the NAME")
        found = analyze_all(context)
    else:
        found = [analyze(context, check_name(names[0])) if names else analyze_last(context)]
    path = invocation.value("plot")
    if path:
        _write(path, render_plot(found))
    elif invocation.flag("json"):
        print_json(found)
    elif invocation.flag("all"):
        _print_all(found, Style.of(invocation))
    else:
        _print_one(found[0], Style.of(invocation))
    return 0


def _write(path: str, text: str) -> None:
    if path == "-":
        sys.stdout.write(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _print_one(found: Timing, style: Style) -> None:
    rows: list[tuple[str, ...]] = []
    for part, what, begin, usec, count in _shortened(found):
        step = f"{count} steps below {milliseconds(_SHORT_USEC)} ms each" if count > 1 else what
        rows.append((str(begin), str(usec), part, step))
    print_table(style, ("AT µs", "TOOK µs", "PART", "STEP"), rows, ("AT µs", "PART"))
    if style.terminal:
        sums = ", ".join(f"{part} {milliseconds(found.part(part))}" for part in PARTS if found.part(part))
        style.line(f"{printable(found.name)}: {milliseconds(found.usec)} ms: {sums}")


def _shortened(found: Timing) -> list[tuple[str, str, int, int, int]]:
    """Part, step, begin, length and count: short steps that follow each other in a part are one."""
    rows: list[tuple[str, str, int, int, int]] = []
    for span in found.spans:
        short = span.usec < _SHORT_USEC
        if short and rows and rows[-1][0] == span.part and rows[-1][4] > 0:
            part, what, begin, usec, count = rows[-1]
            rows[-1] = (part, what, begin, usec + span.usec, count + 1)
        else:
            rows.append((span.part, span.what, span.begin, span.usec, 1 if short else 0))
    return rows


def _print_all(found: list[Timing], style: Style) -> None:
    rows = [(item.name, str(item.usec), *(str(item.part(part)) for part in PARTS)) for item in found]
    print_table(style, ("NAME", "TOTAL µs", *(part.upper() for part in PARTS)), rows)
    for item in found:
        for note in item.notes:
            style.line(f"{style.paint('note:', 'yellow')} {printable(item.name)}: {printable(note)}")
