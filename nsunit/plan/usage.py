"""What containers use: one record for a container, an exec session, a group, or all of them.

The counters are those of cgroups, so a container's hold what its sessions use, and a group's what its containers do.
"""

from __future__ import annotations

from nsunit.formats.cgroupfs import (
    DeviceIO,
    Pressure,
    Traffic,
    cpu_max,
    flat_keyed,
    io_stat,
    number,
    pressure,
)
from nsunit.names import escape, is_valid_name, unescape
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CONTAINER, SESSION, GROUP, POD, TOTAL = "container", "session", "group", "pod", "total"

# The files that are read of each cgroup; one that the kernel or a missing controller does not provide is left out.
FILES = (
    *("cpu.stat", "cpu.max", "cpu.pressure"),
    *("memory.current", "memory.peak", "memory.high", "memory.max", "memory.events", "memory.pressure"),
    *("memory.swap.current", "memory.swap.max", "pids.current", "pids.max", "io.stat", "io.pressure"),
    "cgroup.stat.local",  # Linux 7
)


class CPU(Record):
    """Times in µs; `quota_usec` is the time that may be used in a second; `percent` is of one CPU, just now."""

    usage_usec: int
    user_usec: int
    system_usec: int
    throttled_usec: int
    quota_usec: int | None
    percent: float | None = None


class Memory(Record):
    """Bytes, and how often the kernel had to act: throttle at memory.high, reclaim at memory.max, kill."""

    current: int
    peak: int | None
    high: int | None
    max: int | None
    high_events: int
    max_events: int
    oom_events: int
    oom_kills: int
    throttled_sockets: int = 0  # times at which network traffic was held back, Linux 7


class Swap(Record):
    """Bytes."""

    current: int
    max: int | None


class Tasks(Record):
    """Processes and threads."""

    current: int
    max: int | None


class IO(Record):
    """Traffic with all block devices, and with each."""

    read_bytes: int
    write_bytes: int
    read_operations: int
    write_operations: int
    devices: tuple[DeviceIO, ...]


class PressureSet(Record):
    """The pressure of each resource; None where the kernel does not tell."""

    cpu: Pressure | None
    memory: Pressure | None
    io: Pressure | None


class Usage(Record):
    """What one of `kind` uses.  A part is None where the controller is not on, or the kernel does not provide it.

    `name` is the container's, the session's scope, or the name of the slice as its definition has it (`shop.slice`);
    `container` the container a session belongs to; `groups` the groups around it, the outermost first.  `network` is
    that of the container's network namespace, which may be a pod's, None with the host's; a group has the sum of those
    of its containers, each counted once.
    """

    kind: str
    name: str
    container: str
    groups: tuple[str, ...]
    unit: str
    control_group: str
    cpu: CPU | None
    memory: Memory | None
    swap: Swap | None
    tasks: Tasks | None
    io: IO | None
    network: Traffic | None
    pressure: PressureSet
    frozen_usec: int | None = None  # how long it was paused, Linux 7
    managed_oom_kills: int = 0  # how often systemd-oomd has killed in it


def usage_of(
    place: Place, control_group: str, files: Mapping[str, str], traffic: Traffic | None, percent: float | None = None
) -> Usage:
    """Make the record from the content of the *files* of a cgroup; all of `FILES` that could be read."""
    return Usage(
        kind=place.kind,
        name=place.name,
        container=place.container,
        groups=place.groups,
        unit=control_group.rpartition("/")[2],
        control_group=control_group,
        cpu=_cpu(files, percent),
        memory=_memory(files),
        swap=Swap(_int(files, "memory.swap.current"), _limit(files, "memory.swap.max"))
        if "memory.swap.current" in files
        else None,
        tasks=Tasks(_int(files, "pids.current"), _limit(files, "pids.max")) if "pids.current" in files else None,
        io=_io(files),
        network=traffic,
        pressure=PressureSet(*(_pressure(files, kind) for kind in ("cpu", "memory", "io"))),
        frozen_usec=flat_keyed(files.get("cgroup.stat.local", "")).get("frozen_usec"),
    )


def _int(files: Mapping[str, str], name: str) -> int:
    return number(files.get(name, "")) or 0


def _limit(files: Mapping[str, str], name: str) -> int | None:
    return number(files.get(name, ""))


