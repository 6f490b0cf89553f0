"""Limits of a container: `linux.resources` as properties of a scope, and as files of a cgroup of version 2.

The specification speaks of cgroup v1; what becomes of its numbers is what both other runtimes do, in their newest
versions where these differ: `cpu.shares` by the curve that gives 1024 a weight of 100 (runc 1.4, crun 1.24), no longer
by the line that gave 39.  What version 2 has nothing for is told in `Limits.without`.
"""

from __future__ import annotations

import math

from nsunit.oci.spec.check.shapes import FieldError
from nsunit.record import Record
from nsunit.units import INFINITY, Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

WHERE = "linux.resources"
DEFAULT_PERIOD = 100_000  # µs, the kernel's
_PERCENT = 10_000  # µs in a second: systemd writes CPUQuota= in whole percent when it reloads
_SECOND = 1_000_000
_SHARES, _WEIGHTS = (2, 1 << 18), (1, 10_000)
_BLOCK_WEIGHTS = (10, 1000)
_THROTTLES = {
    "throttleReadBpsDevice": ("rbps", "IOReadBandwidthMax"),
    "throttleWriteBpsDevice": ("wbps", "IOWriteBandwidthMax"),
    "throttleReadIOPSDevice": ("riops", "IOReadIOPSMax"),
    "throttleWriteIOPSDevice": ("wiops", "IOWriteIOPSMax"),
}
_SCOPE_OOM_POLICY = 253  # the version of systemd whose scopes have it
# Files of cgroup v2 that are a property as they stand.
_UNIFIED = {
    "cpu.weight": "CPUWeight",
    "io.weight": "IOWeight",
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.max": "MemoryMax",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
}
# Files that are written besides a property: systemd rounds, or may not find a device by its path.
_WITH_PROPERTY = ("cpu.max", "io.bfq.weight", "io.max")
_CPU_SETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}
_SUFFIXES = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}


class Write(Record):
    """*text* is to be written to *file* of the cgroup.

    *instead* is what is written, to which file, where *file* is not there.  Without *needed* no file is no error.
    """

    file: str
    text: str
    needed: bool = True
    instead: tuple[str, str] | None = None


class Limits(Record):
    """What is to be set: properties by systemd first, then files, in order; and what cannot be had, by its name."""

    properties: tuple[Property, ...] = ()
    files: tuple[Write, ...] = ()
    without: tuple[str, ...] = ()

    def controllers(self) -> tuple[str, ...]:
        """The controllers that the cgroup needs for its files: its parents have to hand them down."""
        names = (write.file.partition(".")[0] for write in self.files)
        return tuple(dict.fromkeys(names))


def for_scope(resources: Mapping[str, Any], systemd: int) -> Limits:
    """The limits of a scope of *systemd*, its version."""
    files = for_cgroup(resources)
    properties = tuple(_properties(resources, systemd))
    kept = tuple(_besides(write) for write in files.files if not _is_systemds(write, systemd))
    return Limits(properties, kept, files.without)


def needs_version(resources: Mapping[str, Any]) -> bool:
    """Whether the version of systemd makes a difference."""
    return "memory.oom.group" in (resources.get("unified") or {})


def for_cgroup(resources: Mapping[str, Any]) -> Limits:
    """The limits of a cgroup that systemd knows nothing of."""
    files = (
        *_cpu_files(resources.get("cpu") or {}),
        *_memory_files(resources.get("memory") or {}),
        *_pids_files(resources.get("pids") or {}),
        *_io_files(resources.get("blockIO") or {}),
        *_huge_page_files(resources.get("hugepageLimits") or ()),
        *_rdma_files(resources.get("rdma") or {}),
        *_unified_files(resources.get("unified") or {}),
    )
    return Limits((), files, tuple(_without(resources)))


def refuse_memory(resources: Mapping[str, Any], current: int) -> None:
    """See that a group that uses *current* bytes can get its new limit, if `checkBeforeUpdate` asks for that.

    Raises:
        FieldError: it uses more.
    """
    memory = resources.get("memory") or {}
    limit = memory.get("limit") or 0
    if memory.get("checkBeforeUpdate") and 0 < limit < current:
        raise FieldError(f"{WHERE}.memory.limit", f"{limit} is less than what is in use, {current}")


# --- numbers


