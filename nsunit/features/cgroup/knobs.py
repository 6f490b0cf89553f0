"""The files of a cgroup whose values systemd keeps: which of its properties says the same.  Pure.

Where systemd has a property for a file it writes that file itself, now and whenever it likes, so that in the cgroup
of a unit the property has to be changed.  Below, in what is delegated, the file is written.
"""

from __future__ import annotations

from nsunit.definition.systemd.values_control import cpu_set, memory, tasks_max, weight
from nsunit.definition.values import Properties, is_digits, size
from nsunit.definition.words import wrong
from nsunit.formats.cgroupfs import cpu_max
from nsunit.units import INFINITY, Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_IO_MAX = {
    "rbps": "IOReadBandwidthMax",
    "wbps": "IOWriteBandwidthMax",
    "riops": "IOReadIOPSMax",
    "wiops": "IOWriteIOPSMax",
}
_DEVICE_HINT = "begin with a device, as MAJOR:MINOR or by a path"
# In the cgroup of a delegated unit these belong to the one it is delegated to; /sys/kernel/cgroup/delegate has the
# first of them, the others say nothing about the parent's resources, and systemd does not write them.
DELEGATED = frozenset(
    "memory.oom.group memory.reclaim memory.peak memory.swap.peak"
    " cgroup.max.depth cgroup.max.descendants cgroup.pressure cgroup.subtree_control".split()
)
# What moves processes, or ends them, has verbs of its own.
_VERBS = {
    "cgroup.procs": "nsunit cgroup classify",
    "cgroup.threads": "nsunit cgroup classify",
    "cgroup.kill": "nsunit cgroup delete --kill",
}
_MEMORY = {
    "memory.min": "MemoryMin",
    "memory.low": "MemoryLow",
    "memory.high": "MemoryHigh",
    "memory.max": "MemoryMax",
    "memory.swap.max": "MemorySwapMax",
    "memory.zswap.max": "MemoryZSwapMax",
}

# What files with a line for each device have for one that has no line.
_GONE = {"io.max": "rbps=max wbps=max riops=max wiops=max", "io.latency": "target=0", "io.weight": "default"}


def properties(file: str, value: str, now: str) -> tuple[Property, ...] | None:
    """What systemd has to be told for *value* in *file*, None if it has no property for that file.

    *now* is what the file has.

    Raises:
        ValueProblem: the value is wrong.
    """
    if file in _MEMORY:
        name = _MEMORY[file]
        zero = file not in ("memory.high", "memory.max")
        return _of(name, memory(name, zero=zero)("infinity" if value == "max" else value))
    make = _FILES.get(file)
    return None if make is None else make(value, now)


def verb_for(file: str) -> str | None:
    """The command that does what writing *file* would do, where there is one."""
    return _VERBS.get(file)


def _of(name: str, value: object, signature: str = "t") -> tuple[Property, ...]:
    return tuple(value) if isinstance(value, Properties) else (Property(name, signature, value),)


def _cpu_weight(value: str, _now: str) -> tuple[Property, ...]:
    return _of("CPUWeight", weight(value))


def _cpu_idle(value: str, _now: str) -> tuple[Property, ...]:
    if value not in ("0", "1"):
        raise wrong(value, "is neither 0 nor 1")
    return _of("CPUWeight", 0 if value == "1" else INFINITY)


