"""What the rest of nsunit knows of systemd's D-Bus interface: a protocol, its records, and the errors in plain words.

The names and signatures are those of org.freedesktop.systemd1(5).  `nsunit.bus.systemd.Systemd` implements the
protocol; the tests have a fake of it.
"""

from __future__ import annotations

from nsunit.errors import AS_ROOT, BusError
from nsunit.names import former_unit
from nsunit.record import Record
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol

    from nsunit.units import Property, Unit

_DBUS = "org.freedesktop.DBus.Error."
_SYSTEMD = "org.freedesktop.systemd1."

TIMEOUT = _DBUS + "Timeout"
DISCONNECTED = _DBUS + "Disconnected"
INVALID_ARGS = _DBUS + "InvalidArgs"
ACCESS_DENIED = _DBUS + "AccessDenied"
UNKNOWN_PROPERTY = _DBUS + "UnknownProperty"
PROPERTY_READ_ONLY = _DBUS + "PropertyReadOnly"
NO_REPLY = _DBUS + "NoReply"
NO_ANSWER = (TIMEOUT, DISCONNECTED, NO_REPLY)
NO_SPACE = "System.Error.ENOSPC"
NO_SUCH_UNIT = _SYSTEMD + "NoSuchUnit"
NO_SUCH_PROCESS = _SYSTEMD + "NoSuchProcess"
UNIT_EXISTS = _SYSTEMD + "UnitExists"
TRANSACTION_IS_DESTRUCTIVE = _SYSTEMD + "TransactionIsDestructive"
FILE_NOT_FOUND = _DBUS + "FileNotFound"
GROUP_LOST = "GroupLost"  # nsunit's own: see nsunit.features.groups.deeds
UNREACHABLE = _DBUS + "NoServer"


class Job(Record):
    """A job systemd has queued: its object path, the unit it is for, and what it does ("start", "stop", "restart")."""

    path: str
    unit: str
    kind: str


class UnitStatus(Record):
    """One row of ListUnitsByPatterns; `job_path` is empty where no job is queued."""

    name: str
    description: str
    load_state: str
    active_state: str
    sub_state: str
    job_path: str


# No slices, which are called so at all times: there may be a thousand.
_FORMER = ("nsunit-*\\x2d*.service", "nsunit-*\\x2d*.timer", "nsunit-*\\x2d*.socket")


class FormerNames:
    """Units that systemd has still by the names that an earlier nsunit gave them, until they are started anew.

    Those are never made again, so where there are none at first there will be none.
    """

    def __init__(self, list_units: Callable[[Sequence[str]], list[UnitStatus]]) -> None:
        self._list_units = list_units
        self._may_be_there = True

    def loaded(self, unit: str) -> str:
        """*unit*, or its former name where it runs by that, or has failed."""
        former = former_unit(unit) if self._may_be_there else ""
        if not former:
            return unit
        # A backslash stands for itself: systemd matches with FNM_NOESCAPE.
        there = {item.name: item for item in self._list_units(_FORMER) if former_kind(item.name)}
        self._may_be_there = bool(there)
        found = there.get(former)
        return former if found and (found.active_state != "inactive" or found.job_path) else unit

    def in_properties(self, properties: Sequence[Property]) -> list[Property]:
        """*properties* with the units that they name as systemd has them."""
        return [
            item.replace(value=tuple(map(self.loaded, item.value)))
            if item.name in _RELATIONS and isinstance(item.value, tuple)
            else item
            for item in properties
        ]


_RELATIONS = frozenset(
    "After Before BindsTo PartOf PropagatesReloadTo PropagatesStopTo Requires Requisite StopPropagatedFrom Upholds"
    " Wants JoinsNamespaceOf".split()
)


def former_kind(unit: str) -> bool:
    """Whether *unit* may be called as by an earlier nsunit: no slice, no scope, and no plain dash in the name."""
    stem, _, kind = unit.removeprefix("nsunit-").rpartition(".")
    return kind in ("service", "timer", "socket") and "-" not in stem


