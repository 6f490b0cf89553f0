"""Which controllers can be delegated to a user, and which arrive: pure."""

from __future__ import annotations

from nsunit.errors import UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")  # those that systemd knows, systemd.resource-control(5)

_INSTEAD = {
    "blkio": "it belongs to cgroup version 1; version 2 has io",
    "cpuacct": "it belongs to cgroup version 1; version 2 has it in cpu",
    "net_cls": "it belongs to cgroup version 1; nftables matches a cgroup with 'socket cgroupv2'",
    "net_prio": "it belongs to cgroup version 1; nftables matches a cgroup with 'socket cgroupv2'",
    "freezer": "it is no controller in cgroup version 2: every cgroup can be frozen",
    "perf_event": "it is no controller that has to be delegated: every cgroup can be measured",
    "devices": "it is no controller in cgroup version 2: systemd enforces DeviceAllow= by a program",
    **dict.fromkeys(("hugetlb", "rdma", "misc", "dmem"), "systemd does not manage it, so it cannot delegate it"),
}


def wanted_controllers(names: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """The controllers to delegate for *names*, all of them for none, in systemd's order.

    *available* are those that the kernel provides to version 2.

    Raises:
        UsageError: a name is none of a controller, or this kernel does not provide it.
    """
    for name in names:
        if name not in CONTROLLERS:
            reason = _INSTEAD.get(name)
            raise UsageError(
                f"'{printable(name)}' is not a controller that can be delegated",
                hint=reason or f"there are {', '.join(CONTROLLERS)}",
            )
        if name not in available:
            raise UsageError(
                f"the kernel does not provide the controller '{name}'", hint="see what 'nsunit doctor' says"
            )
    return tuple(name for name in CONTROLLERS if name in (names or available))


def missing_controllers(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """Those of *wanted* that are not *present*."""
    return tuple(name for name in wanted if name not in present)
