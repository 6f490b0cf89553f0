"""Files of control groups, of both versions of the kernel's, as keys of [Slice]."""

from __future__ import annotations

from nsunit.definition.systemd.kernel import VERSION_1, VERSION_2
from nsunit.definition.values import is_digits
from nsunit.definition.words import ValueProblem
from nsunit.features.cgroup import version1
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nsunit.imports.podman.target import Target

    # Keys of [Slice] with their values.
    Lines = list[tuple[str, str]]

_PERIOD = 100_000  # µs, the kernel's own
# What version 1 shows for no limit of memory: as many pages as fit, of whatever size.
_UNLIMITED = 1 << 62
_ONE = {
    "cpuset.cpus": "AllowedCPUs",
    "cpuset.mems": "AllowedMemoryNodes",
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.max": "MemoryMax",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
    "memory.zswap.max": "MemoryZSwapMax",
    "pids.max": "TasksMax",
}
# What a group has that nobody has set anything of.
_DEFAULT = {
    **dict.fromkeys(("memory.high", "memory.max", "memory.swap.max", "memory.zswap.max", "pids.max"), "max"),
    **dict.fromkeys(("memory.low", "memory.min", "cpu.idle", "cgroup.freeze", "cpu.max.burst"), "0"),
    **dict.fromkeys(("memory.oom.group", "notify_on_release", "cgroup.clone_children"), "0"),
    **dict.fromkeys(("cgroup.max.depth", "cgroup.max.descendants", "cpu.uclamp.max", "memory.swap.high"), "max"),
    **dict.fromkeys(("cpuset.cpus.exclusive", "cpuset.cpus", "cpuset.mems", "io.max", "io.latency"), ""),
    **dict.fromkeys(("memory.use_hierarchy", "cpuset.sched_load_balance", "memory.zswap.writeback"), "1"),
    **dict.fromkeys(("cpuset.cpu_exclusive", "cpuset.mem_exclusive", "cpuset.mem_hardwall"), "0"),
    **dict.fromkeys(("cpuset.memory_migrate", "cpuset.memory_spread_page", "cpuset.memory_spread_slab"), "0"),
    **dict.fromkeys(("memory.move_charge_at_immigrate", "net_cls.classid", "cpu.rt_runtime_us"), "0"),
    "cpuset.sched_relax_domain_level": "-1",
    "cpuset.cpus.partition": "member",
    "cpu.weight": "100",
    "cpu.weight.nice": "0",
    "cpu.uclamp.min": "0.00",
    "cpu.rt_period_us": "1000000",
    "memory.swappiness": "60",
    "cgroup.type": "domain",
    "cgroup.pressure": "1",
    "io.weight": "default 100",
    "freezer.state": "THAWED",
}
_IO_MAX = {
    "rbps": "IOReadBandwidthMax",
    "wbps": "IOWriteBandwidthMax",
    "riops": "IOReadIOPSMax",
    "wiops": "IOWriteIOPSMax",
}


def say(target: Target, found: Lines) -> None:
    """Put *found* into [Slice] of *target*."""
    for key, value in found:
        target.say(key, value, "Slice")


def lines(name: str, value: str, group: Mapping[str, str]) -> Lines:
    """The keys of [Slice] for *value* in the file *name*; none where that is what every group has.

    *group* has the other files of the same one, some of which count together: quota and period, memory and swap.

    Raises:
        NotCarried: systemd has no key for it, or it is no value of that file.
    """
    value = value.strip()
    if "\n" in value and name.startswith(("devices.", "blkio.")):
        return [found for line in value.splitlines() for found in lines(name, line, group)]
    if _DEFAULT.get(name) == value or _is_unlimited(name, value):
        return []
    if name == "memory.memsw.limit_in_bytes":
        return _swap(value, group.get("memory.limit_in_bytes", ""))
    if name == "cpu.cfs_period_us":
        quota = group.get("cpu.cfs_quota_us", "-1")
        return [] if quota.startswith("-") else _period(value)
    if name in ("devices.allow", "devices.deny", "devices.list"):
        return _device(name, value)
    period = group.get("cpu.cfs_period_us", str(_PERIOD))
    try:
        file, value = version1.translate(name, value, f"max {period}" if is_digits(period) else "")
    except ValueProblem as problem:
        raise NotCarried(problem.message, problem.hint or "leave it out") from None
    if _DEFAULT.get(file) == value:
        return []
    if file in _ONE:
        return [(_ONE[file], "infinity" if value == "max" else value)]
    found = _FILES.get(file)
    if found is not None:
        return found(value)
    raise _unknown(name)


def _is_unlimited(name: str, value: str) -> bool:
    """Whether a file of memory has what version 1 shows, or takes, for no limit."""
    if not name.startswith(("memory.", "hugetlb.")):
        return False
    return value == "-1" or (is_digits(value) and int(value) >= _UNLIMITED)


def is_no_limit(found: Lines) -> bool:
    """Whether *found* says no more than a group has by itself."""
    return all(value == "infinity" and key in _ONE.values() for key, value in found)


def _unknown(name: str) -> NotCarried:
    text = VERSION_2.get(name) or VERSION_1.get(name)
    if text is not None:
        reason, _, instead = text.partition("; ")
        return NotCarried(reason, instead)
    reason = version1.reason(name) or ""
    if reason:
        why, _, instead = reason.partition("; ")
        return NotCarried(why, instead or "leave it out")
    if name.startswith("hugetlb."):
        return NotCarried("systemd has no limit of huge pages", "use [Container] HugeTLBMax=")
    return NotCarried(f"'{name}' is no file of a control group that systemd has a key for", "leave it out")


