"""What the files of cgroup version 1 are called in version 2, and how their values differ.  Pure data and arithmetic.

From the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from __future__ import annotations

from nsunit.definition.values import is_digits
from nsunit.definition.words import ValueProblem, wrong
from nsunit.formats.cgroupfs import cpu_max, flat_keyed, nested_keyed
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # What is written: from the value of version 1 and what the file of version 2 has now.
    Write = Callable[[str, str], str]
    # What is shown: from what the file of version 2 has.
    Read = Callable[[str], str]

_UNLIMITED_MEMORY = "9223372036854771712"  # what version 1 shows for no limit
_UNLIMITED_LINES = "max"
_SHARES, _WEIGHT, _BLKIO_WEIGHT = 1024, 100, 500  # the usual shares of each kind
_WEIGHT_MAX = 10_000


class Translation(Record):
    """A file of version 2, and the way there and back; `write` is None for what can only be read."""

    file: str
    write: Write | None
    read: Read


def _number(value: str) -> int:
    if not is_digits(value):
        raise wrong(value, "is not a number")
    return int(value)


def _same(value: str, _now: str) -> str:
    return value


def _as_it_is(text: str) -> str:
    return text.strip()


def _weight(usual: int) -> Write:
    return lambda value, _now: str(min(max(_number(value) * _WEIGHT // usual, 1), _WEIGHT_MAX))


def _from_weight(usual: int) -> Read:
    return lambda text: str(int(text.split()[-1]) * usual // _WEIGHT)


def _quota(value: str, now: str) -> str:
    quota = "max" if value.startswith("-") else str(_number(value))
    return f"{quota} {cpu_max(now)[1]}"


def _from_quota(text: str) -> str:
    quota = cpu_max(text)[0]
    return "-1" if quota is None else str(quota)


def _period(value: str, now: str) -> str:
    quota = cpu_max(now)[0]
    return f"{'max' if quota is None else quota} {_number(value)}"


def _bytes(value: str, _now: str) -> str:
    return "max" if value.startswith("-") else value


def _from_bytes(text: str) -> str:
    return _UNLIMITED_MEMORY if text.strip() == "max" else text.strip()


def _device(value: str) -> tuple[str, int]:
    device, _, number = value.partition(" ")
    return device, _number(number.strip())


def _device_weight(value: str, _now: str) -> str:
    device, number = _device(value)
    return f"{device} {min(max(number * _WEIGHT // _BLKIO_WEIGHT, 1), _WEIGHT_MAX)}"


def _from_device_weight(text: str) -> str:
    lines = (line.split() for line in text.splitlines())
    return "\n".join(f"{line[0]} {int(line[1]) * _BLKIO_WEIGHT // _WEIGHT}" for line in lines if line[0] != "default")


def _throttle(field: str) -> Translation:
    def write(value: str, _now: str) -> str:
        device, number = _device(value)
        return f"{device} {field}={number or _UNLIMITED_LINES}"

    def read(text: str) -> str:
        lines = nested_keyed(text).items()
        limits = ((device, values.get(field, _UNLIMITED_LINES)) for device, values in lines)
        return "\n".join(f"{device} {limit}" for device, limit in limits if limit != _UNLIMITED_LINES)

    return Translation("io.max", write, read)


def _freezer(value: str, _now: str) -> str:
    if value not in ("FROZEN", "THAWED"):
        raise wrong(value, "is not a state of the freezer", "use FROZEN or THAWED")
    return "1" if value == "FROZEN" else "0"


def _of(field: str, factor: int = 1) -> Read:
    return lambda text: str(flat_keyed(text).get(field, 0) * factor)


# Files of the same name and meaning in both versions are not here.
TRANSLATIONS: dict[str, Translation] = {
    "cpu.shares": Translation("cpu.weight", _weight(_SHARES), _from_weight(_SHARES)),
    "cpu.cfs_quota_us": Translation("cpu.max", _quota, _from_quota),
    "cpu.cfs_period_us": Translation("cpu.max", _period, lambda text: str(cpu_max(text)[1])),
    "cpu.cfs_burst_us": Translation("cpu.max.burst", _same, _as_it_is),
    "cpuacct.usage": Translation("cpu.stat", None, _of("usage_usec", 1000)),
    "cpuacct.usage_user": Translation("cpu.stat", None, _of("user_usec", 1000)),
    "cpuacct.usage_sys": Translation("cpu.stat", None, _of("system_usec", 1000)),
    "cpuset.effective_cpus": Translation("cpuset.cpus.effective", None, _as_it_is),
    "cpuset.effective_mems": Translation("cpuset.mems.effective", None, _as_it_is),
    "memory.limit_in_bytes": Translation("memory.max", _bytes, _from_bytes),
    "memory.soft_limit_in_bytes": Translation("memory.low", _bytes, _from_bytes),
    "memory.usage_in_bytes": Translation("memory.current", None, _as_it_is),
    "memory.max_usage_in_bytes": Translation("memory.peak", None, _as_it_is),
    "memory.failcnt": Translation("memory.events", None, _of("max")),
    "blkio.weight": Translation(
        "io.weight",
        _weight(_BLKIO_WEIGHT),
        lambda text: _from_weight(_BLKIO_WEIGHT)(
            next((line for line in text.splitlines() if line.startswith("default")), text)
        ),
    ),
    "blkio.weight_device": Translation("io.weight", _device_weight, _from_device_weight),
    "blkio.bfq.weight": Translation("io.bfq.weight", _same, _as_it_is),
    "blkio.throttle.read_bps_device": _throttle("rbps"),
    "blkio.throttle.write_bps_device": _throttle("wbps"),
    "blkio.throttle.read_iops_device": _throttle("riops"),
    "blkio.throttle.write_iops_device": _throttle("wiops"),
    "freezer.state": Translation("cgroup.freeze", _freezer, lambda text: "FROZEN" if text.strip() == "1" else "THAWED"),
}

_CLASSIFY = (
    "version 2 has no such file; 'nsunit cgroup classify' moves processes, 'nsunit ps' shows those of containers"
)
_TOLD = "version 2 tells by cgroup.events when a group gets empty, and runs nothing"
_ALWAYS = "version 2 always does so"
_NFT = "version 2 has no such controller; nftables matches a cgroup with 'socket cgroupv2'"

# What has no equal: why, and what to do instead.  A name that ends with a dot stands for all that begin so.
REASONS: dict[str, str] = {
    "tasks": _CLASSIFY,
    "notify_on_release": _TOLD,
    "release_agent": _TOLD,
    "cgroup.clone_children": "version 2 does not copy settings to a new group",
    "cpu.rt_runtime_us": "version 2 does not limit realtime processes; leave room for others with cpu.max",
    "cpu.rt_period_us": "version 2 does not limit realtime processes; leave room for others with cpu.max",
    "cpuacct.": "cpu.stat of version 2 has what the group has used",
    "cpuset.cpu_exclusive": "version 2 has cpuset.cpus.partition for it",
    "cpuset.mem_exclusive": "version 2 does not have it",
    "cpuset.mem_hardwall": "version 2 does not have it",
    "cpuset.memory_": f"{_ALWAYS}, as far as it makes sense",
    "cpuset.sched_": "version 2 has cpuset.cpus.partition for it",
    "memory.memsw.": "version 2 limits swap by itself; set memory.swap.max to what memsw exceeds memory by",
    "memory.kmem.": "version 2 counts the kernel's memory in memory.max",
    "memory.use_hierarchy": _ALWAYS,
    "memory.oom_control": "version 2 always kills; memory.oom.group has it kill the whole group",
    "memory.swappiness": "version 2 has one for the machine, vm.swappiness, and memory.swap.max for a group",
    "memory.force_empty": "version 2 has memory.reclaim for it",
    "memory.move_charge_at_immigrate": "version 2 leaves memory with the group that has used it first",
    "memory.pressure_level": "version 2 has memory.pressure for it",
    "blkio.": "version 2 has io.stat, io.max, io.weight and io.latency",
    "freezer.": "version 2 has cgroup.freeze and cgroup.events",
    "devices.": "version 2 has no such files; systemd has DeviceAllow= and DevicePolicy=",
    "net_cls.": _NFT,
    "net_prio.": _NFT,
}


def reason(name: str) -> str | None:
    """Why version 2 has nothing for the file *name* of version 1, None if it is no such file."""
    found = REASONS.get(name)
    if found is None:
        found = next((text for start, text in REASONS.items() if start[-1] in "._" and name.startswith(start)), None)
    return found


def translate(name: str, value: str, now: str) -> tuple[str, str]:
    """The file of version 2 and what to write there, for *name* and *value* of either version.

    *now* is what the file of version 2 has.

    Raises:
        ValueProblem: the value is none, or the file can only be read.
    """
    found = TRANSLATIONS.get(name)
    if found is None:
        return name, value
    if found.write is None:
        raise ValueProblem(f"'{name}' can only be read", f"version 2 has it in {found.file}")
    return found.file, found.write(value, now)


def file_of(name: str) -> str:
    """The file of version 2 for *name* of either version."""
    found = TRANSLATIONS.get(name)
    return found.file if found else name


def shown(name: str, text: str) -> str:
    """What *name* of either version shows if the file of version 2 has *text*."""
    found = TRANSLATIONS.get(name)
    return found.read(text) if found else text.rstrip("\n")
