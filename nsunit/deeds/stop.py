"""Stop, restart and remove containers."""

from __future__ import annotations

from nsunit.bus.protocol import NO_SUCH_PROCESS, NO_SUCH_UNIT
from nsunit.core.dropin import forget_drop_ins
from nsunit.core.jobs import GRACE_SECONDS, Outcome, forget_failed, forget_failure, unfinished
from nsunit.core.listeners import forget_failed_listeners, is_listening
from nsunit.core.running import CGROUP_ROOT, catches, check_own, is_running, slice_of, unit_of
from nsunit.deeds.kill_now import kill_now as kill_groups
from nsunit.deeds.mounted import unmount
from nsunit.deeds.start import start
from nsunit.definition.load import load_any
from nsunit.definition.search import find, list_names, list_pods, main_file
from nsunit.dropins.definitions import remove_own
from nsunit.errors import BusError, NotFoundError, NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import (
    check_name,
    container_of_unit,
    is_slice_of,
    is_valid_name,
    printable,
    service_name,
    split_instance,
)
from nsunit.record import Record
from nsunit.storage.lock import Lock
from nsunit.storage.processes import unit_processes
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nsunit.bus.protocol import Job
    from nsunit.core.context import Context

SIGKILL = 9
_AFTER_ALL = ("stop-post", "final-watchdog", "final-sigterm", "final-sigkill")  # what takes back what was made for it


def stop(context: Context, names: Sequence[str], *, kill_now: bool = False) -> list[Outcome]:
    """Stop the containers *names*, with their exec sessions, and then the pods among them.

    Returns one outcome a name, in the order given.

    A payload that has no handler for its stop signal would ignore it, being process 1 of its PID namespace, and
    systemd would wait for TimeoutStopSec=; it is killed at once instead, as all are with *kill_now*, and its outcome
    says so.  Not so where ExecStop= has a way of its own to ask it, or others in the unit are asked as well: they would
    end with it.

    What is to be killed at once is, before anybody is waited for: a stop that only asks has the lock for as long as
    the program takes, and may have more time from systemd by EXTEND_TIMEOUT_USEC=, sd_notify(3).
    """
    if kill_now:
        kill_groups(context.cgroup, [name for name in names if is_valid_name(name)])
    outcomes: dict[str, Outcome] = {}
    waiting: dict[Job, _Stop] = {}
    locks = []
    try:
        for name in sorted(set(names)):
            if next(hooks(kinds_of(name), "deeds.stop"), None):
                continue  # after its containers
            try:
                lock = Lock(context.paths.locks, check_name(name))
                lock.__enter__()
                locks.append(lock)
                queued = _queue_stop(context, name, kill_now)
                if queued is None:
                    outcomes[name] = Outcome(name, "inactive")
                else:
                    waiting[queued[0]] = queued[1]
            except NsunitError as error:
                outcomes[name] = Outcome(name, "failed", error=error)
        while waiting:
            timeout = _stop_timeout(context, [item.name for item in waiting.values()])
            job, result = context.bus.wait_any(waiting, timeout)
            item = waiting.pop(job)
            outcomes[item.name] = _finish_stop(context, item, job, result)
    finally:
        for lock in reversed(locks):
            lock.__exit__(None, None, None)
    for name in {*names} - outcomes.keys():
        for stop_kind in hooks(kinds_of(name), "deeds.stop"):
            try:
                outcomes[name] = stop_kind(context, name)
            except NsunitError as error:
                outcomes[name] = Outcome(name, "failed", error=error)
    return [outcomes[name] for name in dict.fromkeys(names)]


def restart(
    context: Context, names: Sequence[str], on_event: Callable[[str, str], object] | None = None
) -> list[Outcome]:
    """Stop what runs of *names*, then start them all from their definitions as they are now.

    What is bound to one of them, since it shares something with it, would end with it; so it is restarted, too, as
    `systemctl restart` does.  A definition that cannot be used is found before its container is stopped.
    """
    names = (*names, *_bound_to(context, names))
    failed = {name: outcome for name in names if (outcome := _unusable(context, name))}
    usable = [name for name in names if name not in failed]
    stopped = _stop_running(context, usable)
    failed |= {outcome.name: outcome for outcome in stopped if outcome.error}
    usable = [name for name in usable if name not in failed]
    started = {outcome.name: outcome for outcome in start(context, usable, on_event)}
    return [failed.get(name) or started[name].after(stopped) for name in dict.fromkeys(names)]