def weight_of_shares(shares: int) -> int:
    """The cpu.weight of cgroup v1's cpu.shares: 2 is 1, 1024 is 100, 262144 is 10000, and a curve between these."""
    if shares <= _SHARES[0]:
        return _WEIGHTS[0]
    if shares >= _SHARES[1]:
        return _WEIGHTS[1]
    power = math.log2(shares)
    # A result that is whole but for the last bits is that number.
    return math.ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34) - 1e-9)


def io_weight_of(weight: int) -> int:
    """The io.weight of cgroup v1's blkio.weight: 10 to 1000 becomes 1 to 10000, in a line."""
    return 1 + (weight - _BLOCK_WEIGHTS[0]) * 9999 // 990


def swap_of(memory: Mapping[str, Any]) -> int | None:
    """The memory.swap.max of a limit of memory and swap together: -1 is none, None is not set.

    Raises:
        FieldError: there is no limit of memory to take from it, or a larger one.
    """
    limit, swap = memory.get("limit") or 0, memory.get("swap") or 0
    if swap == 0:
        return -1 if limit == -1 else None
    if swap < 0 or limit < 0:
        return swap if swap > 0 else -1
    where = f"{WHERE}.memory.swap"
    if limit == 0:
        raise FieldError(where, "it is of memory and swap together, and memory has no limit")
    if swap < limit:
        raise FieldError(where, f"{swap} is of memory and swap together, and less than the limit of memory, {limit}")
    return swap - limit


def _memory_text(number: int) -> str:
    return "max" if number < 0 else str(number)


def _limit(number: int) -> int:
    return INFINITY if number < 0 else number


# --- files


def _cpu_files(cpu: Mapping[str, Any]) -> Iterator[Write]:
    idle = cpu.get("idle")
    if idle is not None:
        if idle not in (0, 1):
            raise FieldError(f"{WHERE}.cpu.idle", f"{idle} is neither 0 nor 1")
        yield Write("cpu.idle", str(idle))
    if cpu.get("shares") and idle != 1:  # the kernel refuses a weight of a group that is idle
        yield Write("cpu.weight", str(weight_of_shares(cpu["shares"])))
    burst = cpu.get("burst")
    quota, period = cpu.get("quota") or 0, cpu.get("period") or 0
    # A burst is at most the quota: what shrinks comes first, and what grows last; a new group has none.
    if quota or period:
        if burst is not None:
            yield Write("cpu.max.burst", "0")
        text = "max" if quota <= 0 else str(quota)
        yield Write("cpu.max", f"{text} {period}" if period else text, needed=quota > 0)
    if burst is not None:
        yield Write("cpu.max.burst", str(burst))
    for key, file in (("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")):
        if cpu.get(key):
            bits_of(cpu[key], f"{WHERE}.cpu.{key}")
            yield Write(file, cpu[key])


def _memory_files(memory: Mapping[str, Any]) -> Iterator[Write]:
    limit, swap = memory.get("limit") or 0, swap_of(memory)
    if swap is not None:
        # A kernel without swap accounting has no file; there is nothing to be limited where none is to be used.
        yield Write("memory.swap.max", _memory_text(swap), needed=swap > 0)
    if limit:
        yield Write("memory.max", _memory_text(limit), needed=limit > 0)
    if memory.get("reservation"):
        yield Write("memory.low", _memory_text(memory["reservation"]))


def _pids_files(pids: Mapping[str, Any]) -> Iterator[Write]:
    if pids.get("limit") is not None:
        number = pids["limit"]
        yield Write("pids.max", "max" if number <= 0 else str(number), needed=number > 0)


def _io_files(io: Mapping[str, Any]) -> Iterator[Write]:
    weight = io.get("weight")
    if weight:
        _check_weight(weight, f"{WHERE}.blockIO.weight")
        yield Write("io.bfq.weight", str(weight), instead=("io.weight", f"default {io_weight_of(weight)}"))
    for index, item in enumerate(io.get("weightDevice") or ()):
        if item.get("weight"):
            _check_weight(item["weight"], f"{WHERE}.blockIO.weightDevice[{index}].weight")
            device = _device(item)
            text = f"{device} {item['weight']}"
            yield Write("io.bfq.weight", text, instead=("io.weight", f"{device} {io_weight_of(item['weight'])}"))
    for key, (word, _) in _THROTTLES.items():
        for item in io.get(key) or ():
            yield Write("io.max", f"{_device(item)} {word}={item.get('rate') or 'max'}")


