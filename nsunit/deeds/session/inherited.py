"""What systemd gave a payload by keys of [Service] and a session, which systemd does not start, is to have as well.

Loaded where the definition of a container has one of these keys.
"""

from __future__ import annotations

import os
import resource

from nsunit.formats.cgroupfs import cpu_list
from nsunit.record import Record
from nsunit.setup import linux
from nsunit.setup.namespaces import write_file
from nsunit.setup.process import SCHED_RESET_ON_FORK
from nsunit.setup.spawn import SetupError
from nsunit.storage.files import read_kernel_file
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nsunit.core.context import Context

_NO_LIMIT = -1  # and resource.RLIM_INFINITY
_SCHEDULER = ("CPUSchedulingPolicy", "CPUSchedulingPriority", "CPUSchedulingResetOnFork")
_IO = ("IOSchedulingClass", "IOSchedulingPriority")
_NUMA = ("NUMAPolicy", "NUMAMask")
_THP = {"disable": (1, 0), "madvise": (1, 2), "system": (0, 0)}  # PR_SET_THP_DISABLE(2const)

# By key of [Service], the properties that have to be known for it.
PROPERTIES = {
    "Nice": ("Nice",),
    "OOMScoreAdjust": ("OOMScoreAdjust",),
    **dict.fromkeys(_SCHEDULER, _SCHEDULER),
    "CPUAffinity": ("CPUAffinity", "CPUAffinityFromNUMA", "NUMAMask"),
    **dict.fromkeys(_IO, _IO),
    **dict.fromkeys(_NUMA, _NUMA),
    "TimerSlackNSec": ("TimerSlackNSec",),
    "CoredumpFilter": ("CoredumpFilter",),
    "MemoryKSM": ("MemoryKSM",),
    "MemoryTHP": ("MemoryTHP",),
    "KeyringMode": ("KeyringMode",),
}


class Inherited(Record):
    """Values of systemd's for the *keys* of [Service], by property, and the soft and hard limit for each Limit key."""

    keys: tuple[str, ...]
    values: Mapping[str, object]
    limits: Mapping[str, tuple[int, int]]

    def give(self) -> None:
        """Give it all to the calling process, but the scheduler.

        Raises:
            SetupError: the caller may not.
        """
        done = set()
        for key in self.keys:
            deed = _DEEDS.get(key)
            if deed is None or deed in done:
                continue
            done.add(deed)
            try:
                deed(self.values)
            except OSError as error:
                raise SetupError(f"Failed to give the command {key}= of the container: {error.strerror}") from error

    def give_scheduler(self, pid: int) -> None:
        """Give process *pid* the scheduler: what is reset on a fork has to come after the last one.

        Raises:
            OSError: the caller may not.
        """
        if not set(self.keys) & set(_SCHEDULER):
            return
        policy, priority, resets = (_integer(self.values, key) for key in _SCHEDULER)
        if resets and "Nice" in self.keys:
            os.setpriority(os.PRIO_PROCESS, pid, _integer(self.values, "Nice"))
        os.sched_setscheduler(pid, policy | (SCHED_RESET_ON_FORK if resets else 0), os.sched_param(priority))

    def limit(self, pid: int) -> None:
        """Give process *pid* the resource limits; where there is none as high, as systemd does: the nearest."""
        for key, (soft, hard) in self.limits.items():
            which = getattr(resource, key.replace("Limit", "RLIMIT_"), None)
            if which is None:
                continue  # RLIMIT_LOCKS, which Linux does not look at
            try:
                resource.prlimit(pid, which, (soft, hard))
            except (PermissionError, ValueError):  # that is what Python makes of EPERM here
                highest = _lower(hard, _highest(pid, which))
                resource.prlimit(pid, which, (_lower(soft, highest), highest))


