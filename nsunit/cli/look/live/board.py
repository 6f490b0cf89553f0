"""The table of `top --full`, and what keys do to it: pure."""

from __future__ import annotations

from nsunit.cli.look.live.screen import BOLD, DIM, PLAIN, REVERSE, Line
from nsunit.cli.output import format_size
from nsunit.plan.usage import CONTAINER, SESSION
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nsunit.formats.cgroupfs import Pressure
    from nsunit.plan.usage import Usage

_HEADINGS = ("NAME", "STATE", "CPU%", "MEMORY", "SWAP", "TASKS", "WAIT CPU", "MEM", "IO", "READ", "WRITTEN")
# What is left out first where there is no room.
_SPARE = (10, 9, 5, 8, 7, 6, 4)
ORDERS = {"n": "name", "c": "CPU", "m": "memory", "s": "swap", "t": "tasks", "p": "pressure"}
HELP = "sort: n)ame c)pu m)emory s)wap t)asks p)ressure  k)ill z)pause, resume q)uit"


class Board(Record):
    """What is shown: by which key's order, the container that is marked, what is asked or was said."""

    order: str = "c"
    marked: str = ""
    asking: str = ""  # the container that is to be killed, if that is meant
    said: str = ""


def sorted_usages(usages: Sequence[Usage], order: str) -> list[Usage]:
    """Containers and what is around them in *order*, a key of `ORDERS`: the most comes first; sessions are left out."""
    shown = [item for item in usages if item.kind != SESSION]
    if order == "n":
        return shown  # as the tree is
    return sorted(shown, key=lambda item: (-_measure(item, order), item.name))


def _measure(item: Usage, order: str) -> float:
    if order == "c":
        return item.cpu.percent or 0.0 if item.cpu else 0.0
    if order == "m":
        return item.memory.current if item.memory else 0
    if order == "s":
        return item.swap.current if item.swap else 0
    if order == "t":
        return item.tasks.current if item.tasks else 0
    return max((part.some_avg10 for part in pressures_of(item) if part), default=0.0)


def pressures_of(item: Usage) -> tuple[Pressure | None, ...]:
    """That for CPUs, for memory and for disks; None where the kernel does not tell."""
    return item.pressure.cpu, item.pressure.memory, item.pressure.io


def moved(board: Board, usages: Sequence[Usage], key: str) -> Board:
    """*board* after the keys that only change what is shown: arrows, and those of an order."""
    if key in ORDERS:
        return board.replace(order=key, said="")
    names = [item.name for item in sorted_usages(usages, board.order) if item.kind == CONTAINER]
    if not names or key not in ("KEY_UP", "KEY_DOWN", "KEY_HOME", "KEY_END"):
        return board
    place = names.index(board.marked) if board.marked in names else -1
    wanted = {"KEY_UP": place - 1, "KEY_DOWN": place + 1, "KEY_HOME": 0, "KEY_END": len(names) - 1}[key]
    return board.replace(marked=names[min(max(wanted, 0), len(names) - 1)], said="")


def drawn(
    board: Board, usages: Sequence[Usage], paused: Collection[str], size: tuple[int, int], title: str = ""
) -> list[Line]:
    """The lines of a screen of *size* (lines, columns); *paused* are names."""
    height, width = size
    items = sorted_usages(usages, board.order)
    rows = [_row(item, item.name in paused, indent=board.order == "n") for item in items]
    shown = _fitting(rows, width)
    widths = [max(len(line[index]) for line in (_HEADINGS, *rows)) for index in shown]
    room = max(1, height - 3)
    first = _first_shown([item.name for item in items], board.marked, room)
    lines = [Line(f"{title}  by {ORDERS[board.order]}", DIM), Line(_aligned(_HEADINGS, shown, widths), BOLD)]
    for item, row in list(zip(items, rows, strict=True))[first : first + room]:
        lines.append(Line(_aligned(row, shown, widths), REVERSE if item.name == board.marked else PLAIN))
    lines += [Line("")] * (height - 1 - len(lines))
    last = f"kill all processes of '{board.asking}'? y)es, any other key: no" if board.asking else board.said or HELP
    return [*lines, Line(last, BOLD if board.asking or board.said else DIM)]


def _first_shown(names: Sequence[str], marked: str, room: int) -> int:
    place = names.index(marked) if marked in names else 0
    return max(0, place - room + 1)


def _row(item: Usage, paused: bool, *, indent: bool) -> tuple[str, ...]:
    cpu, memory, swap, tasks = item.cpu, item.memory, item.swap, item.tasks
    quota = f"{cpu.quota_usec / 10_000:.0f}" if cpu and cpu.quota_usec else ""
    return (
        ("  " * len(item.groups) if indent else "") + item.name,
        "paused" if paused else "running" if item.kind == CONTAINER else item.kind,
        _of("-" if cpu is None or cpu.percent is None else f"{cpu.percent:.1f}", quota),
        _of(format_size(memory.current if memory else None), format_size(memory.max) if memory and memory.max else ""),
        _of(
            format_size(swap.current if swap else None), format_size(swap.max) if swap and swap.max is not None else ""
        ),
        _of(str(tasks.current) if tasks else "-", str(tasks.max) if tasks and tasks.max else ""),
        *("-" if part is None else f"{part.some_avg10:.1f}" for part in pressures_of(item)),
        format_size(item.io.read_bytes if item.io else None),
        format_size(item.io.write_bytes if item.io else None),
    )


def _of(used: str, limit: str) -> str:
    """What is used, beside what may be."""
    return f"{used}/{limit}" if limit else used


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    shown = list(range(len(_HEADINGS)))
    for spare in _SPARE:
        if sum(max(len(line[index]) for line in (_HEADINGS, *rows)) + 2 for index in shown) - 2 <= width:
            break
        shown.remove(spare)
    return shown


def _aligned(row: tuple[str, ...], shown: Sequence[int], widths: Sequence[int]) -> str:
    return "  ".join(row[index].ljust(width) for index, width in zip(shown, widths, strict=True)).rstrip()