def remove(context: Context, names: Sequence[str], *, force: bool = False, definition: bool = False) -> list[Outcome]:
    """Remove the kept state of the stopped containers *names*: upper layer, id range, what a killed start left.

    With *force* those that run are stopped first; with *definition* that and its drop-ins go as well.
    """
    stopped = _stop_running(context, names) if force else []
    failed = {outcome.name: outcome for outcome in stopped if outcome.error}
    ended = [outcome.name for outcome in stopped]
    outcomes = {
        name: _remove_one(context, name, ran=name in ended, definition=definition)
        for name in names
        if name not in failed
    }
    return [failed.get(name) or outcomes[name].after(stopped) for name in dict.fromkeys(names)]


def _unusable(context: Context, name: str) -> Outcome | None:
    try:
        load_any(name, context.search, context.host)
    except NsunitError as error:
        return Outcome(name, "failed", error=error)
    return None


def _bound_to(context: Context, names: Sequence[str]) -> list[str]:
    """The running containers that end with one of *names*, apart from those: each before what is bound to it."""
    found: list[str] = []
    waiting = list(names)
    while waiting:
        units = context.bus.get(service_name(waiting.pop(0)), "BoundBy").get("BoundBy")
        for unit in sorted(units) if isinstance(units, (list, tuple)) else ():
            name = container_of_unit(unit) if unit.endswith(".service") else None
            if name and name not in (*names, *found) and is_running(context, name):
                found.append(name)
                waiting.append(name)
    return found


def _stop_running(context: Context, names: Sequence[str]) -> list[Outcome]:
    loaded = [name for name in names if _is_loaded(context, name) or is_listening(context, name)]
    return stop(context, loaded) if loaded else []


class _Stop(Record):
    """A container that is being stopped: its unit and the unit's KillMode=, and the signal that it has no handler for.

    With *attended*, the `run` in whose foreground it is takes back itself what it did for it.
    """

    name: str
    unit: str
    kill_mode: str
    deaf_to: int
    attended: bool


def _queue_stop(context: Context, name: str, kill_now: bool) -> tuple[Job, _Stop] | None:
    unit = unit_of(context, name)
    state = context.bus.get(
        *(unit, "LoadState", "ActiveState", "MainPID", "KillSignal", "KillMode", "FreezerState", "ExecStop", "Slice"),
        "ControlGroup",
    )
    slice_ = str(state.get("Slice", ""))
    check_own(name, unit, state.get("LoadState"), slice_)
    if not is_slice_of(slice_, name):
        slice_ = slice_of(context, name)  # the payload has ended; exec sessions may still be there
    slice_state = context.bus.get(slice_, "ActiveState", "FreezerState")
    if slice_state.get("ActiveState") != "active" and state.get("ActiveState") in (None, "inactive", "failed"):
        if state.get("LoadState") == "not-found":
            find(name, context.search)  # an unknown name is an error, a stopped container is none
        forget_failed(context, unit)
        forget_failure(context, name)
        forget_failed_listeners(context, name)
        _remove_runtime(context, name)
        _let_read(context, name)
        return None
    # A frozen process cannot act on a signal, and systemd waits for it.
    if slice_state.get("FreezerState") in ("frozen", "freezing"):
        context.bus.thaw(slice_)
    elif state.get("FreezerState") in ("frozen", "freezing"):
        context.bus.thaw(unit)
    pid, stop_signal = state.get("MainPID"), state.get("KillSignal")
    deaf = isinstance(pid, int) and pid > 0 and isinstance(stop_signal, int) and not catches(pid, stop_signal)
    deaf = deaf and not state.get("ExecStop") and not _asks_others(state)
    # The slice rather than the service: exec sessions are scopes beside it.
    job = context.bus.stop(slice_ if slice_state.get("ActiveState") == "active" else unit)
    deaf_to = 0
    if state.get("ActiveState") in (*UP, "activating", "deactivating"):
        if kill_now and context.bus.get(unit, "SubState").get("SubState") not in _AFTER_ALL:
            # All but one that was started again meanwhile are dead; for "all" systemd gives up at long names inside.
            _kill(context, unit, "main" if unit.endswith(".service") else "all")
        elif deaf and not kill_now and isinstance(stop_signal, int):
            _kill(context, unit, "main")
            deaf_to = stop_signal
    return job, _Stop(name, unit, str(state.get("KillMode")), deaf_to, unit.endswith(".scope"))


def _asks_others(state: Mapping[str, object]) -> bool:
    """Whether systemd sends the stop signal to other processes of a unit than the main one as well."""
    if state.get("KillMode") != "control-group":
        return False
    processes = unit_processes(CGROUP_ROOT, str(state.get("ControlGroup", "")))
    return any(process.pid != state.get("MainPID") for process in processes)


