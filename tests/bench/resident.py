"""The processes that a tool leaves running beside the program of a container, whatever they are called.

What has come since a moment is told from what just happens on the machine by its control group: it is in one that was
not there before, or in that of whoever asks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


class Before:
    """The processes and control groups of a moment; `since` tells what has come and stayed."""

    def __init__(self) -> None:
        self.processes = processes()
        self.groups = set(self.processes.values())
        self.own = group_of(os.getpid())

    def since(self, payload: Sequence[str]) -> list[int]:
        """The processes that run now and did not then, without those that run the command *payload*."""
        return [
            pid
            for pid, group in processes().items()
            if self.processes.get(pid) is None
            and (group == self.own or group not in self.groups)
            and command_of(pid) not in ("", "\0".join(payload))
        ]


def processes() -> dict[int, str]:
    """All processes, and the control group of each."""
    found = {int(name): group_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: group for pid, group in found.items() if group}


def group_of(pid: int) -> str:
    """The control group of a process in version 2; empty if it has ended."""
    lines = read(pid, "cgroup").splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def command_of(pid: int) -> str:
    """The words of its command line, with null characters between them; empty if it has none any more."""
    return read(pid, "cmdline").rstrip("\0")


def memory_of(pid: int) -> int:
    """The KiB that a process has in memory."""
    return next((int(line.split()[1]) for line in read(pid, "status").splitlines() if line.startswith("VmRSS:")), 0)


def shared_out(pid: int) -> int:
    """The KiB of a process, of what several share its part; 0 if it has ended."""
    return next((int(line.split()[1]) for line in read(pid, "smaps_rollup").splitlines() if line.startswith("Pss:")), 0)


def read(pid: int, file: str) -> str:
    """A file of a process in /proc; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/{file}", errors="replace") as content:
            return content.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
