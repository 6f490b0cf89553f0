"""What has happened to containers, from the properties of their units and the counters of their cgroups."""

from __future__ import annotations

from nsunit.names import ROOT_SLICE, container_of_unit, is_valid_name, unescape
from nsunit.record import Record
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STARTED, STOPPED, FAILED, SKIPPED = "start", "stop", "fail", "skip"
SESSION_STARTED, SESSION_STOPPED = "session-start", "session-stop"
OOM_KILL, MANAGED_OOM_KILL, MEMORY_HIGH = "oom-kill", "managed-oom-kill", "memory-high"
FROZEN, THAWED = "freeze", "thaw"
HEALTH = "health"
_CODES = {1: "exited", 2: "killed", 3: "dumped"}
_OVER = ("inactive", "failed")
_UNTRIED = ("start-limit-hit", "resources")  # results of starts for which nothing was executed
_ENTERED, _CHECKED = "ActiveEnterTimestampMonotonic", "ConditionTimestampMonotonic"


class Event(Record):
    """One event; what does not belong to its kind is None.

    `container` is the container's name, None where a group is meant (`group`, such as shop.slice).  `cgroup` is the
    group below the unit, empty if it has gone meanwhile.  `count` says how often since the last event, `total` since
    the cgroup was made.  `result`, `code` and `status` are systemd's: "exit-code", "exited" and 3, for instance.
    `health` is starting, healthy or unhealthy.
    """

    event: str
    container: str | None = None
    group: str | None = None
    unit: str | None = None
    cgroup: str | None = None
    result: str | None = None
    code: str | None = None
    status: int | None = None
    count: int | None = None
    total: int | None = None
    health: str | None = None


def session_container(unit: str) -> str | None:
    """The container that `exec` session *unit* belongs to, None for any other unit."""
    escaped, dash, _token = unit.removeprefix("nsunit-").removesuffix(".scope").rpartition("-exec-")
    if not (dash and unit.startswith("nsunit-") and unit.endswith(".scope")):
        return None
    name = unescape(escaped)
    return name if is_valid_name(name) else None


def name_of_slice(slice_: str) -> str | None:
    """The container or group that *slice_* is for, None if nsunit has not made it."""
    if slice_ == ROOT_SLICE:
        return slice_.removesuffix(".slice")
    name = unescape(slice_.removesuffix(".slice").rpartition("-")[2])
    return name if slice_.startswith("nsunit-") and is_valid_name(name) else None


class Tracker:
    """Turns the changes of units into events.  Feed it every change; the state of the start makes no event."""

    def __init__(self) -> None:
        self._units: dict[str, _Known] = {}
        self._killed: set[str] = set()  # containers that the kernel has killed in since they were started

    def note_kill(self, container: str) -> None:
        """Note that an event has told of a kill for lack of memory in *container*, the kernel's or systemd-oomd's."""
        self._killed.add(container)

    def running(self) -> list[str]:
        """The containers that run."""
        names = (container_of_unit(unit) for unit, known in self._units.items() if known.runs)
        return sorted({name for name in names if name})

    def changed(self, unit: str, values: Mapping[str, object], *, first: bool = False) -> list[Event]:
        """Take in *values*; with *first*, as what was there before."""
        container = container_of_unit(unit)
        name = container or session_container(unit)
        if name is None:
            return []
        known = self._units.setdefault(unit, _Known())
        asked = known.runs and known.has_job()
        before = known.take(values, first=first)
        if values.get("LoadState") == "not-found":
            del self._units[unit]
            known.values["ActiveState"] = "inactive"
        state = str(known.values.get("ActiveState", "inactive"))
        waiting = state == "activating" and str(known.values.get("SubState", "")).startswith("auto-restart")
        over = state in _OVER or waiting
        if first:
            known.runs = state in UP
            known.tried = not (known.runs or over)
            return []
        events = []
        if known.runs and (known.came_up or (state == "activating" and not waiting)):
            # systemd has told of its end together with the next start, which has put another result in its place.
            events.append(Event(STOPPED if container else SESSION_STOPPED, name, unit=unit))
            known.runs, known.tried = False, True
        if not known.runs and (state in UP or known.came_up):
            known.runs, known.tried = True, False
            if container:
                self._killed.discard(name)
            events.append(Event(STARTED if container else SESSION_STARTED, name, unit=unit))
        if over:
            refused = state == "failed" and before != "failed" and known.values.get("Result") in _UNTRIED
            failed = known.runs or known.tried or refused
            known.runs = known.tried = False
            if failed:
                events += self._ended(name, unit, known.values, asked=asked)
            elif known.was_skipped:
                events.append(Event(SKIPPED, name, unit=unit))
        elif not known.runs:
            known.tried = True
        return events

    def _ended(self, name: str, unit: str, values: Mapping[str, object], *, asked: bool) -> list[Event]:
        if session_container(unit):
            return [Event(SESSION_STOPPED, name, unit=unit)]
        result, code, status = (values.get(key) for key in ("Result", "ExecMainCode", "ExecMainStatus"))
        # A payload that does not listen to its stop signal is killed, when it is to stop.
        calm = result in (None, "success") or (asked and result == "signal")
        event = Event(
            STOPPED if calm else FAILED,
            name,
            unit=unit,
            result=str(result) if result else None,
            code=_CODES.get(code) if isinstance(code, int) else None,
            status=status if isinstance(status, int) and code in _CODES else None,
        )
        if result == "oom-kill" and name not in self._killed:
            # The cgroup was removed before its counter could be read.
            return [Event(OOM_KILL, name, unit=unit, cgroup="", count=1), event]
        return [event]


class _Known:
    """What is known of one unit; `tried` is a start that has not come to its end yet.

    Of several changes that follow each other quickly systemd tells once: when it last came up, and when its conditions
    were last looked at, say what there was between them.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.runs = False
        self.tried = False
        self.came_up = False  # since the last signal
        self.was_skipped = False  # by a job that is over since the last signal, for a condition that is not met
        self._unmet = False
        self._times: dict[str, object] = {_ENTERED: 0, _CHECKED: 0}  # None for unknown

    def take(self, values: Mapping[str, object], *, first: bool) -> str:
        """Take in *values*; returns the state before."""
        before = str(self.values.get("ActiveState", "inactive"))
        self.values.update(values)
        new = {key for key, time in self._times.items() if values.get(key) and time not in (None, values[key])}
        self._times = {key: values.get(key, None if first else time) for key, time in self._times.items()}
        self.came_up = _ENTERED in new and not first
        if _CHECKED in new and not first:
            self._unmet = values.get("ConditionResult") is False
        # A job that stays may look at the conditions again: it has not skipped anything yet.
        self.was_skipped = self._unmet and not self.has_job()
        self._unmet = self._unmet and not self.was_skipped
        return before

    def has_job(self) -> bool:
        """Tell whether systemd has something to do with it; a unit that runs is to stop, or to reload."""
        job = self.values.get("Job")
        return isinstance(job, (list, tuple)) and bool(job[0])
