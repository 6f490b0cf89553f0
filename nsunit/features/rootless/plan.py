"""What a container of a user without privileges can have: ids, and what the user's own systemd can enforce.  Pure."""

from __future__ import annotations

from nsunit.errors import LEAVE_TO_ROOT, Problem
from nsunit.features import hooks
from nsunit.features.delegation.plan import CONTROLLERS
from nsunit.features.rootless.setup import OwnUsers
from nsunit.setup.namespaces import UserNamespace
from nsunit.subordinate import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.definition.model import Definition
    from nsunit.features.network.model.port import Port
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

# The controller that each limit takes, systemd.resource-control(5); the accounting switches are no limits.
_LIMITS = {
    "cpu": "CPUWeight StartupCPUWeight CPUQuota CPUQuotaPeriodSec",
    "cpuset": "AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes CPUSetPartition",
    "io": (
        "IOWeight StartupIOWeight IODeviceWeight IODeviceLatencyTargetSec"
        " IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax"
    ),
    "memory": (
        "MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax MemoryZSwapMax MemoryZSwapWriteback"
        " StartupMemoryLow StartupMemoryHigh StartupMemoryMax StartupMemorySwapMax StartupMemoryZSwapMax"
        " DefaultMemoryMin DefaultMemoryLow DefaultStartupMemoryLow"
    ),
    "pids": "TasksMax",
}
CONTROLLER_OF = {key: controller for controller, keys in _LIMITS.items() for key in keys.split()}
# These are programs that the kernel lets only root load, and that a user's systemd leaves out without a word.
NEEDS_BPF = frozenset(
    "DeviceAllow DevicePolicy IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath BPFProgram NFTSet"
    " SocketBindAllow SocketBindDeny RestrictNetworkInterfaces BindNetworkInterface".split()
)
# What a user's systemd does not do for other reasons, without a word either.
NEEDS_ROOT = frozenset(("LogNamespace",))
_NO_LIMIT = ("", "infinity")


def id_map(own: int, ranges: Sequence[tuple[int, int]]) -> str:
    """The map, as rootless.setup.OwnUsers has it, of the id *own* to root and of *ranges* to what follows."""
    return ",".join(":".join(map(str, entry)) for entry in entries(own, ranges))


def refusals(definition: Definition, controllers: Sequence[str], user: str) -> list[Problem]:
    """What *definition* asks for that a container of *user* cannot have; *controllers* are those *user* was given."""
    problems = [Problem(definition.name, 0, message, hint) for message, hint in _of_container(definition)]
    limits = [
        (section, key)
        for section in ("Slice", "Service")
        for key, text in definition.texts_of(section)
        if text not in _NO_LIMIT
    ]
    missing = {CONTROLLER_OF[key] for _, key in limits if key in CONTROLLER_OF} - set(controllers)
    all_of_them = " ".join(name for name in CONTROLLERS if name in missing or name in controllers)
    for section, key in dict.fromkeys(limits):
        controller = CONTROLLER_OF.get(key)
        if controller in missing:
            message = f"[{section}] {key}= needs the controller '{controller}', which was not delegated to {user}"
            hint = f"root runs 'nsunit delegate {user} {all_of_them}', then {user} logs in anew"
            problems.append(Problem(definition.name, 0, message, hint))
        elif key in NEEDS_BPF or key in NEEDS_ROOT:
            message = f"[{section}] {key}= cannot be enforced by a user's systemd"
            problems.append(Problem(definition.name, 0, message, LEAVE_TO_ROOT))
    return problems


def privileged(ports: Sequence[Port], first: int) -> list[tuple[str, str]]:
    """Why a user cannot publish some of *ports*, as (message, hint); those from *first* on are everybody's, ip(7)."""
    lowest = min((port.host for port in ports if port.host < first), default=0)
    if not lowest:
        return []
    message = f"[Container] PublishPort=: only root may listen on ports below {first}, and here is {lowest}"
    return [(message, f"use a higher one, or root runs 'sysctl net.ipv4.ip_unprivileged_port_start={lowest}'")]


def _of_container(definition: Definition) -> Iterator[tuple[str, str]]:
    container = definition.container
    for refuse in hooks(container.features, "plan.without_root"):
        yield from refuse(container)
    if container.private_users.mode != "yes" and not container.uses("pods"):
        message = (
            "[Container] PrivateUsers= cannot be chosen without root: its root is the user, other ids are subordinate"
        )
        yield message, "leave it out"
    if container.chooses_namespaces:
        yield "[Container] namespaces of others can be joined by root only", LEAVE_TO_ROOT


def operations(planned: list[Operation], _container: object, facts: Facts) -> list[Operation]:
    """*planned* with the user namespace of a container whose root is the user."""
    return [OwnUsers(*facts.extra("rootless")) if isinstance(item, UserNamespace) else item for item in planned]


def ids(operation: Operation) -> tuple[str, ...]:
    """The maps of user and of group ids that *operation* makes, as /proc/PID/uid_map has them; none for another."""
    if not isinstance(operation, OwnUsers):
        return ()
    return tuple(said.replace(":", " ").replace(",", "\n") for said in (operation.uid_map, operation.gid_map))