def _cpu(files: Mapping[str, str], percent: float | None) -> CPU | None:
    if "cpu.stat" not in files:
        return None
    times = flat_keyed(files["cpu.stat"])
    quota, period = cpu_max(files["cpu.max"]) if "cpu.max" in files else (None, 1)
    return CPU(
        times.get("usage_usec", 0),
        times.get("user_usec", 0),
        times.get("system_usec", 0),
        times.get("throttled_usec", 0),
        None if quota is None else quota * 1_000_000 // period,
        percent,
    )


def _memory(files: Mapping[str, str]) -> Memory | None:
    if "memory.current" not in files:
        return None
    events = flat_keyed(files.get("memory.events", ""))
    return Memory(
        _int(files, "memory.current"),
        _limit(files, "memory.peak"),
        _limit(files, "memory.high"),
        _limit(files, "memory.max"),
        *(events.get(key, 0) for key in ("high", "max", "oom", "oom_kill", "sock_throttled")),
    )


def _io(files: Mapping[str, str]) -> IO | None:
    if "io.stat" not in files:
        return None
    devices = io_stat(files["io.stat"])
    return IO(
        sum(device.read_bytes for device in devices),
        sum(device.write_bytes for device in devices),
        sum(device.read_operations for device in devices),
        sum(device.write_operations for device in devices),
        devices,
    )


def _pressure(files: Mapping[str, str], kind: str) -> Pressure | None:
    text = files.get(f"{kind}.pressure")
    return pressure(text) if text else None


class Place(Record):
    """What a cgroup below nsunit.slice stands for; see `Usage` for the fields."""

    kind: str
    name: str
    container: str
    groups: tuple[str, ...]

    def of_pods(self, pods: Mapping[str, str]) -> Place:
        """The same where *pods* are the pods that are there, by the groups that they are."""
        groups = tuple(pods.get(group, group) for group in self.groups)
        if self.kind == GROUP and self.name in pods:
            return Place(POD, pods[self.name], self.container, groups)
        return Place(self.kind, self.name, self.container, groups)


def place_of(path: Sequence[str], children: Iterable[str]) -> Place | None:
    """Tell what the cgroup at *path*, the units' names from `nsunit.slice` down, stands for by its *children*.

    A container's slice holds its service or scopes; a slice that holds slices is a group.  None is something of
    other people's, or a slice that is just being made or removed.
    """
    unit = path[-1]
    if len(path) == 1:
        return Place(TOTAL, unit, "", ())
    names = [_name_in(slice_) for slice_ in path[1:] if slice_.endswith(".slice")]
    if not names or not all(is_valid_name(name) for name in names):
        return None
    name = names[-1]
    # A group is called by all of its slice's name: `shop-eu.slice` is one within `shop.slice`.
    called = [slice_.removeprefix("nsunit-") for slice_ in path[1:] if slice_.endswith(".slice")]
    groups = tuple(called[:-1])
    if unit.endswith(".scope") and unit.startswith(f"nsunit-{escape(name)}-exec-"):
        return Place(SESSION, unit, name, groups)
    if not unit.endswith(".slice"):
        return None
    kinds = {child.rpartition(".")[2] for child in children}
    if kinds & {"service", "scope"}:
        return Place(CONTAINER, name, name, groups)
    return Place(GROUP, called[-1], "", groups) if "slice" in kinds else None


def _name_in(slice_: str) -> str:
    # A dash that belongs to a name is escaped in the unit's name, so the last plain one is systemd's.
    return unescape(slice_.removesuffix(".slice").rpartition("-")[2])


def add_traffic(parts: Iterable[Traffic | None]) -> Traffic | None:
    """The sum of *parts*, None if there is none at all."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Traffic(
        sum(part.receive_bytes for part in known),
        sum(part.receive_packets for part in known),
        sum(part.transmit_bytes for part in known),
        sum(part.transmit_packets for part in known),
    )


def percent_of(before_usec: int, after_usec: int, seconds: float) -> float | None:
    """CPU time used in *seconds*, in percent of one CPU; None if the counter began anew meanwhile."""
    if seconds <= 0 or after_usec < before_usec:
        return None
    return round((after_usec - before_usec) / seconds / 10_000, 1)
