"""Where the time of a start went, from what the command, systemd and the helper have noted.

All clocks are CLOCK_MONOTONIC.  The command and the helper leave a line of words and nanoseconds each in the run
directory of the container: what has ended when.  systemd has microseconds, as properties of the unit.
"""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What a mark of the command says has ended: the part of a start, and what of it.
_COMMAND = {
    "called": ("command", "interpreter, modules, connection to systemd"),
    "reached": ("command", "containers before it"),
    "loaded": ("definition", "files read and checked"),
    "settled": ("plan", "lock, what runs already"),
    "planned": ("plan", "ids and directories reserved, plan written"),
}
# And of the helper.
_HELPER = {
    "begun": ("interpreter", "executor of systemd and interpreter"),
    "modules": ("helper", "modules"),
    "plan": ("helper", "plan read"),
    "workspace": ("helper", "workspace"),
    "fork": ("helper", "fork"),
    "enter": ("helper", "namespaces"),
    "fork/payload": ("helper", "fork into the namespaces"),
    "attach": ("network", "waited for"),
    "main-pid": ("systemd", "MAINPID= taken"),
    "execve": ("payload", "execve"),
}
PARTS = ("command", "definition", "plan", "systemd", "interpreter", "helper", "network", "payload")
PROPERTIES = (
    *("ConditionTimestampMonotonic", "InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"),
    "NRestarts",
)
_TIMES, _LEAST_USEC, _FEW = 2, 5_000, 3  # unusual: so many times the median, and so much more; of so many at least


class Span(Record):
    """One step of a start, in microseconds; *begin* counts from the begin of the start."""

    part: str
    what: str
    begin: int
    usec: int


class Timing(Record):
    """The last start of a container: *usec* in all, its steps one after the other, and what is unusual about it."""

    name: str
    usec: int
    spans: tuple[Span, ...]
    notes: tuple[str, ...] = ()

    def part(self, part: str) -> int:
        """Microseconds that *part* took."""
        return sum(span.usec for span in self.spans if span.part == part)


def read_marks(content: bytes | None) -> dict[str, int]:
    """The marks in a file: what has ended, and when in microseconds; in their order, none of a damaged one."""
    words = (content or b"").decode("utf-8", "replace").split()
    try:
        return {what: int(moment) // 1000 for what, moment in zip(words[::2], words[1::2], strict=True)}
    except ValueError:
        return {}


def timing(name: str, asked: Mapping[str, int], marks: Mapping[str, int], properties: Mapping[str, object]) -> Timing:
    """The start of *name*; *asked* are the marks of the command, *marks* the helper's, *properties* the service's."""
    checked, forked, active = (_number(properties, key) for key in PROPERTIES[:3])
    if _number(properties, "NRestarts") or not asked or max(asked.values()) > forked:
        asked = {"begun": checked}  # systemd has started it by itself
    steps = [(_COMMAND[what], at) for what, at in _of_this(asked) if what in _COMMAND]
    steps += [(("systemd", "call, units made, job queued"), checked)] if steps else []
    steps += [(("systemd", "executor forked"), forked)]
    steps += [(_HELPER.get(what) or ("helper", what.replace("/", " ", 1)), at) for what, at in marks.items()]
    steps += [(("payload", "ready"), active)]
    begin = before = asked.get("begun", checked)
    spans = []
    for (part, what), at in steps:
        at = max(at, before)  # systemd may have looked at its clock a little earlier
        spans.append(Span(part, what, before - begin, at - before))
        before = at
    return Timing(name, before - begin, tuple(spans))


def _of_this(asked: Mapping[str, int]) -> list[tuple[str, int]]:
    """The marks of the command, without those of containers that it has started before."""
    since = asked.get("reached", 0)
    return sorted(
        ((what, at) for what, at in asked.items() if what == "called" or at >= since), key=lambda item: item[1]
    )


def compare(timings: Sequence[Timing]) -> list[Timing]:
    """*timings* with notes of what took much longer than with the others."""
    if len(timings) < _FEW:
        return list(timings)
    usual = {part: _median(item.part(part) for item in timings) for part in PARTS}
    return [item.replace(notes=(*item.notes, *_unusual(item, usual, len(timings)))) for item in timings]


def _unusual(item: Timing, usual: Mapping[str, int], count: int) -> list[str]:
    notes = []
    for part, median in usual.items():
        usec = item.part(part)
        if usec > _TIMES * median and usec - median > _LEAST_USEC:
            longest = max((span for span in item.spans if span.part == part), key=lambda span: span.usec)
            notes.append(
                f"{part} took {milliseconds(usec)} ms, the median of {count} is {milliseconds(median)} ms;"
                f" most of it: {longest.what}"
            )
    return notes


def milliseconds(usec: int) -> str:
    """Microseconds as `12.3`."""
    return f"{usec / 1000:.1f}"


def _median(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def _number(properties: Mapping[str, object], key: str) -> int:
    value = properties.get(key)
    return value if isinstance(value, int) else 0
