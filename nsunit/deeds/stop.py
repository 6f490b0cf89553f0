"""Stop containers."""

from __future__ import annotations

import errno
import os

from nsunit.bus.protocol import NO_SUCH_PROCESS, NO_SUCH_UNIT
from nsunit.core.jobs import GRACE_SECONDS, Outcome, as_failed, forget_failed, forget_failure, unfinished
from nsunit.core.listeners import (
    forget_failed_listeners,
    is_listening,
    listeners_on_disk,
    who_listens,
)
from nsunit.core.running import SIGKILL, check_own, deaf_to, slice_of, unit_and_state, unit_of
from nsunit.deeds.kill_now import kill_now as kill_groups
from nsunit.deeds.kill_now import wake_parents
from nsunit.definition.search import find
from nsunit.errors import BusError, NsunitError
from nsunit.features import hooks, kinds_of, load
from nsunit.names import (
    check_name,
    is_slice_of,
    is_valid_name,
    printable,
    service_name,
    slice_path,
)
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT, unreaped
from nsunit.storage import files, tree
from nsunit.storage.lock import Lock, wait_until_left
from nsunit.storage.processes import unit_processes
from nsunit.units import DOWN, UP, is_idle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nsunit.bus.protocol import Job
    from nsunit.core.context import Context
    from nsunit.features.network.ends import Ends

_PROPERTIES = (
    *("LoadState", "ActiveState", "MainPID", "KillSignal", "KillMode", "FreezerState", "ExecStop", "Slice"),
    *("ControlGroup", "TimeoutStopUSec"),
)
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
    killed = kill_groups(context.cgroup, [name for name in names if is_valid_name(name)]) if kill_now else set()
    outcomes: dict[str, Outcome] = {}
    waiting: dict[Job, _Stop] = {}
    locks = []
    ends = _ends(context)

    def tell(name: str = "") -> None:
        if context.batch and len(set(names)) > 1:
            error = outcomes[name].error if name in outcomes else None
            context.batch(len(outcomes) + len(waiting), len(outcomes), len(set(names)), error)

    try:
        for name in sorted(set(names)):
            tell()
            if next(hooks(kinds_of(name), "deeds.stop"), None):
                continue  # after its containers
            try:
                lock = Lock(context.paths.locks, check_name(name))
                lock.__enter__()
                locks.append(lock)
                queued = _queue_stop(context, name, kill_now, ends)
                if ends:
                    ends.look()
                if queued is None:
                    outcomes[name] = Outcome(name, "stopped" if name in killed else "inactive")
                else:
                    waiting[queued[0]] = queued[1]
            except (NsunitError, OSError) as error:
                outcomes[name] = as_failed(name, error)
                tell(name)
        for outcome in _ended(context, waiting, ends):
            outcomes[outcome.name] = outcome
            tell(outcome.name)
    finally:
        if ends:
            ends.close()
        for lock in reversed(locks):
            lock.__exit__(None, None, None)
    for name in {*names} - outcomes.keys():
        outcomes[name] = _stop_kind(context, name)
        tell(name)
    return [outcomes[name] for name in dict.fromkeys(names)]


def _stop_kind(context: Context, name: str) -> Outcome:
    """Stop *name*, which is of a kind of its own: a pod."""
    try:
        stop_it: Callable[[Context, str], Outcome] = next(hooks(kinds_of(name), "deeds.stop"))
        return stop_it(context, name)
    except (NsunitError, OSError) as error:
        return as_failed(name, error)


def _ended(context: Context, waiting: dict[Job, _Stop], ends: Ends | None) -> Iterator[Outcome]:
    """What becomes of each of those that are *waiting* for systemd, in the order of their ends; none is left in it."""
    listening = _who_listens(context, [item.name for item in waiting.values()])
    while waiting:
        job, result = context.bus.wait_any(waiting, max(item.timeout for item in waiting.values()), ends)
        item = waiting.pop(job)
        try:
            yield _finish_stop(context, item, job, result, item.name in listening)
        except (NsunitError, OSError) as error:
            yield as_failed(item.name, error)


def stop_running(context: Context, names: Sequence[str]) -> list[Outcome]:
    """Stop those of *names* that run, are about to or listen."""
    loaded = [name for name in names if _is_loaded(context, name) or is_listening(context, name)]
    return stop(context, loaded) if loaded else []


def _who_listens(context: Context, names: list[str]) -> set[str]:
    """Those of *names* that may have sockets or proxies, which are all looked for at once: systemd lists all it has."""
    try:
        return who_listens(context, names) if names else set()
    except BusError:
        return set(names)  # each is asked about when it has ended


class _Stop(Record):
    """A container that is being stopped: its unit, main process and KillMode=, and the signal it has no handler for.

    It has *timeout* seconds.  With *attended*, the `run` that has it in its foreground takes back itself what it did.
    """

    name: str
    unit: str
    pid: int
    slice: str
    kill_mode: str
    deaf_to: int
    attended: bool
    timeout: float


def _ends(context: Context) -> Ends | None:
    """What detaches those that are connected when they have ended, if any is."""
    if not files.list_directory(context.paths.attached):
        return None
    found: Ends = load("network", "ends").Ends(context.paths)
    return found


