"""Groups of `nsunit cgroup`: how they are written, and the units that systemd keeps for them.  Pure.

A group `web/jobs` is the cgroup `jobs` in the delegated cgroup of the unit `nsunit-cgroup-web.service`.  A slice
cannot be delegated and a scope needs a process, so that unit is a service whose only command ends at once, and which
stays active after that (RemainAfterExit=).  systemd removes its cgroup when the command ends (service_set_state()),
makes it again when a process is attached (unit_attach_pids_to_cgroup()), and from then on leaves it alone for as
long as the unit is active, without any process, through daemon-reload and daemon-reexec.
"""

from __future__ import annotations

from nsunit.errors import UsageError
from nsunit.features.delegation.plan import CONTROLLERS, wanted_controllers
from nsunit.names import ROOT_SLICE, escape, printable, unescape
from nsunit.record import Record
from nsunit.units import INFINITY, Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = "*"
MODE_MAX = 0o777
_PREFIX = "nsunit-cgroup-"
_SUFFIX = ".service"
_COMPONENT_MAX = 100
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_REST = _FIRST | frozenset("-.@")
_UNIT_TYPES = ("slice", "service", "scope", "socket", "mount", "swap")
_STOP_USEC = 10_000_000

# Controllers of version 1 that are part of another one, and those that every cgroup of version 2 has.
_RENAMED = {"blkio": "io", "cpuacct": "cpu"}
_EVERYWHERE = ("freezer", "perf_event")
_GROUP_HINT = "write it as NAME or NAME/SUBGROUP, with letters, digits, '_', '-', '.' and '@'"


class Group(Record):
    """One group: `name` is that of its unit, `below` the cgroups on the way down from it, none for the unit's own."""

    name: str
    below: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """How the user writes it."""
        return "/".join((self.name, *self.below))

    @property
    def unit(self) -> str:
        """The unit that it belongs to."""
        return f"{_PREFIX}{escape(self.name)}{_SUFFIX}"

    @property
    def cgroup(self) -> str:
        """Its path below the mount point of the cgroup file system, with a slash in front."""
        return "/".join(("", ROOT_SLICE, self.unit, *self.below))

    @property
    def top(self) -> Group:
        """The group of the unit."""
        return Group(self.name)

    @property
    def parents(self) -> tuple[Group, ...]:
        """The groups that it is in, the unit's own first."""
        return tuple(Group(self.name, self.below[:depth]) for depth in range(len(self.below)))


class Access(Record):
    """Who may use a group: ids of `-a` (the cgroup) and `-t` (its tasks), None for those that were not given.

    The modes are those of `-d`, `-f` and `-s`.
    """

    admin: tuple[int, int] | None = None
    tasks: tuple[int, int] | None = None
    directory_mode: int | None = None
    file_mode: int | None = None
    tasks_mode: int | None = None


def parse_group(text: str) -> Group:
    """Read the path of a group; a slash in front is allowed, as with libcgroup.

    Raises:
        UsageError: it is none of nsunit's.
    """
    shown = printable(text)
    name, *below = text.removeprefix("/").split("/")
    if ".." in (name, *below) or text.startswith("/sys/"):
        raise UsageError(f"'{shown}' is outside of the groups of nsunit", hint=_GROUP_HINT)
    if not name and not below:
        raise UsageError(f"'{shown}' is the root, which belongs to systemd", hint=_GROUP_HINT)
    _, dot, kind = name.rpartition(".")
    if dot and kind in _UNIT_TYPES:
        raise UsageError(
            f"'{shown}' belongs to systemd", hint="'systemctl set-property' sets limits of its units, see nsunit(1)"
        )
    for part in (name, *below):
        if not part or len(part) > _COMPONENT_MAX or part[0] not in _FIRST or not _REST.issuperset(part):
            raise UsageError(f"'{shown}' is not the name of a group", hint=_GROUP_HINT)
    group = Group(name, tuple(below))
    if len(group.unit) > 255:
        raise UsageError(f"'{shown}' is too long for the name of a unit", hint=_GROUP_HINT)
    return group


def parse_spec(text: str) -> tuple[tuple[str, ...], Group]:
    """Read `CONTROLLERS:PATH`, or `PATH` alone, which names no controllers.

    Raises:
        UsageError: the path is none of nsunit's.
    """
    controllers, colon, path = text.partition(":")
    if not colon or "/" in controllers:
        return (), parse_group(text)
    return tuple(name for name in controllers.split(",") if name), parse_group(path)


def resolve_controllers(names: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """The controllers of version 2 that *names* mean, `*` being all of those that are *available*.

    Raises:
        UsageError: a name is none of a controller, or this kernel does not provide it.
    """
    if ALL in names:
        return tuple(name for name in CONTROLLERS if name in available)
    renamed = [_RENAMED.get(name, name) for name in names if name not in _EVERYWHERE]
    return wanted_controllers(renamed, available) if renamed else ()


def group_of_unit(unit: str) -> Group | None:
    """The group whose unit this is, or None for any other unit."""
    if not (unit.startswith(_PREFIX) and unit.endswith(_SUFFIX)):
        return None
    try:
        group = parse_group(unescape(unit[len(_PREFIX) : -len(_SUFFIX)]))
    except UsageError:
        return None
    return group if group.unit == unit else None


def group_unit(group: Group, controllers: Sequence[str], uid: int | None) -> Unit:
    """The unit of *group*.

    *uid* is who may put his processes into it: systemd attaches what belongs to the unit's user, for that user
    (bus_unit_method_attach_processes()).
    """
    command = "/usr/bin/true"
    return Unit(
        group.unit,
        (
            Property("Description", "s", f"Control group {group.name} of nsunit cgroup"),
            Property("Slice", "s", ROOT_SLICE),
            Property("Type", "s", "oneshot"),
            Property("RemainAfterExit", "b", True),
            Property("CollectMode", "s", "inactive-or-failed"),
            Property("IgnoreOnIsolate", "b", True),
            Property("TimeoutStopUSec", "t", _STOP_USEC),
            Property("SendSIGHUP", "b", True),
            # A group has no limit that nobody has set; systemd's default for services is 15% of the machine's.
            Property("TasksMax", "t", INFINITY),
            Property("DelegateControllers", "as", tuple(controllers)),
            *([] if uid is None else [Property("User", "s", str(uid))]),
            Property("ExecStart", "a(sasb)", ((command, (command,), False),)),
        ),
    )


def parse_mode(text: str) -> int:
    """Read a file mode in octal digits.

    Raises:
        UsageError: it is none.
    """
    if not text or not set(text) <= set("01234567") or int(text, 8) > MODE_MAX:
        raise UsageError(f"'{printable(text)}' is not a file mode", hint="use octal digits, e.g. 775")
    return int(text, 8)
