"""Whether a slice above a container may make one of its limits moot.

Every start asks that, so it is answered roughly here, from one small file for each limit; `plan.hierarchy` says more.
"""

from __future__ import annotations

from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition

# The kernel's file for each D-Bus property that is a limit; a weight only counts among neighbours.
FILES = {
    "CPUQuotaPerSecUSec": "cpu.max",
    "AllowedCPUs": "cpuset.cpus",
    "AllowedMemoryNodes": "cpuset.mems",
    "MemoryMin": "memory.min",
    "MemoryLow": "memory.low",
    "MemoryHigh": "memory.high",
    "MemoryMax": "memory.max",
    "MemorySwapMax": "memory.swap.max",
    "MemoryZSwapMax": "memory.zswap.max",
    "TasksMax": "pids.max",
    "IOReadBandwidthMax": "io.max",
    "IOWriteBandwidthMax": "io.max",
    "IOReadIOPSMax": "io.max",
    "IOWriteIOPSMax": "io.max",
}
# Shares of disks, which only some schedulers look at.
DISK_WEIGHTS = ("IOWeight", "StartupIOWeight", "IODeviceWeight")
DISK_LATENCY = "IODeviceLatencyTargetUSec"  # which only some kernels are built with
_PROTECTIONS = ("memory.min", "memory.low")


def asked_limits(definition: Definition) -> list[tuple[str, object]]:
    """The kernel's files of the limits that *definition* sets, each with the property's value, None for a share."""
    return [
        (FILES[name], item.value if name == item.name else None)
        for section in ("Slice", "Service")
        for item in definition.properties_of(section)
        if (name := item.name.removesuffix("Scale")) in FILES and item.value not in (0, b"", (), INFINITY)
    ]


def may_have_no_effect(definition: Definition) -> bool:
    """Whether *definition* sets a share of disks, or how soon they are to answer, for which not every machine cares."""
    properties = (*definition.properties_of("Slice"), *definition.properties_of("Service"))
    return any(item.name in (*DISK_WEIGHTS, DISK_LATENCY) for item in properties)


def may_be_moot(file: str, value: object, above: bytes | None) -> bool:
    """Tell whether *above*, the content of *file* in a slice above, may take something from *value*.

    Without the file no limit is there, and no protection either (systemd.resource-control(5): a protection has to be
    set in all slices above as well).
    """
    if above is None:
        return file in _PROTECTIONS
    words = above.split()
    if not words or words[0] == b"max":
        return False
    if len(words) == 1 and words[0].isdigit() and isinstance(value, int):
        return int(words[0]) < value
    return True
