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
    from nsunit.core.context import Context
    from nsunit.formats.procfs import IdRange


class Process(Record):
    """One process.

    `pid` and `uid` are the host's numbers, `inside_pid` and `inside_uid` the container's, None where it has none.
    `unit` and `cgroup` are where it belongs: the payload's service or an exec session's scope, and the group below.
    `cpu_percent` is of one CPU since it began, `memory` its resident set in bytes.
    """

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
    ranges = procfs.id_map(mapping)
    depth = len(procfs.status(payload)["NSpid"].split()) - 1
    found = []
    commands = Commands()
    for names, directory in groups_in(CGROUP_ROOT + slice_):
        unit, group = "".join(names[:1]), joined(names[1:])
        for pid in processes_of(directory):
            process = _process(pid, commands, unit, group, ranges, depth)
            if process is not None:
                found.append(process)
    return found


def _process(
    pid: int, commands: Commands, unit: str, group: str, ranges: tuple[IdRange, ...], depth: int
) -> Process | None:
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
    return Process(
        pid=pid,
        inside_pid=pids[depth] if depth < len(pids) else None,
        uid=uid,
        inside_uid=procfs.inside_id(ranges, uid),
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
