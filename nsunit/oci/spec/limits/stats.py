"""What `events --stats` tells of a container: the files of its cgroup in the shape that runc gives them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Reader = Callable[[str], str]

_UNLIMITED = (1 << 64) - 1
_OPERATIONS = (("r", "Read"), ("w", "Write"))
# What version 1 counted, and readers expect to be there.
_OF_VERSION_1 = (
    *("cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab"),
    *("memory_pressure", "sched_load_balance", "sched_relax_domain_level"),
)


def event(identity: str, kind: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """One line of `events`, of the container *identity*: *kind* is `stats` or `oom`."""
    return {"type": kind, "id": identity, **({"data": data} if data else {})}


def stats_of(read: Reader, files: Iterable[str]) -> dict[str, Any]:
    """The numbers of a cgroup, of which *files* are the names; *read* gives what is in one, nothing where it is not.

    Times are in nanoseconds, sizes in bytes.
    """
    return {
        "cpu": _cpu(read),
        "cpuset": dict.fromkeys(_OF_VERSION_1, 0),
        "memory": _memory(read),
        "pids": _without_nothing({"current": _number(read("pids.current")), "limit": _limit(read("pids.max"), 0)}),
        "blkio": _io(read),
        "hugetlb": {size: _huge_pages(read, size) for size in _page_sizes(files)},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def _cpu(read: Reader) -> dict[str, Any]:
    said = _pairs(read("cpu.stat"))
    usage = {
        "kernel": said.get("system_usec", 0) * 1000,
        "user": said.get("user_usec", 0) * 1000,
        **_without_nothing({"total": said.get("usage_usec", 0) * 1000}),
    }
    throttling = {
        "periods": said.get("nr_periods", 0),
        "throttledPeriods": said.get("nr_throttled", 0),
        "throttledTime": said.get("throttled_usec", 0) * 1000,
    }
    return {"usage": usage, "throttling": _without_nothing(throttling), **_pressure(read("cpu.pressure"))}


def _memory(read: Reader) -> dict[str, Any]:
    raw = _pairs(read("memory.stat"))
    used, limit = _number(read("memory.current")), _limit(read("memory.max"), _UNLIMITED)
    swapped, swap_limit = _number(read("memory.swap.current")), _limit(read("memory.swap.max"), _UNLIMITED)
    events = _pairs(read("memory.events"))
    none = {"limit": 0, "failcnt": 0}
    both = min(_UNLIMITED, limit + swap_limit)  # as in version 1 it is of memory and swap together
    return {
        **_without_nothing({"cache": raw.get("file", 0)}),
        "usage": _entry(limit, used, _number(read("memory.peak")), events.get("max", 0)),
        "swap": _entry(both, used + swapped, 0, 0),
        "kernel": none,
        "kernelTCP": none,
        **({"raw": raw} if raw else {}),
        **_pressure(read("memory.pressure")),
        "event_count": _without_nothing(events),
    }


def _entry(limit: int, usage: int, most: int, failed: int) -> dict[str, int]:
    return {"limit": limit, **_without_nothing({"usage": usage, "max": most}), "failcnt": failed}


def _io(read: Reader) -> dict[str, Any]:
    transferred: list[dict[str, Any]] = []
    served: list[dict[str, Any]] = []
    for line in read("io.stat").splitlines():
        device, *words = line.split()
        major, _, minor = device.partition(":")
        values = dict(word.partition("=")[::2] for word in words)
        for letter, name in _OPERATIONS:
            entry = {**_without_nothing({"major": int(major), "minor": int(minor)}), "op": name}
            transferred.append({**entry, **_without_nothing({"value": _number(values.get(f"{letter}bytes", ""))})})
            served.append({**entry, **_without_nothing({"value": _number(values.get(f"{letter}ios", ""))})})
    lists = {"ioServiceBytesRecursive": transferred, "ioServicedRecursive": served} if served else {}
    return {**lists, **_pressure(read("io.pressure"))}


def _page_sizes(files: Iterable[str]) -> list[str]:
    found = (name.split(".") for name in files if name.startswith("hugetlb.") and name.endswith(".current"))
    return sorted(parts[1] for parts in found if len(parts) == 3)


def _huge_pages(read: Reader, size: str) -> dict[str, int]:
    failed = _pairs(read(f"hugetlb.{size}.events")).get("max", 0)
    return {**_without_nothing({"usage": _number(read(f"hugetlb.{size}.current"))}), "failcnt": failed}


def _pressure(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        kind, *words = line.split()
        values = dict(word.partition("=")[::2] for word in words)
        averages = {name: float(values[name]) for name in ("avg10", "avg60", "avg300")}
        found[kind] = {**averages, "total": int(values["total"])}
    return {"psi": found} if found else {}


def _pairs(text: str) -> dict[str, int]:
    return {key: int(value) for key, _, value in (line.partition(" ") for line in text.splitlines())}


def _number(text: str) -> int:
    return int(text.strip() or 0)


def _limit(text: str, none: int) -> int:
    return none if text.strip() in ("max", "") else int(text)


def _without_nothing(values: dict[str, int]) -> dict[str, int]:
    """As in Go, where these are `omitempty`."""
    return {key: value for key, value in values.items() if value}
