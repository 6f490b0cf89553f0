"""The scope of a command that is executed in a container.

systemd does not start what is in a scope, so the caller's own child is put into it by PID.
"""

from __future__ import annotations

from nsunit.units import INFINITY, Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What a service may not touch, its sessions may not either.  The kernel attaches these rules to the service's cgroup,
# and a session's scope stands beside that.
INHERITED = {
    "DeviceAllow": "a(ss)",
    "DevicePolicy": "s",
    "AllowedCPUs": "ay",
    "AllowedMemoryNodes": "ay",
    "BPFProgram": "a(ss)",
    "BindNetworkInterface": "s",
    "IPEgressFilterPath": "as",
    "IPIngressFilterPath": "as",
    "NFTSet": "a(iiss)",
    "IPAddressAllow": "a(iayu)",
    "IPAddressDeny": "a(iayu)",
    "RestrictNetworkInterfaces": "(bas)",
    "SocketBindAllow": "a(iiqq)",
    "SocketBindDeny": "a(iiqq)",
}
# Keys of [Service] that a process hands down to its children, beside those that begin with Limit.
OF_PROCESSES = frozenset(
    "Nice OOMScoreAdjust CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork CPUAffinity NUMAPolicy"
    " NUMAMask IOSchedulingClass IOSchedulingPriority TimerSlackNSec CoredumpFilter MemoryKSM MemoryTHP"
    " KeyringMode".split()
)
STOP_USEC = 10_000_000


def exec_scope(name: str, slice_: str, description: str, pid: int, service: Mapping[str, object]) -> Unit:
    """The scope *name* for process *pid*, under the same access rules as the properties of *service* say."""
    inherited = []
    for key, signature in INHERITED.items():
        value = _frozen(service.get(key))
        if signature == "ay" and isinstance(value, tuple):
            value = bytes(value)
        if value not in (None, (), b"", "", (False, ())):
            inherited.append(Property(key, signature, value))
    return Unit(
        name,
        (
            Property("Description", "s", description),
            Property("Slice", "s", slice_),
            Property("CollectMode", "s", "inactive-or-failed"),
            Property("TimeoutStopUSec", "t", STOP_USEC),
            # A shell in a terminal ignores SIGTERM; it ends when its terminal hangs up.
            Property("SendSIGHUP", "b", True),
            Property("TasksMax", "t", INFINITY),  # the slice has the limit
            *inherited,
            Property("PIDs", "au", (pid,)),
        ),
    )


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