def _cpu_max(value: str, now: str) -> tuple[Property, ...]:
    """`QUOTA [PERIOD]` in µs; systemd has the quota for a second, rounded up so that the kernel's comes out again."""
    words = value.split()
    period = words[1] if len(words) == 2 else str(cpu_max(now)[1])
    if not 1 <= len(words) <= 2 or not is_digits(period) or (words[0] != "max" and not is_digits(words[0])):
        raise wrong(value, "is not a quota and a period", "e.g. 50000 100000, in microseconds, or max")
    if not 1000 <= int(period) <= 1_000_000:
        raise wrong(period, "is out of range for a period", "use 1000 to 1000000 microseconds")
    if words[0] == "max":
        quota = INFINITY
    else:
        quota = -(-int(words[0]) * 1_000_000 // int(period))
        if quota == 0:
            raise wrong(value, "is too little", "use max for no limit")
    return (*_of("CPUQuotaPerSecUSec", quota), *_of("CPUQuotaPeriodUSec", int(period)))


def _set(name: str) -> Callable[[str, str], tuple[Property, ...]]:
    return lambda value, _now: _of(name, cpu_set(value), "ay")


def _pids(value: str, _now: str) -> tuple[Property, ...]:
    return _of("TasksMax", tasks_max("infinity" if value == "max" else value))


def _zswap_writeback(value: str, _now: str) -> tuple[Property, ...]:
    if value not in ("0", "1"):
        raise wrong(value, "is neither 0 nor 1")
    return _of("MemoryZSwapWriteback", value == "1", "b")


def _device(value: str) -> tuple[str, list[str]]:
    """The path of the device in front of *value*, where it has its number, and the rest."""
    words = value.split()
    major, colon, minor = (words or [""])[0].partition(":")
    if len(words) < 2 or not colon or not is_digits(major) or not is_digits(minor):
        raise wrong(value, "has no device in front", _DEVICE_HINT)
    return f"/dev/block/{words[0]}", words[1:]


def _io_weight(value: str, _now: str) -> tuple[Property, ...]:
    words = value.split()
    if len(words) == 1 or words[:1] == ["default"]:
        return _of("IOWeight", weight(words[-1]))
    device, rest = _device(value)
    number = 100 if rest[0] == "default" else weight(rest[0])
    return (Property("IODeviceWeight", "a(st)", ((device, number),)),)


def _io_max(value: str, _now: str) -> tuple[Property, ...]:
    device, rest = _device(value)
    found = []
    for word in rest:
        field, equals, limit = word.partition("=")
        if not equals or field not in _IO_MAX:
            raise wrong(word, "is not a limit", "use rbps=, wbps=, riops= and wiops=")
        number = INFINITY if limit == "max" else size(limit, 1024)
        if not number:
            raise wrong(word, "is too little", "use max for no limit")
        found.append(Property(_IO_MAX[field], "a(st)", ((device, number),)))
    return tuple(found)


def _io_latency(value: str, _now: str) -> tuple[Property, ...]:
    device, rest = _device(value)
    field, _, target = rest[0].partition("=")
    if len(rest) != 1 or field != "target" or not is_digits(target):
        raise wrong(value, "is not a latency target", "e.g. 8:0 target=25000, in microseconds")
    # 0 is what the kernel has for none, and infinity what systemd has.
    return (Property("IODeviceLatencyTargetUSec", "a(st)", ((device, int(target) or INFINITY),)),)


_FILES: dict[str, Callable[[str, str], tuple[Property, ...]]] = {
    "cpu.weight": _cpu_weight,
    "cpu.idle": _cpu_idle,
    "cpu.max": _cpu_max,
    "cpuset.cpus": _set("AllowedCPUs"),
    "cpuset.mems": _set("AllowedMemoryNodes"),
    "memory.zswap.writeback": _zswap_writeback,
    "pids.max": _pids,
    "io.weight": _io_weight,
    "io.max": _io_max,
    "io.latency": _io_latency,
}


# Settable, and no setting: what the kernel shows in another file too, what is done at once, and notices.
_NO_SETTINGS = frozenset("nice peak reclaim pressure".split())
_OF_CGROUPS = ("cgroup.max.depth", "cgroup.max.descendants")


def is_setting(file: str) -> bool:
    """Whether *file*, which can be written, holds a setting, so that a copy of the group has to have it."""
    return file in _OF_CGROUPS or (not file.startswith("cgroup.") and file.rpartition(".")[2] not in _NO_SETTINGS)


def to_copy(file: str, source: str, target: str) -> list[str]:
    """What to write into *file* that has *target* to have it as *source*; nothing where that is empty."""
    if file not in _GONE:
        return [source.strip()] if source.strip() not in ("", target.strip()) else []
    lines = source.splitlines()
    known = {line.split()[0] for line in lines if line.strip()}
    others = [line for line in target.splitlines() if line.strip() and line.split()[0] not in known]
    return [
        *(line for line in lines if line.strip() and line not in target.splitlines()),
        *(put_back(file, source, line) for line in others),
    ]


def put_back(file: str, before: str, written: str) -> str:
    """What to write into *file* to have it as it was *before*, after *written* was accepted."""
    if file not in _GONE:
        return before.strip()
    first = written.split()[0] if ":" in written else "default"
    old = next((line for line in before.splitlines() if line.split()[:1] == [first]), None)
    return f"{first} {_GONE[file]}" if old is None else old
