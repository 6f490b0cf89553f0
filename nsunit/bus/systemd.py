"""systemd's manager over sd-bus.

As systemctl(1) does it, root talks to systemd's private socket, which needs no message bus (it works while dbus is
restarting) and saves a hop on every call; everybody else, and root where that socket is missing, uses the system bus.
"""

from __future__ import annotations

import select
import time

from nsunit.bus import marshal
from nsunit.bus.marshal import open_bus, sd_bus
from nsunit.bus.protocol import (
    DISCONNECTED,
    INVALID_ARGS,
    NO_SUCH_UNIT,
    OF_UNIT,
    PROPERTY_READ_ONLY,
    TIMEOUT,
    UNKNOWN_PROPERTY,
    FormerNames,
    Job,
    UnitStatus,
    bus_error,
    lost_job_result,
    major_version,
)
from nsunit.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from nsunit.bus.protocol import Watched
    from nsunit.units import Property, Unit

_DESTINATION = b"org.freedesktop.systemd1"
_MANAGER_PATH = b"/org/freedesktop/systemd1"
_MANAGER = b"org.freedesktop.systemd1.Manager"
_UNIT = "org.freedesktop.systemd1.Unit"
_DBUS = b"org.freedesktop.DBus"
_PROPERTIES = b"org.freedesktop.DBus.Properties"
_JOB_REMOVED = (
    "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',"
    "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"
)
_RECONNECT_SECONDS = 30.0
_RELOAD_SECONDS = 180.0  # as long as systemctl(1) waits for it: generators alone have 90 s
_SIGKILL = 9

_TYPES = {kind: kind.capitalize() for kind in ("service", "slice", "scope", "socket", "mount", "timer")}


