"""Parsed [Container] values → the Container record, and what must hold between several keys."""

from __future__ import annotations

from nsunit.definition.model import Container, UserRange
from nsunit.definition.values_container import CAPABILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    "PrivateUsers": "private_users",
    "NoNewPrivileges": "no_new_privileges",
    "Boot": "boot",
    "Register": "register",
    "Init": "init",
    "StopSignal": "stop_signal",
    "Notify": "notify",
    "Domainname": "domainname",
    "Propagation": "propagation",
    "Ownership": "ownership",
    "Slice": "slice",
    "Activation": "activation",
    "IdleStop": "idle_stop",
    "Egress": "egress",
    "Ingress": "ingress",
    "Pod": "pod",
}
_ITEMS = {
    "Layer": "layers",
    "EnvironmentFile": "environment_files",
    "Tmpfs": "tmpfs",
    "UIDMap": "uid_map",
    "GIDMap": "gid_map",
}
_NAMESPACES = {
    "CgroupNamespace": "cgroup",
    "IPCNamespace": "ipc",
    "MountNamespace": "mnt",
    "PIDNamespace": "pid",
    "TimeNamespace": "time",
    "UserNamespace": "user",
    "UTSNamespace": "uts",
}
_SEQUENCES = {"SupplementaryGroups": "supplementary_groups", "Bind": "binds", "BindReadOnly": "binds"}
_SEQUENCES |= {"PublishPort": "published_ports", "HostPort": "host_ports"}
_CONNECTED = frozenset("Address MACAddress Gateway Route MTU".split())  # of the first network
# Collected in a record of their own.
_NAMED = frozenset("NetworkAlias AddHost DNS DNSSearch DNSOption ExposedPort Link Tunnel".split())


def build(values: list[tuple[str, Any]]) -> Container:
    """Return the Container that the effective `(key, parsed value)` pairs describe, in file order.

    Without `Exec=` its command is empty; `missing` says so.
    """
    fields: dict[str, Any] = {"exec": ()}
    environment: dict[str, str] = {}
    sysctls: dict[str, str] = {}
    attributes: dict[tuple[str, str], str] = {}
    granted = set(DEFAULT_CAPABILITIES)
    named: list[tuple[str, Any]] = []
    connected: list[tuple[str, Any]] = []
    if ("Boot", True) in values:
        from nsunit.definition import boot

        fields.update(boot.DEFAULTS)
        granted = set(boot.CAPABILITIES)
    for key, value in values:
        if key in _SCALARS:
            fields[_SCALARS[key]] = value
        elif key in _ITEMS:
            fields[_ITEMS[key]] = (*fields.get(_ITEMS[key], ()), value)
        elif key in _SEQUENCES:
            fields[_SEQUENCES[key]] = fields.get(_SEQUENCES[key], ()) + value
        elif key == "Network":
            fields.update(network_fields(value, fields.get("connections", ())))
        elif key == "Environment":
            environment.update(value)
        elif key == "Sysctl":
            sysctls[value[0]] = value[1]
        elif key == "Capability":
            _grant(granted, value)
        elif key in _NAMESPACES:
            if value != "private":
                fields["namespaces"] = (*fields.get("namespaces", ()), (_NAMESPACES[key], value))
        elif key == "TimeOffset":
            fields["time_offsets"] = tuple({**dict(fields.get("time_offsets", ())), value[0]: value[1]}.items())
        elif key in _CONNECTED:
            connected.append((key, value))
        elif key in _NAMED:
            named.append((key, value))
        else:  # a key of table_cgroup
            attributes[value[0], value[1]] = value[2]
    if connected and fields.get("connections"):
        from nsunit.definition.values_connection import with_keys

        fields["connections"] = with_keys(fields["connections"], connected)
    elif connected:
        fields["unconnected"] = tuple(key for key, _ in connected)
    if named:
        from nsunit.definition.values_names import collect

        fields["names"] = collect(named)
    if "pod" in fields:
        fields["slice"] = fields["pod"]
        fields["private_users"] = UserRange("joined")
    if "namespaces" in fields:
        _take_user_namespace(fields)
    if fields.get("private_users", UserRange()).mode == "user" and "uid_map" not in fields and "gid_map" not in fields:
        users = fields["private_users"]
        fields["uid_map"], fields["gid_map"] = users.maps
        fields["private_users"] = UserRange("maps", user=users.user)
    elif "uid_map" in fields or "gid_map" in fields:
        fields.setdefault("uid_map", fields.get("gid_map"))
        fields.setdefault("gid_map", fields["uid_map"])
        if fields.get("private_users", UserRange()).mode == "yes":
            fields["private_users"] = UserRange("maps")
    return Container(
        **fields,
        environment=tuple(environment.items()),
        sysctls=tuple(sysctls.items()),
        attributes=tuple((*place, text) for place, text in attributes.items()),
        capabilities=tuple(sorted(granted)),
    )