def _check_weight(weight: int, where: str) -> None:
    low, high = _BLOCK_WEIGHTS
    if not low <= weight <= high:
        raise FieldError(where, f"{weight} is not between {low} and {high}")


def _device(item: Mapping[str, Any]) -> str:
    return f"{item.get('major') or 0}:{item.get('minor') or 0}"


def _huge_page_files(limits: Any) -> Iterator[Write]:
    for index, item in enumerate(limits):
        size = item["pageSize"]
        if not _is_page_size(size):
            raise FieldError(f"{WHERE}.hugepageLimits[{index}].pageSize", f"'{size}' is none, as 2MB and 1GB are")
        text = str(item.get("limit") or 0)
        yield Write(f"hugetlb.{size}.max", text)
        yield Write(f"hugetlb.{size}.rsvd.max", text, needed=False)


def _is_page_size(size: str) -> bool:
    return len(size) > 2 and size[-2:] in ("KB", "MB", "GB") and size[:-2].isdigit() and size.isascii()


def _rdma_files(devices: Mapping[str, Any]) -> Iterator[Write]:
    for name, item in devices.items():
        if not name or any(character.isspace() for character in name):
            raise FieldError(f"{WHERE}.rdma['{name}']", "it is no name of a device")
        pairs = (("hca_handle", item.get("hcaHandles")), ("hca_object", item.get("hcaObjects")))
        said = " ".join(f"{key}={value}" for key, value in pairs if value is not None)
        if said:
            yield Write("rdma.max", f"{name} {said}")


def _unified_files(unified: Mapping[str, str]) -> Iterator[Write]:
    for file, text in unified.items():
        where = f"{WHERE}.unified['{file}']"
        if "/" in file:
            raise FieldError(where, "it is no name of a file of a cgroup")
        if file.find(".") <= 0 or file.endswith("."):
            raise FieldError(where, "it is not of the form CONTROLLER.FILE")
        if file.startswith("cgroup."):
            raise FieldError(where, "it is the runtime's to write")
        for line in text.strip().split("\n"):
            yield Write(file, line)


def _without(resources: Mapping[str, Any]) -> Iterator[str]:
    """What was said and version 2 has nothing for; as with runc it is told and left out."""
    groups = {
        "memory": ("kernel", "kernelTCP", "swappiness", "disableOOMKiller"),
        "cpu": ("realtimeRuntime", "realtimePeriod"),
        "blockIO": ("leafWeight",),
        "network": ("classID", "priorities"),
    }
    for group, keys in groups.items():
        said = resources.get(group) or {}
        yield from (f"{WHERE}.{group}.{key}" for key in keys if said.get(key))


# --- properties


def _besides(write: Write) -> Write:
    """*write*, which is not needed where a property says it as well; a controller that is missing is systemd's."""
    return write.replace(needed=False) if write.file in _WITH_PROPERTY else write


def _is_systemds(write: Write, systemd: int) -> bool:
    """Whether a property of the scope says it, so that writing the file would be doing it behind systemd's back."""
    file = write.file
    if file in ("cpu.weight", "cpu.idle", *_UNIFIED, *_CPU_SETS):
        return True
    if file == "memory.oom.group":
        return systemd >= _SCOPE_OOM_POLICY
    return False


def _properties(resources: Mapping[str, Any], systemd: int) -> Iterator[Property]:
    found: dict[str, Property] = {}
    for item in (*_of_fields(resources), *_of_unified(resources.get("unified") or {}, systemd)):
        if item.name in found and item.signature == "a(st)":
            item = item.replace(value=(*_entries(found[item.name]), *_entries(item)))
        found[item.name] = item
    yield from found.values()


def _entries(item: Property) -> tuple[object, ...]:
    return item.value if isinstance(item.value, tuple) else ()