def _queue_stop(context: Context, name: str, kill_now: bool, ends: Ends | None) -> tuple[Job, _Stop] | None:
    unit, state = unit_and_state(context, name, *_PROPERTIES)
    slice_ = str(state.get("Slice", ""))
    check_own(name, unit, state.get("LoadState"), slice_)
    if not is_slice_of(slice_, name):
        slice_ = slice_of(context, name)  # the payload has ended; exec sessions may still be there
    is_others = state.get("ActiveState") in DOWN and _has_members(context, slice_)  # the group's of that name
    slice_state = {} if is_others else context.bus.get(slice_, "ActiveState", "FreezerState")
    if slice_state.get("ActiveState") != "active" and state.get("ActiveState") in DOWN:
        if state.get("LoadState") == "not-found":
            find(name, context.search)  # an unknown name is an error, a stopped container is none
        forget_failed(context, unit)
        forget_failure(context, name)
        forget_failed_listeners(context, name)
        wait_for_run(context, name)
        _remove_runtime(context, name)
        _take_down(context, slice_)
        _let_read(context, name)
        return None
    # A frozen process cannot act on a signal, and systemd waits for it.
    if slice_state.get("FreezerState") in ("frozen", "freezing"):
        context.bus.thaw(slice_)
    elif state.get("FreezerState") in ("frozen", "freezing"):
        context.bus.thaw(unit)
    pid, deaf = state.get("MainPID"), 0 if _asks_others(state) else deaf_to(state)
    top = f"{CGROUP_ROOT}{context.cgroup}{slice_path(slice_)}"
    for scope in (entry for entry in files.list_directory(top) if entry.endswith(".scope")):
        wake_parents(f"{top}/{scope}")
    if ends:
        ends.add(name, state)
    # The slice rather than the service: exec sessions are scopes beside it.
    job = context.bus.stop(slice_ if slice_state.get("ActiveState") == "active" else unit)
    killed_by = 0
    if state.get("ActiveState") in (*UP, "activating", "deactivating"):
        if kill_now and context.bus.get(unit, "SubState").get("SubState") not in _AFTER_ALL:
            # All but one that was started again meanwhile are dead; for "all" systemd gives up at long names inside.
            _kill(context, unit, "main" if unit.endswith(".service") else "all")
        elif deaf and not kill_now:
            _kill(context, unit, "main")
            killed_by = deaf
    main = pid if isinstance(pid, int) else 0
    timeout = _stop_timeout(state.get("TimeoutStopUSec"))
    return job, _Stop(name, unit, main, slice_, str(state.get("KillMode")), killed_by, unit.endswith(".scope"), timeout)


def _has_members(context: Context, slice_: str) -> bool:
    """Whether other slices are in *slice_*, as in that of a group, and in none of a container."""
    entries = files.list_directory(f"{CGROUP_ROOT}{context.cgroup}{slice_path(slice_)}")
    return any(entry.endswith(".slice") for entry in entries)


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


def _stop_timeout(microseconds: object) -> float:
    seconds = microseconds / 1_000_000 if isinstance(microseconds, int) else 0.0
    return min(max(seconds, 10.0), 86400.0) + GRACE_SECONDS


def _finish_stop(context: Context, item: _Stop, job: Job, result: str, listening: bool) -> Outcome:
    name = item.name
    if result != "done":
        return Outcome(name, "failed", error=unfinished(name, "the stop", job.unit, result))
    forget_failed(context, service_name(name))
    forget_failure(context, name)
    if listening:
        forget_failed_listeners(context, name)
    if item.kill_mode == "process":
        _kill(context, item.unit, "all")  # the carrier of its output stays while anybody else has its pipe
    wait_for_run(context, name)
    if not item.attended:
        _remove_runtime(context, name)
    _take_down(context, item.slice)
    _let_read(context, name)
    # systemd has waited for a process that does not end, and given up.
    if item.pid and os.path.exists(f"/proc/{item.pid}") and (reason := unreaped(item.pid)):
        context.warn(f"{name}: {reason}")
    return Outcome(name, "stopped", deaf_to=item.deaf_to)


def wait_for_run(context: Context, name: str) -> None:
    """Let a foreground `run` of *name* take its network back before anything else is done with that name.

    One that does not get to it is not waited for without end.
    """
    wait_until_left(context.paths.runtime_of(name), GRACE_SECONDS)


def _remove_runtime(context: Context, name: str) -> None:
    """Remove what is left of a run of *name*, unless systemd starts it again, and say who has it do so."""
    unit = service_name(name)
    state = context.bus.get(unit, "LoadState", "ActiveState", "Job", "UpheldBy")
    upheld = state.get("UpheldBy")
    if is_idle(state):
        context.remove_tree(context.paths.runtime_of(name))
        context.remove_tree(context.paths.network_of(name))
    elif isinstance(upheld, (list, tuple)) and upheld:
        context.warn(f"{name}: systemd starts it again, since it is upheld by '{printable(' '.join(upheld))}'")


def _take_down(context: Context, slice_: str) -> None:
    """Remove the control groups of a container that has ended: systemd leaves those that no path reaches."""
    path = f"{CGROUP_ROOT}{context.cgroup}{slice_path(slice_)}"
    if not os.path.isdir(path):
        return
    if not is_idle(context.bus.get(slice_, "ActiveState", "Job")):
        return
    try:
        tree.remove_below(path)
        os.rmdir(path)
    except OSError as error:
        # Somebody is in it again, systemd was quicker, or others have made what is in there: 'doctor --check' tells.
        if error.errno not in (*files.GONE, errno.EBUSY, errno.ENOTEMPTY, errno.EACCES, errno.EPERM):
            raise


def _let_read(context: Context, name: str) -> None:
    """Have systemd start *name* from its unit files the next time, though it has run from none."""
    if context.paths.is_enabled(name):
        from nsunit.core.install import let_read  # for enabled ones

        units = (service_name(name), *listeners_on_disk(context, name))
        let_read(context, (name,), units, required=False)  # the next start says what is in the way


def _is_loaded(context: Context, name: str) -> bool:
    return context.bus.get(unit_of(context, name), "LoadState").get("LoadState") != "not-found"
