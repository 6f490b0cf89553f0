"""Names of containers and of the units that are made from them.

A dash nests slices (systemd.slice(5)), so a dash in a container's name is escaped in their names as systemd-escape(1)
does it: `my-app` lives in `nsunit-my\\x2dapp.slice`.  Nothing nests services, timers and sockets, which have plain
names: `nsunit-my-app.service`.  What is beside a container is called by its escaped name and a plain dash,
`nsunit-my\\x2dapp-health.service`; the few names that would be mistaken for such a unit, `web-health`, stay escaped.
An instance keeps its `@` in the service name and has it escaped in the slice name, since slices cannot be templates.

A group, `shop`, is called by the end of its slice's name, `shop.slice`; a dash in it does nest: `shop-eu` is a group
within `shop`.  A pod, `shop.pod`, is a group whose containers share namespaces as well, which the service
`nsunit-shop.pod.service` keeps.
"""

from __future__ import annotations

import posix

from nsunit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT_SLICE = "nsunit.slice"
DEFINITION_SUFFIX = ".nsunit"  # of files
GROUP_SUFFIX = ".slice"
NETWORK_SUFFIX = ".network"
NETWORKS_OF_NSUNIT = ("none", "host", "private", "pasta", "bridge")  # choices of Network=, the last one a network too
POD_SUFFIX = ".pod"
UNIT_NAME_MAX = 255
NAME_MAX = 63
RUN_PREFIX = "run-"  # of the names that `nsunit run` makes up
DASHES_MAX = 50  # each takes four characters of a unit name, which may have 255

# Beginnings, and whole names, of units of nsunit's own that are no container's.
_OWN_BEGINNINGS = (
    "archive-",
    "cgroup-",
    "fill-",
    "limits-of@",
    "names@",
    "pack-",
    "pull-",
    "push-",
    "sd-notify",
    "unpack-",
)
_OWN_NAMES = ("auto-update", "limits-settled", "limits-shown")

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_REST = _FIRST | frozenset("_.-")
_PLAIN = _REST - {"-"}
_OCTAL = frozenset("01234567")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_UNIT_LITERAL = _FIRST | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ:_.")


def is_valid_name(name: str) -> bool:
    """Tell whether *name* is a container's name: `[a-z0-9][a-z0-9_.-]{0,62}`, twice around an `@` for an instance."""
    parts = name.split("@")
    if len(parts) > 2 or len(name) > NAME_MAX or name.count("-") > DASHES_MAX:
        return False
    return all(part and part[0] in _FIRST and _REST.issuperset(part) for part in parts)


def check_name(name: str) -> str:
    """Return *name* if it is valid.

    Raises:
        UsageError: it is not; the message quotes it with control characters made visible.
    """
    if not is_valid_name(name):
        if name.count("-") > DASHES_MAX:
            raise UsageError(
                f"'{printable(name)}' has more than {DASHES_MAX} dashes", hint="systemd's unit names would get too long"
            )
        hint = f"use 1 to {NAME_MAX} of a-z, 0-9, '_', '.' and '-', starting with a letter or digit"
        if name.endswith("@") and is_valid_name(f"{name}1"):
            file = f"{name}{DEFINITION_SUFFIX}"
            hint = f"name an instance of it, such as '{name}1'; the template itself is the file '{file}'"
            raise UsageError(f"'{name}' is a template, and no container", hint=hint)
        plain = name.rpartition("/")[2].removesuffix(DEFINITION_SUFFIX)
        if name.endswith(DEFINITION_SUFFIX) and is_valid_name(plain):
            hint = f"its definition is a file of that name, the container is '{plain}'"
        elif is_valid_name(name.lower()):
            small = name.lower()
            hint = f"names have small letters only: '{small}', whose definition is {small}{DEFINITION_SUFFIX}"
        raise UsageError(f"'{printable(name)}' is not a container name", hint=hint)
    return name


def base_directory(environ: Mapping[str, str], variable: str, otherwise: str) -> str:
    """The directory that $*variable*, of the XDG Base Directory Specification, names; *otherwise* is its default.

    A relative path is ignored, as the specification says: it would be another directory for each caller's own.
    """
    path = environ.get(variable, "")
    return path if path.startswith("/") else otherwise