if TYPE_CHECKING:

    class Watched(Protocol):
        """What is waited for beside jobs."""

        def fileno(self) -> int:
            """A descriptor that can be read from when there is something to be seen."""

        def look(self) -> None:
            """See it, and do what is due."""

    class SystemdClient(Protocol):
        """systemd's manager.  Every method raises `BusError`; every call has sd-bus's deadline of 25 s,
        but for `reload`, which waits for three minutes.

        `$SYSTEMD_BUS_TIMEOUT` (seconds, or with a unit such as `1min`) is how libsystemd lets it be changed.
        """

        def connect(self) -> int:
            """Begin to connect, without waiting; any other method does so by itself.

            Returns the descriptor, for a child to close: it can do nothing else with it.
            """

        def version(self) -> int:
            """Major version of the running systemd, e.g. 257."""

        def control_group(self) -> str:
            """The cgroup that systemd's units are in: empty for the root, or that of a user's user@UID.service."""

        def features(self) -> str:
            """What the running systemd was built with, e.g. "+PAM -BPF_FRAMEWORK"."""

        def unit_paths(self) -> tuple[str, ...]:
            """The directories where it looks for units, the one that counts most first."""

        def start_transient(self, unit: Unit, auxiliary: Sequence[Unit] = (), mode: str = "fail") -> Job:
            """Make and start *unit* together with the *auxiliary* units (StartTransientUnit)."""

        def start(self, unit: str, mode: str = "replace") -> Job:
            """Queue a start job."""

        def stop(self, unit: str, mode: str = "replace") -> Job:
            """Queue a stop job."""

        def restart(self, unit: str, mode: str = "replace") -> Job:
            """Queue a restart job."""

        def reload_unit(self, unit: str, mode: str = "replace") -> Job:
            """Queue a reload job: of that unit, by its ExecReload= or ReloadSignal=."""

        def wait(self, job: Job, timeout: float) -> str:
            """Wait up to *timeout* seconds for *job* and return its result: "done", "failed", "canceled", …

            Results of other jobs of this client that come meanwhile are kept for later calls.
            """

        def wait_any(self, jobs: Iterable[Job], timeout: float, beside: Watched | None = None) -> tuple[Job, str]:
            """Wait up to *timeout* seconds for whichever of *jobs* is finished first; returns it with its result.

            Whenever there is something to be seen of *beside* meanwhile, that looks.
            """

        def ended(self, jobs: Iterable[Job]) -> list[Job]:
            """Those of *jobs* that are known to be finished; nothing is waited for."""

        def kill(self, unit: str, whom: str, signal: int) -> None:
            """Send *signal* to the unit's processes; *whom* is "main", "control" or "all"."""

        def reset_failed(self, unit: str) -> None:
            """Forget that *unit* failed, which lets systemd unload it."""

        def freeze(self, unit: str) -> None:
            """Freeze the unit's cgroup; returns when it is frozen."""

        def thaw(self, unit: str) -> None:
            """Undo `freeze`; returns when the unit runs again."""

        def set_properties(self, unit: str, runtime: bool, properties: Sequence[Property]) -> None:
            """Change properties of a loaded unit; *runtime* keeps the change under /run only."""

        def reload(self) -> None:
            """Reload all unit files (daemon-reload)."""

        def properties(self, unit: str) -> dict[str, object]:
            """All properties of *unit*, of its type and of units in general.

            An unknown unit is no error: its LoadState is "not-found".  Strings are str, `ay` is a list of int.
            """

        def get(self, unit: str, *names: str) -> dict[str, object]:
            """The named properties only; one that this systemd does not have is missing from the result.

            With LoadState among them, a unit that is not there is seen at once, and only its LoadState is returned.
            """

        def is_loaded(self, unit: str) -> bool:
            """Whether systemd knows *unit*; it is not made to load it by that, nor goes through all that it has."""

        def list_units(self, patterns: Sequence[str]) -> list[UnitStatus]:
            """The loaded units whose names match one of the glob *patterns*."""

        def attach(self, unit: str, subgroup: str, pids: Sequence[int]) -> None:
            """Move processes into the cgroup of a delegated unit, or into its *subgroup*, a path such as "/jobs".

            Root may do so with all processes, anybody else with his own if he is the user the unit runs as.
            """

        def close(self) -> None:
            """Close the connection; closing twice is harmless."""


