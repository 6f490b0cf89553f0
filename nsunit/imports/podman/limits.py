"""Limits: of memory, CPUs, disks, processes, and ulimits."""

from __future__ import annotations

from nsunit.imports import cgroups
from nsunit.imports.cgroups import percent
from nsunit.imports.model import NotCarried
from nsunit.imports.text import in_bytes, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

_ULIMITS = {
    name.lower(): name
    for name in (
        "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK".split()
    )
}
_PERIOD = 100_000  # µs, the kernel's


def ulimit(target: Target, text: str) -> None:
    """`NAME=SOFT[:HARD]`."""
    name, equals, values = text.partition("=")
    name = name.lower().removeprefix("rlimit_")
    if name == "host":
        raise NotCarried("the host's limits are not those of services", "use [Service] LimitNOFILE= and the like")
    known = _ULIMITS.get(name)
    if known is None or not equals:
        raise NotCarried(f"'{text}' is no limit", "use [Service] LimitNOFILE= and the like")
    parts = ["infinity" if value in ("-1", "unlimited") else value for value in values.split(":")]
    soft, hard = parts[0], parts[-1]
    target.say(f"Limit{known}", soft if soft == hard else f"{soft}:{hard}", "Service")


def memory(target: Target) -> None:
    """`memory` and `memory-swap`, which counts both, as MemoryMax= and MemorySwapMax=."""
    most = target.held("memory")
    limit = in_bytes(most) if most else 0
    if limit:
        target.say("MemoryMax", size(most), "Slice")
    both = target.held("memory-swap")
    if both == "-1" or (both and not limit):
        if not limit:
            raise NotCarried("it counts memory and swap, and there is no limit of memory", "use [Slice] MemorySwapMax=")
        return  # as much as there is, nsunit's default
    if both and in_bytes(both):
        target.say("MemorySwapMax", str(max(in_bytes(both) - limit, 0)), "Slice")
    elif limit:
        target.say("MemorySwapMax", size(most), "Slice")  # the other tools' default: as much again


def quota(target: Target) -> None:
    """`cpu-quota` of a `cpu-period`, both in µs."""
    period = _integer(target.held("cpu-period") or "0") or _PERIOD
    text = target.held("cpu-quota")
    if not text:
        raise NotCarried("a period is nothing without a quota", "use [Slice] CPUQuota= and CPUQuotaPeriodSec=")
    if (allowed := _integer(text)) > 0:
        target.say("CPUQuota", percent(allowed / period), "Slice")
        if period != _PERIOD:
            target.say("CPUQuotaPeriodSec", f"{period}us", "Slice")


def cpus(target: Target, text: str) -> None:
    """How many CPUs, with a fraction; 0 is no limit."""
    try:
        number = float(text)
    except ValueError:
        raise NotCarried(f"'{text}' is no number of CPUs", "e.g. 1.5") from None
    if number > 0:
        target.say("CPUQuota", percent(number), "Slice")


def shares(target: Target, text: str) -> None:
    """`cpu-shares`, 1024 unless given, as CPUWeight=, 100 unless given."""
    number = _integer(text)
    if number > 0 and number != 1024:
        target.say("CPUWeight", str(min(max(round(number * 100 / 1024), 1), 10_000)), "Slice")


def io_weight(target: Target, text: str) -> None:
    """`blkio-weight`, 10 to 1000, as runtimes make an io.weight of it."""
    number = _integer(text)
    if number:
        target.say("IOWeight", _io_weight(number), "Slice")


def _io_weight(number: int) -> str:
    return str(min(max(1 + (number - 10) * 9999 // 990, 1), 10_000))


def device_weight(target: Target, text: str) -> None:
    """`DEVICE:WEIGHT`."""
    device, _, weight = text.rpartition(":")
    target.plain("IODeviceWeight", f"{device} {_io_weight(_integer(weight))}", "Slice")


def device_rate(target: Target, key: str, text: str) -> None:
    """`DEVICE:RATE`, bytes or operations in a second."""
    device, _, rate = text.rpartition(":")
    value = size(rate) if key.endswith("BandwidthMax") else str(_integer(rate))
    if key.endswith("BandwidthMax"):
        value = str(in_bytes(rate))  # systemd's letters are powers of 1000 here
    target.plain(key, f"{device} {value}", "Slice")


def tasks(target: Target, text: str) -> None:
    """`pids-limit`; 0 and -1 are none."""
    number = _integer(text)
    target.say("TasksMax", str(number) if number > 0 else "infinity", "Slice")


def cgroup_file(target: Target, text: str) -> None:
    """`FILE=VALUE` of the container's control group."""
    name, _, value = text.partition("=")
    if name == "pids.max":  # a container has a limit of nsunit's, where a group has none
        tasks(target, "-1" if value.strip() == "max" else value)
        return
    for key, found in cgroups.lines(name, value, {}):
        target.say(key, found, "Slice")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise NotCarried(f"'{text}' is no whole number", "write digits") from None
