"""The processes of a unit, read from the cgroup file system and /proc.

systemd's GetUnitProcesses fails for all where one cgroup has a name that is no UTF-8 or that makes a path too long, and
takes command lines of any length into PID 1's memory: what is inside has a say in both.
"""

from __future__ import annotations

from nsunit.formats import procfs
from nsunit.record import Record
from nsunit.storage.files import read_kernel_file
from nsunit.storage.tree import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMAND_BYTES = 4096  # of a command line; it can have megabytes
ALL_BYTES = 1 << 20  # of all those of a unit, which can have tens of thousands; of the rest what follows
SHORT_BYTES = 64
_PATH_MAX = 4096


class UnitProcess(Record):
    """A process: the cgroup path (below the mount point), the pid, and the beginning of the command line."""

    cgroup: str
    pid: int
    command: str


def unit_processes(root: str, control_group: str) -> list[UnitProcess]:
    """All processes in *control_group*, below the mount point *root*, and deeper; who ends meanwhile is passed over."""
    found: list[UnitProcess] = []
    commands = Commands()
    if not control_group:  # the unit has none, for nothing runs in it
        return found
    for names, directory in groups_in(root + control_group):
        group = joined((control_group, *names))
        for pid in processes_of(directory):
            command = commands.of(pid)
            if command is not None:
                found.append(UnitProcess(group, pid, command))
    return found


def joined(names: Sequence[str]) -> str:
    """The path that *names* are, cut where it is longer than any that the kernel takes: groups nest at will."""
    path = "/".join(names)
    return path if len(path) < _PATH_MAX else f"{path[: _PATH_MAX - 1]}…"


def groups_in(directory: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The cgroup at *directory* and those below: the names on the way down, and a path, good until the next step."""
    yield (), directory
    yield from below(directory)


def processes_of(directory: str) -> list[int]:
    """The processes in the cgroup *directory* itself, by number; none if it is gone."""
    # A threaded cgroup does not tell either: its domain has the processes.
    return sorted(int(pid) for pid in (read_kernel_file(f"{directory}/cgroup.procs") or "").split())


class Commands:
    """The command lines of processes, of which all together have no more than a few MiB."""

    def __init__(self) -> None:
        self._left = ALL_BYTES

    def of(self, pid: int, comm: str = "") -> str | None:
        """The beginning of the command line of *pid*, `[comm]` where it has none, None if it has ended."""
        line = read_kernel_file(f"/proc/{pid}/cmdline", min(max(self._left, SHORT_BYTES), COMMAND_BYTES))
        if line is None:
            return None
        self._left -= len(line)
        if not line and not comm:
            comm = (read_kernel_file(f"/proc/{pid}/comm") or "").rstrip("\n")
        return procfs.command_line(line, comm)
