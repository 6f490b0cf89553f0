"""What `Boot=yes` changes in the defaults of [Container], and what does not go with it."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row
    from nsunit.units import Property

# What systemd-nspawn gives an operating system, without auditing, which the kernel refuses in a user namespace, and
# without opening files by handle (CAP_DAC_READ_SEARCH).  All of it holds in the container's user namespace only.
CAPABILITIES = frozenset(
    "CAP_" + name
    for name in (
        "CHOWN DAC_OVERRIDE FOWNER FSETID IPC_OWNER KILL LEASE LINUX_IMMUTABLE MKNOD NET_ADMIN NET_BIND_SERVICE"
        " NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_NICE SYS_PTRACE"
        " SYS_RESOURCE SYS_TTY_CONFIG".split()
    )
)
SIGRTMIN_PLUS_3 = 37  # asks systemd to halt, systemd(1)
_DEFAULTS = {
    "capabilities": CAPABILITIES,
    "exec": ("/sbin/init",),
    "stop_signal": SIGRTMIN_PLUS_3,
    "no_new_privileges": False,
    "notify": True,
}
TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Boot": own(
            boolean, False, "yes|no", "Run the systemd that is in the root, and with it a whole system.", "yes"
        ),
    }
}
# Kinds of namespaces that a whole system needs for itself, with their keys.
_OWN_KINDS = {
    "cgroup": "CgroupNamespace",
    "mnt": "MountNamespace",
    "pid": "PIDNamespace",
    "user": "UserNamespace",
}


def defaults(values: list[tuple[str, Any]]) -> dict[str, Any]:
    """What a system inside has unless its definition says otherwise."""
    return dict(_DEFAULTS) if dict(values).get("Boot") else {}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note that there is one, which systemd-machined is to know of."""
    if dict(values).get("Boot"):
        fields["extras"] |= {"boot": None, "machined": None}


def check(container: Container, _name: str, service: tuple[Property, ...]) -> list[Contradiction]:
    """What does not go with `Boot=yes`."""
    found: list[Contradiction] = []
    if container.private_users.mode == "no":
        hint = "leave it out: each container has ids of its own by default"
        found.append(("PrivateUsers", "Boot=yes needs a user namespace: root inside would be root outside", hint))
    # It mounts, and manages cgroups, and its end has to be the end of all that it has started.
    hint = "leave it out, or use private"
    reason = "a whole system needs one of its own (Boot=yes)"
    found += [(_OWN_KINDS[kind], reason, hint) for kind, _ in container.namespaces if kind in _OWN_KINDS]
    if container.uses("pods"):
        message = "its containers have the pod's ids, and a whole system needs its own (Boot=yes)"
        found.append(("Pod", message, "use Slice= for common limits, or leave out one of the two"))
    if container.init:
        found.append(("Init", "Boot=yes has an init of its own", "leave out one of the two"))
    if container.user not in (None, "0", "root"):
        found.append(("User", "the init of Boot=yes runs as root", "set User= in the units inside"))
    if "CAP_SYS_ADMIN" not in container.capabilities:
        found.append(("Capability", "systemd cannot mount anything without CAP_SYS_ADMIN", "leave it in the set"))
    if any(item.name == "Delegate" and not item.value for item in service):
        hint = "leave it out: containers are delegated by default"
        found.append(("Service.Delegate", "Boot=yes needs a cgroup of its own to manage", hint))
    return found