def _kill(context: Context, unit: str, whom: str) -> None:
    try:
        context.bus.kill(unit, whom, SIGKILL)
    except BusError as error:
        if error.name not in (NO_SUCH_UNIT, NO_SUCH_PROCESS):  # it was quicker than this
            raise


def _stop_timeout(context: Context, names: Iterable[str]) -> float:
    longest = 10.0
    for name in names:
        value = context.bus.get(unit_of(context, name), "TimeoutStopUSec").get("TimeoutStopUSec")
        longest = max(longest, value / 1_000_000 if isinstance(value, int) else 0.0)
    return min(longest, 86400.0) + GRACE_SECONDS


def _finish_stop(context: Context, item: _Stop, job: Job, result: str) -> Outcome:
    name = item.name
    if result != "done":
        return Outcome(name, "failed", error=unfinished(name, "the stop", job.unit, result))
    forget_failed(context, unit_of(context, name))
    forget_failure(context, name)
    forget_failed_listeners(context, name)
    if item.kill_mode == "process":
        _kill(context, item.unit, "all")  # the carrier of its output stays while anybody else has its pipe
    if not item.attended:
        _remove_runtime(context, name)
    _let_read(context, name)
    return Outcome(name, "stopped", deaf_to=item.deaf_to)


def _remove_runtime(context: Context, name: str) -> None:
    """Remove what is left of a run of *name*, unless systemd starts it again, and say who has it do so."""
    unit = service_name(name)
    state = context.bus.get(unit, "LoadState", "ActiveState", "Job", "UpheldBy")
    job, upheld = state.get("Job"), state.get("UpheldBy")
    if state.get("ActiveState") in (None, "inactive", "failed") and not (isinstance(job, tuple) and job[0]):
        context.remove_tree(context.paths.runtime_of(name))
        context.remove_tree(context.paths.network_of(name))
    elif isinstance(upheld, (list, tuple)) and upheld:
        context.warn(f"{name}: systemd starts it again, since it is upheld by '{printable(' '.join(upheld))}'")


def _let_read(context: Context, name: str) -> None:
    """Have systemd start *name* from its unit files the next time, though it has run from none."""
    if context.paths.is_enabled(name):
        from nsunit.core.install import let_read, listeners_on_disk  # for enabled ones

        units = (service_name(name), *listeners_on_disk(context, name))
        let_read(context, (name,), units, required=False)  # the next start says what is in the way


def _remove_one(context: Context, name: str, *, ran: bool, definition: bool) -> Outcome:
    try:
        with Lock(context.paths.locks, check_name(name)):
            unit = unit_of(context, name)
            state = context.bus.get(unit, "LoadState", "ActiveState")
            if state.get("ActiveState") not in (None, "inactive", "failed") or is_listening(context, name):
                raise NsunitError(f"{name}: it is running", hint=f"stop it first with 'nsunit stop {name}'")
            if context.paths.is_enabled(name):
                raise NsunitError(f"{name}: it is enabled", hint=f"'nsunit disable {name}' first")
            if state.get("LoadState") != "not-found":
                forget_failed(context, unit)
            forget_failure(context, name)
            paths = context.paths
            unmount(context, name)
            kept = (paths.state_of(name), paths.runtime_of(name), paths.network_of(name))
            removed = [ran, *(context.remove_tree(path) for path in kept)]  # one of `run` is gone once it has ended
            if forget_drop_ins(context, name):  # else a later container of the name would inherit them
                context.bus.reload()
                removed.append(True)
            if definition:
                removed.append(bool(_remove_definition(context, name)))
            if not any(removed) and name not in (*list_names(context.search), *list_pods(context.search)):
                raise NotFoundError(f"{name}: there is no such container", hint="see 'nsunit list --all'")
            return Outcome(name, "removed" if any(removed) else "absent")
    except NsunitError as error:
        return Outcome(name, "failed", error=error)


def _remove_definition(context: Context, name: str) -> list[str]:
    found = remove_own(name, context.search)
    if left := main_file(name, context.search):
        is_template = split_instance(name)[1] and not left.endswith(f"/{name}.nsunit")
        why = (
            "it is a template's"
            if is_template
            else f"link {context.search.directories[0]}/{name}.nsunit to /dev/null to mask it"
        )
        context.warn(f"warning: {name}: its definition '{left}' stays: {why}")
    return found


def _is_loaded(context: Context, name: str) -> bool:
    return context.bus.get(unit_of(context, name), "LoadState").get("LoadState") != "not-found"