def new_run_name() -> str:
    """Make up the name of a container that `nsunit run` was not given one for."""
    return RUN_PREFIX + posix.urandom(4).hex()


def split_instance(name: str) -> tuple[str, str]:
    """Split `web@blue` into `("web", "blue")`; a name that is no instance has an empty second half."""
    prefix, _, instance = name.partition("@")
    return prefix, instance


def escape(text: str) -> str:
    """Escape *text* for use inside a unit name, as `systemd-escape` does (`-` becomes `\\x2d`)."""
    escaped = "".join(c if c in _UNIT_LITERAL else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text)
    return "\\x2e" + escaped[1:] if escaped.startswith(".") else escaped


def unescape(text: str) -> str:
    """Undo `escape`.

    Anybody can have systemd load a unit of any name, so what `escape` cannot have made is no error.  What comes out can
    be anything, `..` and `/` too, and is a name of ours only if it is checked.
    """
    raw = bytearray()
    position = 0
    while position < len(text):
        digits = text[position + 2 : position + 4]
        if text[position : position + 2] == "\\x" and len(digits) == 2 and _HEXADECIMAL.issuperset(digits):
            raw.append(int(digits, 16))
            position += 4
        else:
            raw += text[position].encode(errors="replace")
            position += 1
    return raw.decode(errors="replace")


def unescape_octal(text: str) -> str:
    """A text as it is, of what proc_pid_mountinfo(5) and fstab(5) have of it, where blanks and the like are numbers."""
    first, *rest = text.split("\\")
    return first + "".join(map(_after_backslash, rest))


def _after_backslash(text: str) -> str:
    code = text[:3]
    is_ascii = len(code) == 3 and code[0] in "01" and _OCTAL.issuperset(code)
    return chr(int(code, 8)) + text[3:] if is_ascii else f"\\{text}"


def mount_unit(path: str, kind: str = "mount") -> str:
    """The unit of *kind* for mount point *path*, as `systemd-escape --path` names it."""
    first, *others = path.strip("/").split("/")
    name = "-".join((escape(first), *(escape(f"x{part}")[1:] for part in others)))  # a dot is escaped as the first only
    return f"{name or '-'}.{kind}"


def service_name(name: str) -> str:
    """Unit that runs the payload of container *name*."""
    return f"nsunit-{_escaped(name) if _is_like_another(name) else name}.service"


def _escaped(name: str) -> str:
    prefix, at, instance = name.partition("@")
    beginning = escape(prefix)
    if prefix == "names":  # no dash tells `names@shop` from nsunit's own unit of that name
        beginning = f"\\x{ord(prefix[0]):02x}{prefix[1:]}"
    return f"{beginning}{at}{escape(instance)}"


def _is_like_another(name: str) -> bool:
    """Whether a unit of the plain *name* of a container could be one beside another container, or of nsunit's own."""
    beside = name.endswith("-health") or "-port-" in name
    return beside or name in _OWN_NAMES or name.startswith(_OWN_BEGINNINGS)


def former_unit(unit: str) -> str:
    """What nsunit 0.1 has called *unit*, the service, timer or socket of a container; empty where that is the same."""
    stem, _, kind = unit.rpartition(".")
    name = stem.removeprefix("nsunit-")
    differs = "-" in name and name != stem and not _is_like_another(name)
    if kind not in ("service", "timer", "socket") or not differs or not is_valid_name(name):
        return ""
    return f"nsunit-{_escaped(name)}.{kind}"


def former_units(name: str) -> tuple[str, ...]:
    """The same of all that are called by the name of container *name*; none where none differs."""
    return tuple(unit for unit in map(former_unit, (service_name(name), timer_name(name), socket_name(name))) if unit)


def socket_name(name: str, port: int = 0) -> str:
    """Socket that listens for container *name*: for its payload, or for the proxy to the *port* inside."""
    if not port:
        return service_name(name).removesuffix(".service") + ".socket"
    return f"nsunit-{escape(name)}-port-{port}.socket"


def timer_name(name: str) -> str:
    """Timer that starts container *name*."""
    return service_name(name).removesuffix(".service") + ".timer"


def socket_patterns(name: str) -> tuple[str, ...]:
    """Patterns, as ListUnitsByPatterns takes them, of all sockets of container *name*."""
    former = (unit for unit in former_units(name) if unit.endswith(".socket"))
    return socket_name(name), f"nsunit-{escape(name)}-port-*.socket", *former


