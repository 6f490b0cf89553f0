"""What cannot be combined with a namespace that is not the container's own, and the kernel's reason for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container

    # key to blame, message, hint
    Contradiction = tuple[str, str, str]

KEYS = {
    "cgroup": "CgroupNamespace",
    "ipc": "IPCNamespace",
    "mnt": "MountNamespace",
    "net": "Network",
    "pid": "PIDNamespace",
    "time": "TimeNamespace",
    "user": "UserNamespace",
    "uts": "UTSNamespace",
}
_IPC_SYSCTLS = ("kernel.", "fs.mqueue.")


def sources(container: Container) -> dict[str, str]:
    """The kinds of namespaces that are not *container*'s own, each with where it comes from."""
    found = dict(container.namespaces)
    if container.network not in ("none", "bridge", "pasta"):
        found["net"] = container.network
    return found


def contradictions(container: Container, name: str) -> list[Contradiction]:
    """Return what does not fit together in container *name*, as (key to blame, message, hint)."""
    chosen = sources(container)
    return [
        *_of_itself(chosen, name),
        *_users(container, chosen),
        *_owned_by_others(container, chosen),
        *_no_use(container, chosen),
        *_parameters(container, chosen),
        *_root(container, chosen),
    ]


def _of_itself(chosen: dict[str, str], name: str) -> list[Contradiction]:
    return [
        (KEYS[kind], "a container cannot join itself", "use private, or name another container")
        for kind, source in chosen.items()
        if source == f"container:{name}"
    ]


def _users(container: Container, chosen: dict[str, str]) -> list[Contradiction]:
    if "user" not in chosen or container.private_users.mode == "joined":
        return []
    message = f"UserNamespace={chosen['user']} brings its own ids"
    return [("PrivateUsers", message, "leave out one of the two")]


def _owned_by_others(container: Container, chosen: dict[str, str]) -> list[Contradiction]:
    # user_namespaces(7): a process has capabilities over a namespace only if its user namespace owns it.  All but these
    # two can be joined with the host's privileges before the container gives them up.
    reasons = {
        "pid": "the kernel lets only its owner mount the /proc of a PID namespace",
        "mnt": "its files belong to the ids of the user namespace that owns it",
    }
    found = []
    users = "host" if container.private_users.mode == "no" else chosen.get("user", "private")
    for kind, reason in reasons.items():
        source = chosen.get(kind, "host")
        if source == "host" or users in ("host", source):
            continue
        if users.startswith("path:") or (source.startswith("path:") and users != "private"):
            continue  # who owns a file's namespace is seen when it is opened
        same = f"UserNamespace={source}" if source.startswith("container:") else "the UserNamespace= that owns it"
        found.append((KEYS[kind], reason, f"use {same} or UserNamespace=host"))
    return found


def _no_use(container: Container, chosen: dict[str, str]) -> list[Contradiction]:
    found = []
    if "pid" in chosen and container.init:
        hint = "leave out Init=yes: orphans go to process 1 of that namespace"
        found.append(("Init", f"it would not be process 1 with PIDNamespace={chosen['pid']}", hint))
    if "uts" in chosen:
        for key, value in (("Hostname", container.hostname), ("Domainname", container.domainname)):
            if value is not None:
                message = f"the name would change for others with UTSNamespace={chosen['uts']}"
                found.append((key, message, "leave it out, or use UTSNamespace=private"))
    if "time" in chosen and container.time_offsets:
        message = f"the clocks of TimeNamespace={chosen['time']} have processes, and cannot be set any more"
        found.append(("TimeOffset", message, "use TimeNamespace=private"))
    return found


def _parameters(container: Container, chosen: dict[str, str]) -> list[Contradiction]:
    found = []
    for name, _ in container.sysctls:
        kind = "net" if name.startswith("net.") else "ipc"
        if kind in chosen and (kind == "net" or name.startswith(_IPC_SYSCTLS)):
            whose = "the host's" if chosen[kind] == "host" else "somebody else's"
            what = "network" if kind == "net" else "IPC"
            message = f"'{name}' would change {whose} {what} with {KEYS[kind]}={chosen[kind]}"
            private = "Network=none" if kind == "net" else "IPCNamespace=private"
            found.append(("Sysctl", message, f"leave it out, or use {private}"))
    return found


def _root(container: Container, chosen: dict[str, str]) -> list[Contradiction]:
    if "mnt" not in chosen:
        return []
    given = (
        ("Rootfs", container.rootfs is not None),
        ("Layer", bool(container.layers)),
        ("ReadOnly", container.read_only),
        ("Volatile", container.volatile),
        ("Bind", any(not bind.read_only for bind in container.binds)),
        ("BindReadOnly", any(bind.read_only for bind in container.binds)),
        ("Tmpfs", bool(container.tmpfs)),
        ("Init", container.init),
        ("Notify", container.notify),
        ("Sysctl", bool(container.sysctls)),
        ("Propagation", container.propagation != "private"),
    )
    message = f"nothing is mounted with MountNamespace={chosen['mnt']}, its file systems are there already"
    return [(key, message, "leave it out, or use MountNamespace=private") for key, used in given if used]