_NOT_RUNNING = "nsunit needs systemd as PID 1 and its bus; see what 'nsunit doctor' says"
_TOO_OLD = "this systemd is too old for the property, or it cannot be set at run time"
_BUSY = "see what is queued with 'systemctl list-jobs'"

_HINTS = {
    ACCESS_DENIED: AS_ROOT,
    _DBUS + "InteractiveAuthorizationRequired": AS_ROOT,
    _DBUS + "AuthFailed": AS_ROOT,
    UNREACHABLE: _NOT_RUNNING,
    FILE_NOT_FOUND: _NOT_RUNNING,
    _DBUS + "ServiceUnknown": _NOT_RUNNING,
    _DBUS + "NameHasNoOwner": _NOT_RUNNING,
    DISCONNECTED: "systemd or the bus was restarted meanwhile; run the same command again",
    NO_REPLY: _BUSY,
    TIMEOUT: _BUSY,
    _DBUS + "LimitsExceeded": "too many units or connections; see 'systemctl list-units' for what is left over",
    UNKNOWN_PROPERTY: _TOO_OLD,
    PROPERTY_READ_ONLY: _TOO_OLD,
    NO_SUCH_UNIT: "see 'nsunit list --all' for what is there",
    UNIT_EXISTS: "something of that name is still loaded; stop it, or 'systemctl reset-failed' it when it failed",
    _SYSTEMD + "UnitMasked": "unmask it with 'systemctl unmask'",
    TRANSACTION_IS_DESTRUCTIVE: "a stop is queued for it, or the host is shutting down; " + _BUSY,
    _SYSTEMD + "ConcurrencyLimitReached": "stop another unit of that slice, or raise its ConcurrencyHardMax=",
    _SYSTEMD + "UnitInactive": "start it first",
    _SYSTEMD + "ShuttingDown": "wait until the host is up again",
}


def bus_error(name: str, message: str) -> BusError:
    """Make the error for D-Bus error *name*: systemd's own *message* on one line, with what to do about it."""
    text = " ".join(message.split()).rstrip(".") or name
    return BusError(name, text, hint=_HINTS.get(name))


def lost_job_result(kind: str, load_state: str, active_state: str) -> str:
    """Tell from a unit's state how a job of *kind* ended whose JobRemoved signal was not seen."""
    if kind == "stop":
        return "done" if load_state == "not-found" or active_state in ("inactive", "failed") else "failed"
    return "done" if load_state != "not-found" and active_state in UP else "failed"


def major_version(text: str) -> int:
    """Major number of a systemd version string such as `257.13-1~deb13u1`.

    Raises:
        BusError: there is no number in front.
    """
    digits = text.lstrip("v")
    end = 0
    while end < len(digits) and digits[end].isdigit():
        end += 1
    if not end:
        raise BusError(INVALID_ARGS, f"systemd gives its version as '{text}', which has no number in front")
    return int(digits[:end])


# Properties of the Unit interface that nsunit asks for one by one; any other name belongs to the unit's type.
_OF_UNIT_NAMES = (
    "Id Names Description LoadState LoadError ActiveState SubState FreezerState Following FragmentPath SourcePath"
    " DropInPaths UnitFileState NeedDaemonReload Transient InvocationID Job CollectMode RequiresMountsFor Requires"
    " Wants BindsTo BoundBy UpheldBy RequiredBy RequisiteOf WantedBy OnFailureOf OnSuccessOf PartOf ConsistsOf"
    " After Before Conflicts CanReload Documentation ConditionResult AssertResult ConditionTimestampMonotonic"
    " StateChangeTimestamp StateChangeTimestampMonotonic InactiveExitTimestamp InactiveExitTimestampMonotonic"
    " ActiveEnterTimestamp ActiveEnterTimestampMonotonic ActiveExitTimestamp ActiveExitTimestampMonotonic"
    " InactiveEnterTimestamp InactiveEnterTimestampMonotonic"
)
OF_UNIT = frozenset(_OF_UNIT_NAMES.split())