def inherited(context: Context, unit: str, keys: set[str]) -> Inherited:
    """What the running service *unit* has of the *keys* of its definition."""
    known = tuple(sorted(key for key in keys if key in PROPERTIES))
    wanted = {name for key in known for name in PROPERTIES[key]}
    limits = sorted(key for key in keys if key.startswith("Limit"))
    values = context.bus.get(unit, *sorted(wanted), *limits, *(f"{key}Soft" for key in limits))
    numbers = {key: _NO_LIMIT if value == INFINITY else int(str(value)) for key, value in values.items()
               if key.startswith("Limit")}  # fmt: skip
    return Inherited(known, values, {key: (numbers[f"{key}Soft"], numbers[key]) for key in limits})


def _highest(pid: int, which: int) -> int:
    """The highest limit that process *pid* can be given: systemd gives its own, which the caller's may be far below."""
    soft, hard = resource.prlimit(pid, which)
    try:
        highest = resource.prlimit(1, which)[1]
        resource.prlimit(pid, which, (_lower(soft, highest), highest))
    except (PermissionError, ValueError):  # who has no privileges
        return hard
    return highest


def _lower(one: int, other: int) -> int:
    return max(one, other) if _NO_LIMIT in (one, other) else min(one, other)


def _integer(values: Mapping[str, object], key: str) -> int:
    value = values.get(key)
    return value if isinstance(value, int) else 0


def _nice(values: Mapping[str, object]) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, _integer(values, "Nice"))


def _oom_score(values: Mapping[str, object]) -> None:
    try:
        write_file("/proc/self/oom_score_adj", str(values["OOMScoreAdjust"]))
    except PermissionError:
        pass  # in a container it may be so, and there systemd has started the payload without it, too


def _affinity(values: Mapping[str, object]) -> None:
    cpus = _numbers(values.get("CPUAffinity"))
    if values.get("CPUAffinityFromNUMA"):
        for node in _numbers(values.get("NUMAMask")):
            cpus |= set(cpu_list(read_kernel_file(f"/sys/devices/system/node/node{node}/cpulist") or ""))
    if cpus:
        os.sched_setaffinity(0, cpus)


def _io(values: Mapping[str, object]) -> None:
    linux.ioprio_set(*(_integer(values, key) for key in _IO))


def _numa(values: Mapping[str, object]) -> None:
    policy = _integer(values, "NUMAPolicy")
    linux.set_mempolicy(policy, _bytes(values.get("NUMAMask")))


def _timer_slack(values: Mapping[str, object]) -> None:
    write_file("/proc/self/timerslack_ns", str(values["TimerSlackNSec"]))


def _coredump(values: Mapping[str, object]) -> None:
    write_file("/proc/self/coredump_filter", f"{_integer(values, 'CoredumpFilter'):#x}")


def _same_page_merging(values: Mapping[str, object]) -> None:
    linux.prctl(linux.PR_SET_MEMORY_MERGE, int(bool(values.get("MemoryKSM"))))


def _huge_pages(values: Mapping[str, object]) -> None:
    mode = _THP.get(str(values.get("MemoryTHP")))
    if mode is not None:
        linux.prctl(linux.PR_SET_THP_DISABLE, *mode)


def _keyring(values: Mapping[str, object]) -> None:
    if values.get("KeyringMode") != "inherit":
        linux.new_session_keyring(with_user=values.get("KeyringMode") == "shared")


def _bytes(value: object) -> bytes:
    raw = bytes(value) if isinstance(value, (bytes, list, tuple)) else b""
    return raw.ljust(-(-len(raw) // 8) * 8, b"\0")


def _numbers(value: object) -> set[int]:
    mask = int.from_bytes(_bytes(value), "little")
    return {number for number in range(mask.bit_length()) if mask >> number & 1}


_DEEDS: dict[str, Callable[[Mapping[str, object]], None]] = {
    "Nice": _nice,
    "OOMScoreAdjust": _oom_score,
    "CPUAffinity": _affinity,
    **dict.fromkeys(_IO, _io),
    **dict.fromkeys(_NUMA, _numa),
    "TimerSlackNSec": _timer_slack,
    "CoredumpFilter": _coredump,
    "MemoryKSM": _same_page_merging,
    "MemoryTHP": _huge_pages,
    "KeyringMode": _keyring,
}
