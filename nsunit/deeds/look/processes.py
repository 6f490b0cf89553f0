"""The processes of a container, as the host's /proc shows them; nothing is executed in it, nothing of it is opened."""

from __future__ import annotations

import os
import time

from nsunit.core.running import find_running, just_ended
from nsunit.formats import procfs
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.files import read_kernel_file
from nsunit.storage.processes import Commands, groups_in, joined, processes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.formats.procfs import IdRange


class Process(Record):
    """One process of `container`.

    `pid` and `uid` are the host's numbers, `inside_pid` and `inside_uid` the container's, None where it has none: what
    carries its network, as pasta does, is in its cgroup and not inside.
    `unit` and `cgroup` are where it belongs: the payload's service or an exec session's scope, and the group below.
    `cpu_percent` is of one CPU since it began, `memory` its resident set in bytes.
    """

    container: str
    pid: int
    inside_pid: int | None
    uid: int
    inside_uid: int | None
    unit: str
    cgroup: str
    state: str
    threads: int
    started_usec: int
    cpu_usec: int
    cpu_percent: float
    memory: int
    command: str


def list_processes(context: Context, name: str) -> list[Process]:
    """The processes of the running container *name* with its exec sessions, by unit and pid.

    Raises:
        NotFoundError: it does not run.
    """
    running = find_running(context, name)
    slice_ = os.path.dirname(running.control_group)
    mapping = read_kernel_file(f"/proc/{running.pid}/uid_map")
    payload = read_kernel_file(f"/proc/{running.pid}/status")
    if mapping is None or payload is None:
        raise just_ended(name)
    depth = len(procfs.status(payload)["NSpid"].split()) - 1
    inside = _Inside(name, ranges=procfs.id_map(mapping), namespace=_pid_namespace(running.pid), depth=depth)
    found = []
    commands = Commands()
    for names, directory in groups_in(CGROUP_ROOT + slice_):
        unit, group = "".join(names[:1]), joined(names[1:])
        for pid in processes_of(directory):
            process = _process(pid, commands, unit, group, inside)
            if process is not None:
                found.append(process)
    return found


class _Inside(Record):
    """What makes a process one inside of a container: its ids, its PID namespace, and how deep that is."""

    container: str
    ranges: tuple[IdRange, ...]
    namespace: str
    depth: int

    def pid_of(self, pid: int, pids: Sequence[int]) -> int | None:
        """The number inside of process *pid*, which has *pids* from the host's namespace on to its own."""
        if len(pids) <= self.depth:
            return None
        own = len(pids) > self.depth + 1 or _pid_namespace(pid) == self.namespace
        return pids[self.depth] if own else None


def _pid_namespace(pid: int) -> str:
    """The PID namespace of *pid*; empty if it is not ours to look at, as that of pasta is not its user's."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def _process(pid: int, commands: Commands, unit: str, group: str, inside: _Inside) -> Process | None:
    files = [read_kernel_file(f"/proc/{pid}/{name}") for name in ("stat", "status")]
    if any(content is None for content in files):
        return None  # it has just ended
    numbers, fields = procfs.stat(files[0] or ""), procfs.status(files[1] or "")
    command = commands.of(pid, numbers.comm)
    if command is None:
        return None
    pids = [int(number) for number in fields["NSpid"].split()]
    uid = int(fields["Uid"].split()[1])
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = (numbers.user_ticks + numbers.system_ticks) / ticks
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - numbers.start_ticks / ticks
    inside_pid = inside.pid_of(pid, pids)
    return Process(
        container=inside.container,
        pid=pid,
        inside_pid=inside_pid,
        uid=uid,
        inside_uid=None if inside_pid is None else procfs.inside_id(inside.ranges, uid),
        unit=unit,
        cgroup=group,
        state=numbers.state,
        threads=numbers.threads,
        started_usec=int((time.time() - age) * 1_000_000),
        cpu_usec=int(seconds * 1_000_000),
        cpu_percent=round(100 * seconds / age, 1) if age > 0 else 0.0,
        memory=_kilobytes(fields.get("VmRSS", "")),  # the kernel's own threads and zombies have none
        command=command,
    )


def _kilobytes(text: str) -> int:
    number, _, _unit = text.partition(" ")
    return int(number) * 1024 if number else 0
