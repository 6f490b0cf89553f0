"""Parsed [Container] values → the Container record, and what must hold between several keys."""

from __future__ import annotations

from nsunit.definition.model import Container, UserRange
from nsunit.definition.values_container import CAPABILITIES, check_program, interface_of
from nsunit.definition.words import ValueProblem
from nsunit.features import features_of, hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.units import Property

    # key to blame, of [Container] or as Section.Key; message; hint
    Contradiction = tuple[str, str, str]

# podman's set: what services in the wild need, without raw sockets, device nodes and the audit log.
DEFAULT_CAPABILITIES = frozenset(
    "CAP_" + name
    for name in (
        "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
    )
)

_SCALARS = {
    "Rootfs": "rootfs",
    "ReadOnly": "read_only",
    "Volatile": "volatile",
    "Exec": "exec",
    "User": "user",
    "Group": "group",
    "WorkingDirectory": "working_directory",
    "Hostname": "hostname",
    "NoNewPrivileges": "no_new_privileges",
    "Init": "init",
    "StopSignal": "stop_signal",
    "Notify": "notify",
    "Propagation": "propagation",
}
_ITEMS = {"Layer": "layers"}
_SEQUENCES = {
    "SupplementaryGroups": "supplementary_groups",
    "Bind": "binds",
    "BindReadOnly": "binds",
    "Tmpfs": "tmpfs",
}


def build(values: list[tuple[str, Any]], uid: int = 0) -> Container:
    """Return the Container that the effective `(key, parsed value)` pairs describe, in file order, for the user *uid*.

    Without `Exec=` its command is empty; `missing` says so.
    """
    used = features_of(key for key, _ in values)
    fields: dict[str, Any] = {"exec": (), "capabilities": DEFAULT_CAPABILITIES, "extras": {}}
    for implied in hooks(used, "keys.implied"):
        values = implied(values, uid)
    for defaults in hooks(used, "keys.defaults"):
        fields |= defaults(values)
    environment: dict[str, str] = {}
    sysctls: dict[str, str] = {}
    granted = set(fields["capabilities"])
    for key, value in values:
        if key in _SCALARS:
            fields[_SCALARS[key]] = value
        elif key in _ITEMS:
            fields[_ITEMS[key]] = (*fields.get(_ITEMS[key], ()), value)
        elif key in _SEQUENCES:
            fields[_SEQUENCES[key]] = fields.get(_SEQUENCES[key], ()) + value
        elif key == "Environment":
            environment.update(value)
        elif key == "Sysctl":
            sysctls[value[0]] = value[1]
        elif key == "Capability":
            _grant(granted, value)
    if any(bind.one_id or bind.owned for bind in fields.get("binds", ())):
        fields["extras"]["binds"] = None
    for add in hooks(used, "keys.build"):
        add(fields, values)
    if fields.get("notify") == "healthy":
        fields |= {"notify": False, "waits_for_health": True}
    fields["capabilities"] = tuple(sorted(granted))
    fields["extras"] = tuple(fields["extras"].items())
    return Container(**fields, environment=tuple(environment.items()), sysctls=tuple(sysctls.items()))


def _grant(granted: set[str], changes: tuple[tuple[bool, str], ...]) -> None:
    for added, name in changes:
        names = CAPABILITIES if name == "ALL" else (name,)
        if added:
            granted.update(names)
        else:
            granted.difference_update(names)


def missing(container: Container, failed: set[str]) -> list[tuple[str, str]]:
    """Return what every container needs and this one lacks, as (message, hint).

    *failed* are the keys that were given with a wrong value, which is reported already.
    """
    found = []
    of_image = container.image or "Image" in failed
    if not container.exec and not of_image and "Exec" not in failed:
        found.append(
            (
                "[Container] Exec= is missing",
                "name the program to run, e.g. Exec=/bin/sh, or Boot=yes for a whole system",
            )
        )
    root_is_there = any(kind == "mnt" for kind, _ in container.namespaces)
    if not (container.rootfs or container.layers or of_image or root_is_there or failed & {"Rootfs", "Layer"}):
        found.append(("[Container] needs Rootfs=, Layer= or Image=", "e.g. Rootfs=/var/lib/machines/debian"))
    return found


def contradictions(container: Container, name: str = "", service: tuple[Property, ...] = ()) -> list[Contradiction]:
    """Return what does not fit together in container *name*, whose [Service] has the properties *service*."""
    found: list[Contradiction] = []
    if container.exec and not container.image:
        try:
            check_program(container.exec)
        except ValueProblem as problem:
            found.append(("Exec", problem.message, problem.hint or "it takes COMMAND"))
    if container.rootfs is not None and container.layers:
        found.append(("Layer", "Layer= and Rootfs= exclude each other", "make the root directory the last Layer="))
    if container.notify and container.init and container.has_hosts_root and container.user in (None, "0", "root"):
        # MAINPID= with a number of the container's makes some process of the host the unit's, and a stop kills it.
        message = (
            "systemd would believe the host's root inside which process is the unit's, by its number in the container"
        )
        found.append(
            ("Notify", message, "leave out Init=, with which that is not 1, or use ids that are not the host's")
        )
    if container.waits_for_health and not (container.image or container.uses("health")):
        found.append(("Notify", "nothing tells whether it is healthy", "say how to check it with Health="))
    if container.read_only and container.volatile:
        found.append(("Volatile", "nothing is written with ReadOnly=yes", "leave out one of the two"))
    if len(set(container.layers)) != len(container.layers):
        found.append(("Layer", "a directory is a layer twice", "overlayfs takes each only once"))
    if container.network == "none" and not container.uses("pods"):
        found += without_interfaces(container)
    for check in hooks(container.features, "keys.check"):
        found += check(container, name, service)
    return found + _duplicate_targets(container) + _outside_range(container)


def without_interfaces(container: Container) -> list[Contradiction]:
    """The parameters of *container*, which has only lo, that are about another interface."""
    return [
        ("Sysctl", f"there is no interface '{interface}' with Network=none", "add Network=bridge, or leave it out")
        for interface in dict.fromkeys(interface_of(name) for name, _ in container.sysctls)
        if interface
    ]


def _duplicate_targets(container: Container) -> list[Contradiction]:
    found = []
    seen: set[str] = set()
    mounts = [(bind.target, "BindReadOnly" if bind.read_only else "Bind") for bind in container.binds]
    mounts += [(tmpfs.target, "Tmpfs") for tmpfs in container.tmpfs]
    for target, key in mounts:
        if target in seen:
            found.append((key, f"'{target}' is mounted on twice", "the second mount would hide the first"))
        seen.add(target)
    return found


def _outside_range(container: Container) -> list[Contradiction]:
    users: UserRange = container.private_users
    if users.mode in ("no", "joined", "maps"):
        return []
    count = users.count or 65_536
    found = []
    named = [("User", container.user), ("Group", container.group)]
    named += [("SupplementaryGroups", name) for name in container.supplementary_groups]
    for key, name in named:
        if name is not None and name[0] in "0123456789" and int(name) >= count:
            hint = f"use 0 to {count - 1}, or give a larger range with PrivateUsers=START:COUNT"
            found.append((key, f"'{name}' is outside the container's {count} ids", hint))
    return found