def _swap(value: str, memory: str) -> Lines:
    """`memory.memsw.limit_in_bytes`, which counts both."""
    both, most = _bytes(value), _bytes(memory) if memory else None
    if most is None:
        raise NotCarried("it counts memory and swap, and there is no limit of memory", "use MemorySwapMax=")
    return [("MemorySwapMax", str(max(both - most, 0)))]


def _bytes(value: str) -> int:
    digits, unit = value.rstrip("kKmMgG"), value[-1:].upper()
    if not is_digits(digits) or len(value) - len(digits) > 1:
        raise NotCarried(f"'{value}' is not a size", "e.g. 512M")
    return int(digits) * (1024 ** " KMG".index(unit) if unit in "KMG" and digits != value else 1)


def percent(number: float) -> str:
    """A share of one CPU as CPUQuota= has it."""
    return f"{max(round(number * 100, 2), 0.01):.2f}".rstrip("0").rstrip(".") + "%"


def _cpu_max(value: str) -> Lines:
    quota, _, period = value.partition(" ")
    period = period.strip() or str(_PERIOD)
    if quota == "max":
        return []
    if not is_digits(quota) or not is_digits(period) or not int(quota) or not int(period):
        raise NotCarried(f"'{value}' is not a quota and a period", "use CPUQuota=")
    found = [("CPUQuota", percent(int(quota) / int(period)))]
    return found + (_period(period) if " " in value and int(period) != _PERIOD else [])


def _period(value: str) -> Lines:
    if not is_digits(value):
        raise NotCarried(f"'{value}' is not a period", "use CPUQuotaPeriodSec=")
    return [] if int(value) == _PERIOD else [("CPUQuotaPeriodSec", f"{int(value)}us")]


def _idle(value: str) -> Lines:
    if value != "1":
        raise NotCarried(f"'{value}' is neither 0 nor 1", "use CPUWeight=idle")
    return [("CPUWeight", "idle")]


def _by_device(text: str) -> list[tuple[str, list[str]]]:
    """The lines of a file with one for each device, by the device's path."""
    found = []
    for line in text.splitlines():
        words = line.split()
        major, colon, minor = (words or [""])[0].partition(":")
        if len(words) < 2 or not colon or not is_digits(major) or not is_digits(minor):
            raise NotCarried(f"'{line.strip()}' has no device in front", "use MAJOR:MINOR")
        found.append((f"/dev/block/{words[0]}", words[1:]))
    return found


def _io_weight(value: str) -> Lines:
    found = []
    for line in value.splitlines():
        words = line.split()
        if len(words) == 1 or words[:1] == ["default"]:
            found += [("IOWeight", words[-1])] if words[-1:] != ["100"] else []
        else:
            found += [("IODeviceWeight", f"{device} {rest[0]}") for device, rest in _by_device(line)]
    return found


def _io_max(value: str) -> Lines:
    found = []
    for device, rest in _by_device(value):
        for item in rest:
            field, _, limit = item.partition("=")
            if field not in _IO_MAX or not limit:
                raise NotCarried(f"'{item}' is not a limit", "use rbps=, wbps=, riops= and wiops=")
            if limit != "max":
                found.append((_IO_MAX[field], f"{device} {limit}"))
    return found


def _io_latency(value: str) -> Lines:
    return [
        ("IODeviceLatencyTargetSec", f"{device} {rest[0].removeprefix('target=')}us")
        for device, rest in _by_device(value)
    ]


def _device(name: str, value: str) -> Lines:
    """`devices.allow`: `a`, or `TYPE MAJOR:MINOR RIGHTS`.

    Where all are denied, the harmless ones, without which systemd starts nothing, are not.
    """
    if value in ("a", "a *:* rwm"):
        return [("DevicePolicy", "closed")] if name == "devices.deny" else []
    if name == "devices.deny":
        raise NotCarried(
            "a rule of systemd's allows a device, and none denies one", "use DevicePolicy= and DeviceAllow="
        )
    kind, numbers, rights, *more = [*value.split(), "", ""][:3]
    major, _, minor = numbers.partition(":")
    kinds = {"c": "char", "b": "block"}
    if kind not in kinds or more or not is_digits(major) or (minor != "*" and not is_digits(minor)) or not rights:
        raise NotCarried(f"'{value}' is not about one device", "use DeviceAllow=")
    if minor == "*":
        raise NotCarried(
            f"'{value}' is about all devices of a driver",
            f"use DeviceAllow={kinds[kind]}-NAME {rights}, see /proc/devices",
        )
    return [("DeviceAllow", f"/dev/{kinds[kind]}/{major}:{minor} {rights}")]


_FILES: dict[str, Callable[[str], Lines]] = {
    "cpu.weight": lambda value: [("CPUWeight", value)],
    "cpu.idle": _idle,
    "cpu.max": _cpu_max,
    "io.weight": _io_weight,
    "io.max": _io_max,
    "io.latency": _io_latency,
    "memory.zswap.writeback": lambda value: [("MemoryZSwapWriteback", "no" if value == "0" else "yes")],
}
