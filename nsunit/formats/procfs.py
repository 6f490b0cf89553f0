"""The formats of /proc/PID, proc(5): text in, numbers out.  All of it is written by the kernel, but for the names."""

from __future__ import annotations

from nsunit.record import Record


class Stat(Record):
    """Fields of /proc/PID/stat: times in clock ticks, since boot for the start."""

    comm: str
    state: str
    user_ticks: int
    system_ticks: int
    threads: int
    start_ticks: int


class IdRange(Record):
    """One line of /proc/PID/uid_map: ids from `inside` on are those from `outside` on."""

    inside: int
    outside: int
    count: int


def stat(text: str) -> Stat:
    """The content of /proc/PID/stat.  A process's name may hold anything, parentheses and line ends as well."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()  # the first of them is field 3
    return Stat(head.partition("(")[2], fields[0], int(fields[11]), int(fields[12]), int(fields[17]), int(fields[19]))


def status(text: str) -> dict[str, str]:
    """The content of /proc/PID/status; the kernel escapes line ends in the name, and no other that Python knows."""
    lines = (line.partition(":") for line in text.split("\n"))
    return {key: value.strip() for key, colon, value in lines if colon}


def id_map(text: str) -> tuple[IdRange, ...]:
    """The content of /proc/PID/uid_map."""
    return tuple(IdRange(*(int(field) for field in line.split())) for line in text.splitlines() if line.strip())


def inside_id(ranges: tuple[IdRange, ...], outside: int) -> int | None:
    """What id *outside* is in the user namespace with *ranges*, None if it has none there."""
    for item in ranges:
        if item.outside <= outside < item.outside + item.count:
            return item.inside + outside - item.outside
    return None


def command_line(text: str, comm: str) -> str:
    """The content of /proc/PID/cmdline with spaces between the words; `[comm]` for a process that has none."""
    words = text.rstrip("\0").split("\0")
    return " ".join(words) if any(words) else f"[{comm}]"


def routes(content: str) -> list[tuple[str, bool]]:
    """The links of the routes for IPv4 in /proc/net/route, proc_net(5), and whether each is a default route."""
    fields = [line.split() for line in content.splitlines()[1:]]
    return [(words[0], words[1] == "00000000" and words[7] == "00000000") for words in fields if len(words) > 7]