def listener_patterns(name: str) -> tuple[str, ...]:
    """The same of its sockets and proxies."""
    sockets = socket_patterns(name)
    return *sockets, sockets[1].removesuffix(".socket") + ".service"


def health_timer(name: str) -> str:
    """Timer that has container *name* checked, by the service of the same name."""
    return f"nsunit-{escape(name)}-health.timer"


def health_service(name: str) -> str:
    """Service that checks container *name* once."""
    return f"nsunit-{escape(name)}-health.service"


def container_of_check(unit: str) -> str | None:
    """Name of the container that *unit* checks, or None for any other unit."""
    name = unescape(unit[len("nsunit-") : -len("-health.service")])
    return name if is_valid_name(name) and unit == health_service(name) else None


def container_of_listener(unit: str) -> str | None:
    """Name of the container that *unit*, a socket or a proxy, listens for, or None for any other unit."""
    stem, _, suffix = unit.rpartition(".")
    escaped, dash, port = stem.removeprefix("nsunit-").partition("-port-")
    if not unit.startswith("nsunit-") or suffix not in ("socket", "service") or bool(dash) != port.isdecimal():
        return None
    if not dash and suffix == "service":
        return None
    name = unescape(escaped)
    own = (socket_name(name), former_unit(socket_name(name)), *_listeners(name, port))
    return name if is_valid_name(name) and unit in own else None


def _listeners(name: str, port: str) -> tuple[str, ...]:
    """The socket for *port* inside of container *name*, and its proxy."""
    if not port:
        return ()
    socket = socket_name(name, int(port))
    return socket, socket.removesuffix(".socket") + ".service"


def container_of_timer(unit: str) -> str | None:
    """Name of the container that the timer *unit* starts, or None for any other unit."""
    name = unescape(unit[len("nsunit-") : -len(".timer")])
    return name if is_valid_name(name) and unit in (timer_name(name), former_unit(timer_name(name))) else None


def slice_name(name: str, group: str = "") -> str:
    """Slice that carries the limits of container *name*, a member of *group* if that is not empty."""
    return f"nsunit-{group}-{escape(name)}.slice" if group else f"nsunit-{escape(name)}.slice"


def is_slice_of(slice_: str, name: str) -> bool:
    """Whether the unit *slice_* may be the slice of container *name*, in whatever group."""
    return slice_.startswith("nsunit-") and slice_.endswith(f"-{escape(name)}.slice")


def is_valid_group(group: str) -> bool:
    """Tell whether *group* is a group's name: parts of `[a-z0-9][a-z0-9_.]*` with dashes in between."""
    parts = group.split("-")
    plain = all(part and part[0] in _FIRST and _PLAIN.issuperset(part) for part in parts)
    return plain and len(group) <= NAME_MAX and not group.endswith((GROUP_SUFFIX, POD_SUFFIX))


def is_valid_network(name: str) -> bool:
    """Tell whether *name* may be that of a defined network: a container's name without an `@`, and no other choice."""
    return is_valid_name(name) and "@" not in name and name not in NETWORKS_OF_NSUNIT


def is_network(name: str) -> bool:
    """Tell whether *name*, of an operand, means the definition of a network: `shop.network`."""
    return name.endswith(NETWORK_SUFFIX)


def is_group(name: str) -> bool:
    """Tell whether *name*, of an operand or a definition, means a group: `shop.slice`."""
    return name.endswith(GROUP_SUFFIX)


def is_pod(name: str) -> bool:
    """Tell whether *name*, of an operand or a definition, means a pod: `shop.pod`."""
    return name.endswith(POD_SUFFIX)


def pod_name(group: str) -> str:
    """The name of the pod that is the group *group*, `shop`."""
    return group + POD_SUFFIX


def group_of_pod(name: str) -> str:
    """The group, `shop.slice`, that the pod *name* is."""
    return name.removesuffix(POD_SUFFIX) + GROUP_SUFFIX


def limited(name: str) -> str:
    """The container or group whose limits those of *name* are: a pod's are its group's."""
    return group_of_pod(name) if is_pod(name) else name