class Systemd:
    """A `SystemdClient` on sd-bus.  Not for use from several threads at once."""

    def __init__(self, user: bool = False, open_bus: Callable[[bool], tuple[Any, bool]] = open_bus) -> None:
        self._user = user
        self._open_bus = open_bus
        self._bus: Any = None
        self._direct = False
        self._subscribed = False
        self._owner: bytes | None = None
        self._jobs: set[str] = set()
        self._results: dict[str, str] = {}
        self._unheard: set[str] = set()  # jobs that may have ended while there was no connection
        self._former = FormerNames(self.list_units)

    def connect(self) -> int:
        """Begin to connect, without waiting: systemd accepts and greets meanwhile; returns the descriptor."""
        return int(self._connection().get_fd())

    def _connection(self) -> Any:
        if self._bus is None:
            self._bus, self._direct = self._open_bus(self._user)
            self._subscribed = False
        return self._bus

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        bus, self._bus = self._bus, None
        if bus is not None:  # pystemd frees it each time it is asked to
            bus.close()

    def _reconnect(self) -> None:
        """Connect anew after systemd, or the bus, went away.

        systemd closes its private connections when it re-executes itself (an upgrade does that), and listens again a
        moment later, with the same units and jobs; nothing announces that moment, hence the only sleep in here.
        """
        self.close()
        deadline = time.monotonic() + _RECONNECT_SECONDS
        while True:
            try:
                self._connection()
                self._subscribe()
                if not self._direct:  # under our new name the jobs queued before are somebody else's
                    self._manager("Subscribe")
                self._unheard |= self._jobs - self._results.keys()
                return
            except BusError:
                if time.monotonic() >= deadline:
                    raise
                self.close()
                time.sleep(0.05)

    def _call(self, path: bytes, interface: bytes, method: bytes, arguments: list[tuple[int, Any]]) -> Any:
        bus = self._connection()
        message = sd_bus(bus.call_method, _DESTINATION, path, interface, method, arguments)
        if not self._direct:
            self._owner = message.get_sender()
        return marshal.decode(message.body)

    def _manager(self, method: str, signature: str = "", *arguments: object, again: bool = False) -> Any:
        if signature.startswith("s"):  # a unit, for all methods that are called here
            arguments = (self._former.loaded(str(arguments[0])), *arguments[1:])
        try:
            flat = marshal.encode_arguments(signature, *arguments)
        except ValueError as error:
            raise BusError(INVALID_ARGS, f"cannot ask systemd for {method}: {error}") from None
        call = self._repeat if again else self._call
        return call(_MANAGER_PATH, _MANAGER, method.encode(), flat)

    def _repeat(self, path: bytes, interface: bytes, method: bytes, arguments: list[tuple[int, Any]]) -> Any:
        """Call what may be asked for twice, since that is the same as once: it is, after a lost connection."""
        try:
            return self._call(path, interface, method, arguments)
        except BusError as error:
            if error.name != DISCONNECTED:
                raise
        self._reconnect()
        return self._call(path, interface, method, arguments)

    def _subscribe(self) -> None:
        """Have JobRemoved delivered.

        Manager.Subscribe is not needed for it: systemd sends it to whoever queued the job (bus_job_track_sender()),
        and to everybody on the private socket, where there is no bus to ask for a match either.
        """
        if self._subscribed:
            return
        bus = self._connection()
        if not self._direct:
            arguments = marshal.encode_arguments("s", _JOB_REMOVED)
            sd_bus(bus.call_method, _DBUS, b"/org/freedesktop/DBus", _DBUS, b"AddMatch", arguments)
        self._subscribed = True

    def _submit(self, kind: str, unit: str, mode: str) -> Job:
        self._subscribe()
        path = self._manager(kind.capitalize() + "Unit", "ss", unit, mode, again=kind == "stop")
        return self._queued(path, unit, kind)

    def _queued(self, path: str, unit: str, kind: str) -> Job:
        self._jobs.add(path)
        return Job(path, unit, kind)

    def start_transient(self, unit: Unit, auxiliary: Sequence[Unit] = (), mode: str = "fail") -> Job:
        """Make and start *unit* together with the *auxiliary* units (StartTransientUnit)."""
        try:
            flat = marshal.encode_arguments("ss", unit.name, mode)
            flat += marshal.encode_properties(self._former.in_properties(unit.properties))
            flat.append((ord("a"), b"(sa(sv))"))
            for other in auxiliary:
                flat.append((ord("r"), b"sa(sv)"))
                flat += marshal.encode_arguments("s", other.name)
                flat += marshal.encode_properties(other.properties)
                flat.append((-1, None))
            flat.append((-1, None))
        except ValueError as error:
            raise BusError(INVALID_ARGS, f"cannot make unit '{unit.name}': {error}") from None
        self._subscribe()
        return self._queued(self._call(_MANAGER_PATH, _MANAGER, b"StartTransientUnit", flat), unit.name, "start")

    def start(self, unit: str, mode: str = "replace") -> Job:
        """Queue a start job."""
        return self._submit("start", unit, mode)

    def stop(self, unit: str, mode: str = "replace") -> Job:
        """Queue a stop job."""
        return self._submit("stop", unit, mode)

    def restart(self, unit: str, mode: str = "replace") -> Job:
        """Queue a restart job."""
        return self._submit("restart", unit, mode)

    def reload_unit(self, unit: str, mode: str = "replace") -> Job:
        """Queue a reload job."""
        return self._submit("reload", unit, mode)

    def wait(self, job: Job, timeout: float) -> str:
        """Wait up to *timeout* seconds for *job* and return its result."""
        return self.wait_any((job,), timeout)[1]

    def wait_any(self, jobs: Iterable[Job], timeout: float, beside: Watched | None = None) -> tuple[Job, str]:
        """Wait up to *timeout* seconds for whichever of *jobs* is finished first; returns it with its result.

        Whenever there is something to be seen of *beside* meanwhile, that looks.
        """
        waiting = list(jobs)
        if not waiting:
            raise ValueError("no job to wait for")
        deadline = time.monotonic() + timeout
        is_over = False
        while True:
            for job in waiting:
                if job.path in self._results:
                    return job, self._results[job.path]
            if is_over:
                text = f"the {waiting[0].kind} of '{waiting[0].unit}' was not finished after {timeout:g} s"
                raise bus_error(TIMEOUT, text)
            remaining = deadline - time.monotonic()
            is_over = remaining <= 0
            unheard = waiting if is_over else [job for job in waiting if job.path in self._unheard]
            if unheard:
                self._unheard.difference_update(job.path for job in unheard)
                self._recover(unheard)
            else:
                self._receive(remaining, beside)

    def ended(self, jobs: Iterable[Job]) -> list[Job]:
        """Those of *jobs* that are known to be finished; nothing is waited for."""
        self._receive(0)
        return [job for job in jobs if job.path in self._results]

    def _receive(self, seconds: float, beside: Watched | None = None) -> None:
        """Take in the signals that are here, or wait up to *seconds* for some, and connect anew if need be."""
        bus = self._connection()
        try:
            if self._drain(bus):
                return
            descriptor = bus.get_fd()
            lost = descriptor < 0
            if not lost:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                if beside:
                    poll.register(beside, select.POLLIN)
                # not sd_bus_wait(), which would keep Python from seeing a Ctrl-C
                events = dict(poll.poll(seconds * 1000))
                lost = bool(events.pop(descriptor, 0) & ~select.POLLIN)
                if beside and events:
                    beside.look()
                self._drain(bus)
        except BusError as error:
            if error.name != DISCONNECTED:
                raise
            lost = True
        if lost:
            self._reconnect()

    def _drain(self, bus: Any) -> bool:
        """Process what sd-bus has queued; True if a result was among it."""
        found, idle = False, 0
        while idle < 2:  # process() does not tell "nothing there" from "did something without a message"
            message = sd_bus(bus.process)
            if message.is_signal(_MANAGER, b"JobRemoved"):
                idle = 0
                found = self._note_result(message) or found
            else:
                idle = idle + 1 if message.is_empty() else 0
        return found

    def _note_result(self, message: Any) -> bool:
        # Anybody may send a signal straight to a connection on the system bus: believe systemd only.
        if not self._direct and not self._is_systemd(message.get_sender()):
            return False
        message.process_reply(False)
        _id, path, _unit, result = marshal.decode(message.body)
        if path not in self._jobs:
            return False
        self._results[path] = result
        return True

    def _is_systemd(self, sender: bytes) -> bool:
        if sender != self._owner:  # it gets a new unique name when it re-executes itself
            self._call(_MANAGER_PATH, _PROPERTIES, b"Get", marshal.encode_arguments("ss", _MANAGER.decode(), "Version"))
        return sender == self._owner

    def _recover(self, jobs: list[Job]) -> None:
        """Find out by asking which of *jobs* are over."""
        for job in jobs:
            state = self.get(job.unit, "Job", "LoadState", "ActiveState")
            current = state.get("Job")
            if isinstance(current, tuple) and current[1] == job.path:
                continue
            self._drain(self._connection())  # it may have ended just now: its signal came before this answer
            result = lost_job_result(job.kind, str(state.get("LoadState", "")), str(state.get("ActiveState", "")))
            self._results.setdefault(job.path, result)

    def _property(self, name: str) -> Any:
        return self._repeat(_MANAGER_PATH, _PROPERTIES, b"Get", marshal.encode_arguments("ss", _MANAGER.decode(), name))

    def version(self) -> int:
        """Major version of the running systemd, e.g. 257."""
        return major_version(self._property("Version"))

    def control_group(self) -> str:
        """The cgroup that systemd's units are in; that of a user's systemd is user@UID.service."""
        return str(self._property("ControlGroup"))

    def features(self) -> str:
        """What the running systemd was built with, e.g. "+PAM -BPF_FRAMEWORK"."""
        return str(self._property("Features"))

    def unit_paths(self) -> tuple[str, ...]:
        """The directories where it looks for units, the one that counts most first."""
        return tuple(self._property("UnitPath"))

    def kill(self, unit: str, whom: str, signal: int) -> None:
        """Send *signal* to the unit's processes; *whom* is "main", "control" or "all"."""
        self._manager("KillUnit", "ssi", unit, whom, signal, again=signal == _SIGKILL)

    def reset_failed(self, unit: str) -> None:
        """Forget that *unit* failed, which lets systemd unload it."""
        self._manager("ResetFailedUnit", "s", unit, again=True)

    def freeze(self, unit: str) -> None:
        """Freeze the unit's cgroup; returns when it is frozen."""
        self._manager("FreezeUnit", "s", unit)

    def thaw(self, unit: str) -> None:
        """Undo `freeze`; returns when the unit runs again."""
        self._manager("ThawUnit", "s", unit)

    def set_properties(self, unit: str, runtime: bool, properties: Sequence[Property]) -> None:
        """Change properties of a loaded unit; *runtime* keeps the change under /run only."""
        unit = self._former.loaded(unit)
        try:
            flat = marshal.encode_arguments("sb", unit, runtime) + marshal.encode_properties(list(properties))
        except ValueError as error:
            raise BusError(INVALID_ARGS, f"cannot change unit '{unit}': {error}") from None
        self._repeat(_MANAGER_PATH, _MANAGER, b"SetUnitProperties", flat)

    def reload(self) -> None:
        """Reload all unit files (daemon-reload), which may take longer than any other call."""
        deadline = time.monotonic() + _RELOAD_SECONDS
        try:
            self._manager("Reload", again=True)
            return
        except BusError as error:
            if error.name != TIMEOUT:
                raise
        while True:  # calls are answered in their order, and none meanwhile: the next answer says that it is over
            try:
                self.version()
                return
            except BusError as error:
                if error.name != TIMEOUT or time.monotonic() >= deadline:
                    raise

    def properties(self, unit: str) -> dict[str, object]:
        """All properties of *unit*, of its type and of units in general.

        One GetAll without an interface name, as systemctl show does it.  Asking for a unit that does not exist loads
        a stub, LoadState "not-found", which systemd drops again by itself.
        """
        path = marshal.unit_path(self._former.loaded(unit)).encode()
        return dict(self._repeat(path, _PROPERTIES, b"GetAll", marshal.encode_arguments("s", "")) or {})

    def get(self, unit: str, *names: str) -> dict[str, object]:
        """The named properties only; one that this systemd does not have is missing from the result.

        With LoadState among them, a unit that is not there is seen at once, and only its LoadState is returned.
        """
        path = marshal.unit_path(self._former.loaded(unit)).encode()
        of_type = "org.freedesktop.systemd1." + _TYPES.get(unit.rpartition(".")[2], "Unit")
        values: dict[str, object] = {}
        for name in sorted(names, key="LoadState".__ne__):
            arguments = marshal.encode_arguments("ss", _UNIT if name in OF_UNIT else of_type, name)
            try:
                values[name] = self._repeat(path, _PROPERTIES, b"Get", arguments)
            except BusError as error:
                if error.name not in (UNKNOWN_PROPERTY, PROPERTY_READ_ONLY):
                    raise
            if values.get("LoadState") == "not-found":
                break
        return values

    def is_loaded(self, unit: str) -> bool:
        """Whether systemd knows *unit*; it is not made to load it by that, nor goes through all that it has."""
        arguments = marshal.encode_arguments("s", self._former.loaded(unit))
        try:
            return bool(self._repeat(_MANAGER_PATH, _MANAGER, b"GetUnit", arguments))
        except BusError as error:
            if error.name == NO_SUCH_UNIT:
                return False
            raise

    def list_units(self, patterns: Sequence[str]) -> list[UnitStatus]:
        """The loaded units whose names match one of the glob *patterns*."""
        arguments = marshal.encode_arguments("asas", (), tuple(patterns))
        rows = self._repeat(_MANAGER_PATH, _MANAGER, b"ListUnitsByPatterns", arguments)
        return [
            UnitStatus(name, description, load, active, sub, job if job_id else "")
            for name, description, load, active, sub, _following, _path, job_id, _type, job in rows or ()
        ]

    def attach(self, unit: str, subgroup: str, pids: Sequence[int]) -> None:
        """Move processes into the cgroup of a delegated unit, or into its *subgroup*, a path such as "/jobs"."""
        self._manager("AttachProcessesToUnit", "ssau", unit, subgroup, tuple(pids))