def _of_fields(resources: Mapping[str, Any]) -> Iterator[Property]:
    cpu, memory = resources.get("cpu") or {}, resources.get("memory") or {}
    shares, idle = cpu.get("shares"), cpu.get("idle")
    if idle == 1:
        yield Property("CPUWeight", "t", 0)  # systemd's "idle"
    elif shares:
        yield Property("CPUWeight", "t", weight_of_shares(shares))
    elif idle == 0:
        yield Property("CPUWeight", "t", INFINITY)  # as if nothing had been said
    yield from quota_properties(cpu.get("quota") or 0, cpu.get("period") or 0)
    for key, name in (("cpus", "AllowedCPUs"), ("mems", "AllowedMemoryNodes")):
        if cpu.get(key):
            yield Property(name, "ay", bits_of(cpu[key], f"{WHERE}.cpu.{key}"))
    if memory.get("limit"):
        yield Property("MemoryMax", "t", _limit(memory["limit"]))
    if memory.get("reservation"):
        yield Property("MemoryLow", "t", _limit(memory["reservation"]))
    swap = swap_of(memory)
    if swap is not None:
        yield Property("MemorySwapMax", "t", _limit(swap))
    pids = (resources.get("pids") or {}).get("limit")
    if pids is not None:
        yield Property("TasksMax", "t", INFINITY if pids <= 0 else pids)
    yield from _of_io(resources.get("blockIO") or {})


def quota_properties(quota: int, period: int) -> Iterator[Property]:
    """CPUQuotaPerSecUSec= and its period; no quota but a period leaves the one there is.

    systemd keeps whole percents over a reload, so the property is rounded up to one; the file has the exact number.
    """
    if period:
        yield Property("CPUQuotaPeriodUSec", "t", period)
    if quota < 0:
        yield Property("CPUQuotaPerSecUSec", "t", INFINITY)
    elif quota:
        per_second = quota * _SECOND // (period or DEFAULT_PERIOD)
        yield Property("CPUQuotaPerSecUSec", "t", max(1, -(-per_second // _PERCENT)) * _PERCENT)


def _of_io(io: Mapping[str, Any]) -> Iterator[Property]:
    if io.get("weight"):
        yield Property("IOWeight", "t", io_weight_of(io["weight"]))
    for item in io.get("weightDevice") or ():
        if item.get("weight"):
            value = ((f"/dev/block/{_device(item)}", io_weight_of(item["weight"])),)
            yield Property("IODeviceWeight", "a(st)", value)
    for key, (_, name) in _THROTTLES.items():
        for item in io.get(key) or ():
            yield Property(name, "a(st)", ((f"/dev/block/{_device(item)}", item.get("rate") or INFINITY),))


def _of_unified(unified: Mapping[str, str], systemd: int) -> Iterator[Property]:
    for file, said in unified.items():
        text, where = said.strip(), f"{WHERE}.unified['{file}']"
        if file in _UNIFIED:
            yield Property(_UNIFIED[file], "t", _number(text.removeprefix("default "), where))
        elif file in _CPU_SETS:
            yield Property(_CPU_SETS[file], "ay", bits_of(text, where))
        elif file == "cpu.max":
            quota, _, period = text.partition(" ")
            yield from quota_properties(
                -1 if quota == "max" else _number(quota, where), _number(period.strip(), where) if period else 0
            )
        elif file == "memory.oom.group" and systemd >= _SCOPE_OOM_POLICY:
            yield Property("OOMPolicy", "s", "kill" if text == "1" else "continue")
    if unified.get("cpu.idle", "").strip() == "1":
        yield Property("CPUWeight", "t", 0)


def _number(text: str, where: str) -> int:
    """A number as the kernel reads it, with a suffix of 1024's; max is infinity."""
    if text == "max":
        return INFINITY
    shift = _SUFFIXES.get(text[-1:].lower(), 0)
    digits = text[:-1] if shift else text
    if not (digits.isascii() and digits.isdigit()):
        raise FieldError(where, f"'{text}' is no number")
    return min(int(digits) << shift, INFINITY)


def bits_of(text: str, where: str) -> bytes:
    """The bytes with the bits of a list as `0-3,8`, lowest first, as systemd takes it.

    Raises:
        FieldError: it is none.
    """
    bits = 0
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = (first, last if dash else first)
        if not all(number.isascii() and number.isdigit() and len(number) < 5 for number in numbers):
            raise FieldError(where, f"'{text}' is no list of numbers, as 0-3,8 is")
        low, high = map(int, numbers)
        if low > high:
            raise FieldError(where, f"'{part.strip()}' ends before it begins")
        bits |= (1 << high + 1) - (1 << low)
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