def check_any_name(name: str) -> str:
    """Return *name* if it is a valid one of a container, of a group, `shop.slice`, or of a pod, `shop.pod`.

    Raises:
        UsageError: it is not.
    """
    if (is_group(name) or is_pod(name)) and not is_valid_group(name.rpartition(".")[0]):
        raise UsageError(
            f"'{printable(name)}' is not the name of a {'group' if is_group(name) else 'pod'}",
            hint="use a-z, 0-9, '_' and '.', with a dash before the name of a group within a group",
        )
    return check_name(name)


def group_slice(name: str) -> str:
    """Unit of the group *name*, `shop.slice`."""
    return f"nsunit-{name}"


def groups_above(group: str) -> tuple[str, ...]:
    """Names of *group*, `shop-eu`, and of those around it, the outermost first: `shop.slice`, `shop-eu.slice`."""
    parts = group.split("-")
    return tuple("-".join(parts[: count + 1]) + GROUP_SUFFIX for count in range(len(parts)))


def limits_watcher(group: str) -> str:
    """The unit that notices when limits of the cgroup *group* change; empty where its name would be too long."""
    unit = f"nsunit-limits@{'-'.join(escape(part) for part in group.split('/') if part)}.path"
    return unit if len(unit) <= UNIT_NAME_MAX else ""


def limits_keeper(name: str) -> str:
    """The unit that wants such watchers for container *name*, whose first limit of the kind came while it ran."""
    return f"nsunit-limits-of@{escape(name)}.service"


def notify_unit(name: str) -> str:
    """The socket by which container *name* tells systemd of itself.  No container's unit has a plain dash there."""
    return f"nsunit-sd-notify@{escape(name)}.socket"


def slice_path(slice_: str) -> str:
    """The cgroup of *slice_*: systemd nests slices at each dash of their names, systemd.slice(5)."""
    parts = slice_.removesuffix(".slice").split("-")
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))


def scope_name(name: str, purpose: str, token: str) -> str:
    """Scope for one `exec` session or a foreground `run` (*purpose*) of container *name*."""
    return f"nsunit-{escape(name)}-{purpose}-{token}.scope"


def container_of_unit(unit: str) -> str | None:
    """Name of the container whose payload *unit* runs, or None for any other unit."""
    if unit.startswith("nsunit-") and unit.endswith(".service"):
        name = unescape(unit[len("nsunit-") : -len(".service")])
        return name if _is_service_of(unit, name) and not is_pod(name) else None
    if unit.startswith("nsunit-") and unit.endswith(".scope"):
        # A dash of the name itself is escaped, so the first plain one ends it.
        escaped, _, rest = unit[len("nsunit-") : -len(".scope")].partition("-")
        name = unescape(escaped)
        return name if is_valid_name(name) and rest.startswith("run-") else None
    return None


def pod_of_unit(unit: str) -> str | None:
    """Name of the pod whose namespaces *unit* holds, or None for any other unit."""
    name = unescape(unit[len("nsunit-") : -len(".service")])
    return name if is_pod(name) and _is_service_of(unit, name) else None


def _is_service_of(unit: str, name: str) -> bool:
    service = service_name(name)
    return is_valid_name(name) and unit in (service, former_unit(service))


def printable(text: str) -> str:
    """Make control characters visible, so that a name or a log line cannot drive the reader's terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_pattern(text: str) -> bool:
    """Tell whether *text*, of an operand, is a pattern; no name has one of these characters."""
    return "*" in text or "?" in text or "[" in text


def matching(names: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """Those of *names* that match one of *patterns*, as the shell does it; without patterns all."""
    if not patterns:
        return set(names)
    import fnmatch  # it loads re, and most commands have no pattern

    found = list(names)
    return {name for pattern in patterns for name in fnmatch.filter(found, pattern)}


def default_hostname(name: str) -> str:
    """A host name made from a container's name, which may have characters that host names may not."""
    cleaned = "".join(c if c.isalnum() or c in "-." else "-" for c in name)
    return cleaned.strip("-.") or "container"


def groups_of_slice(slice_: str) -> tuple[str, ...]:
    """The names of the groups around a container's *slice_*."""
    above = slice_.removeprefix("nsunit-").removesuffix(".slice").rpartition("-")[0]
    return groups_above(above) if above else ()