def network_fields(value: Any, connections: tuple[Any, ...]) -> dict[str, Any]:
    """Networks add up; anything else is the only one, and takes the place of what was said before."""
    if isinstance(value, str):
        return {"network": value, "connections": ()}
    return {"network": "bridge", "connections": (*connections, value)}


def _take_user_namespace(fields: dict[str, Any]) -> None:
    """UserNamespace=host is PrivateUsers=no, and one that is joined brings its own ids; a contradiction is left in."""
    source = dict(fields["namespaces"]).get("user")
    if source is None or fields.get("private_users", UserRange()).mode not in ("yes", "no"):
        return
    if source == "host":
        fields["private_users"] = UserRange("no")
        fields["namespaces"] = tuple(pair for pair in fields["namespaces"] if pair[0] != "user")
    elif fields.get("private_users", UserRange()).mode == "yes":
        fields["private_users"] = UserRange("joined")


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
    if not container.exec and "Exec" not in failed:
        found.append(("[Container] Exec= is missing", "name the program to run, e.g. Exec=/bin/sh"))
    root_is_there = any(kind == "mnt" for kind, _ in container.namespaces)
    if container.rootfs is None and not container.layers and not root_is_there and not failed & {"Rootfs", "Layer"}:
        found.append(("[Container] needs Rootfs= or Layer=", "e.g. Rootfs=/srv/debian"))
    return found


def contradictions(container: Container, name: str = "") -> list[tuple[str, str, str]]:
    """Return what does not fit together in container *name*, as (key to blame, message, hint)."""
    found = []
    if container.rootfs is not None and container.layers:
        found.append(("Layer", "Layer= and Rootfs= exclude each other", "make the root directory the last Layer="))
    if container.read_only and container.volatile:
        found.append(("Volatile", "nothing is written with ReadOnly=yes", "leave out one of the two"))
    if container.namespaces or container.network not in ("none", "bridge"):
        from nsunit.definition import namespaces

        found += namespaces.contradictions(container, name)
    if container.uid_map or container.ownership != "idmap":
        from nsunit.definition import identities

        found += identities.contradictions(container)
    if container.listened_ports or container.activation or container.idle_stop:
        from nsunit.definition import activation

        found += activation.contradictions(container)
    if container.network != "bridge" and not container.pod:  # else it depends on what its pod shares
        hint = "leave it out" if container.network == "pasta" else "add Network=bridge, or leave it out"
        if container.network == "pasta":
            found += [
                ("PublishPort", f"pasta(1) cannot publish {port}", "it knows tcp and udp only")
                for port in container.published_ports
                if port.protocol not in ("tcp", "udp")
            ]
        elif container.published_ports and not container.activation:
            found.append(("PublishPort", f"ports cannot be published with Network={container.network}", hint))
        if container.egress or container.ingress:
            key = "Egress" if container.egress else "Ingress"
            found.append((key, f"there is no link to be limited with Network={container.network}", hint))
        if container.host_ports:
            found.append(("HostPort", f"there is nothing to open with Network={container.network}", hint))
    for key in container.unconnected:
        if container.network == "pasta":
            found.append((key, "it is as on the host with Network=pasta", "leave it out"))
            continue
        hint = "add the Network= that it is about"
        found.append((key, f"there is no network with Network={container.network}", hint))
    if container.connections:
        from nsunit.definition import values_connection

        found += values_connection.contradictions(container.connections)
    if container.names and not container.pod:
        from nsunit.definition import values_names

        found += values_names.contradictions(container, container.names, name)
    if len(set(container.layers)) != len(container.layers):
        found.append(("Layer", "a directory is a layer twice", "overlayfs takes each only once"))
    if container.boot:
        from nsunit.definition import boot

        found += boot.contradictions(container)
    if len({str(port) for port in container.published_ports}) != len(container.published_ports):
        found.append(("PublishPort", "a port of the host is published twice", "leave out one of the two"))
    return found + _duplicate_targets(container) + _outside_range(container)


def _duplicate_targets(container: Container) -> list[tuple[str, str, str]]:
    found = []
    seen: set[str] = set()
    mounts = [(bind.target, "BindReadOnly" if bind.read_only else "Bind") for bind in container.binds]
    mounts += [(tmpfs.target, "Tmpfs") for tmpfs in container.tmpfs]
    for target, key in mounts:
        if target in seen:
            found.append((key, f"'{target}' is mounted on twice", "the second mount would hide the first"))
        seen.add(target)
    return found


def _outside_range(container: Container) -> list[tuple[str, str, str]]:
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
