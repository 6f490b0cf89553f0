"""The keys of [Container] that choose namespaces, and what is special to one kind."""

from __future__ import annotations

from nsunit.definition.model import UserRange, shared_kinds
from nsunit.definition.setting import own
from nsunit.definition.values import absolute_path, container_name, usec
from nsunit.definition.words import wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

CLOCKS = ("boottime", "monotonic")
DOMAIN_MAX = 64
_SECOND = 1_000_000
_OFFSET_SECONDS_MAX = (1 << 63) // 1_000_000_000 // 2  # KTIME_SEC_MAX / 2, as the kernel has it
_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_HINT = "use private, host, container:NAME or path:/…"


def namespace(text: str) -> str:
    """`private`, `host`, `container:NAME` or `path:PATH`."""
    if text in ("private", "host"):
        return text
    kind, colon, rest = text.partition(":")
    if kind == "container" and colon:
        return "container:" + container_name(rest, _HINT)
    if kind == "path" and colon:
        return "path:" + absolute_path(rest)
    raise wrong(text, "is not a choice of namespace", _HINT)


def network(text: str) -> str:
    """`none` or any `namespace`; `private` is another word for `none`."""
    if text == "none":
        return text
    found = namespace(text)
    return "none" if found == "private" else found


def time_offset(text: str) -> tuple[str, int]:
    """`boottime 10d`, `monotonic -3h` → (clock, microseconds)."""
    clock, _, span = text.replace("\t", " ").partition(" ")
    if clock not in CLOCKS:
        raise wrong(clock, "is not a clock with an offset", "use boottime or monotonic, time_namespaces(7)")
    span = span.strip()
    sign = -1 if span[:1] == "-" else 1
    offset = usec(span[1:] if span[:1] in ("+", "-") else span)
    if offset // _SECOND > _OFFSET_SECONDS_MAX:
        raise wrong(span, "is too long an offset", "the kernel takes at most 146 years")
    return clock, sign * offset


def domain_name(text: str) -> str:
    """An NIS domain name, at most 64 characters, setdomainname(2)."""
    if not text or len(text) > DOMAIN_MAX or not _DOMAIN.issuperset(text):
        raise wrong(text, "is not a domain name", f"use letters, digits, '.', '-' and '_', at most {DOMAIN_MAX}")
    return text


_CHOICE = "private|host|container:NAME|path:PATH"

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "PIDNamespace": own(namespace, False, _CHOICE, "Whose processes it sees.", "container:web"),
        "IPCNamespace": own(namespace, False, _CHOICE, "Whose System V IPC and message queues it uses.", "host"),
        "UTSNamespace": own(namespace, False, _CHOICE, "Whose host name it has.", "container:web"),
        "UserNamespace": own(namespace, False, _CHOICE, "Whose user and group ids it has.", "container:web"),
        "CgroupNamespace": own(namespace, False, _CHOICE, "Where its view of the cgroups begins.", "host"),
        "TimeNamespace": own(namespace, False, _CHOICE, "Whose boot-time and monotonic clocks it has.", "host"),
        "MountNamespace": own(namespace, False, _CHOICE, "Whose file systems it sees, instead of a root.", "host"),
        "TimeOffset": own(
            *(time_offset, True, "boottime|monotonic TIME"),
            *("How far a clock of its time namespace is ahead of the host's.", "boottime 10d"),
        ),
        "Domainname": own(domain_name, False, "NAME", "NIS domain name inside.", "example.org"),
    }
}


class Namespaces(Record):
    """What is special to one kind: *time_offsets* are `(clock, microseconds)`."""

    time_offsets: tuple[tuple[str, int], ...] = ()
    domainname: str | None = None


def of(container: Container) -> Namespaces:
    """What *container* says of them."""
    found: Namespaces = container.extra("namespaces", Namespaces())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note the namespaces that are not its own; what other features have noted comes first."""
    kinds = {key: kind for kind, key in KEYS.items() if kind != "net"}
    chosen = tuple((kinds[key], value) for key, value in values if key in kinds and value != "private")
    fields["namespaces"] = (*fields.get("namespaces", ()), *chosen)
    offsets = dict(value for key, value in values if key == "TimeOffset")
    fields["extras"]["namespaces"] = Namespaces(tuple(offsets.items()), dict(values).get("Domainname"))
    _take_user_namespace(fields)


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


def check(container: Container, name: str, _service: object) -> list[Contradiction]:
    """What cannot be combined with a namespace that is not its own, and the kernel's reason for it."""
    chosen = shared_kinds(container)
    return [
        *_of_itself(chosen, name),
        *_users(container, chosen),
        *_owned_by_others(container, chosen),
        *_no_use(container, chosen),
        *wrong_parameters(container),
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
        for key, value in (("Hostname", container.hostname), ("Domainname", of(container).domainname)):
            if value is not None:
                message = f"the name would change for others with UTSNamespace={chosen['uts']}"
                found.append((key, message, "leave it out, or use UTSNamespace=private"))
    if "time" in chosen and of(container).time_offsets:
        message = f"the clocks of TimeNamespace={chosen['time']} have processes, and cannot be set any more"
        found.append(("TimeOffset", message, "use TimeNamespace=private"))
    return found


def wrong_parameters(container: Container) -> list[Contradiction]:
    """The parameters of *container* that would be those of somebody else's network or IPC."""
    found = []
    chosen = shared_kinds(container)
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
