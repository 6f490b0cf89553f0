"""Start containers: several at once where several are named."""

from __future__ import annotations

import os

from nsunit.bus import protocol
from nsunit.core.context import take_back
from nsunit.core.jobs import (
    GRACE_SECONDS,
    Outcome,
    as_failed,
    begin_to_stop,
    explain_failure,
    forget_failed,
    forget_failure,
    remember_failure,
    start_timeout,
    start_transient,
    stop_what_is_left,
)
from nsunit.core.prepare import Prepared, is_needed, may_be_limited_above, prepare
from nsunit.core.running import not_own, unit_of
from nsunit.definition.load import load
from nsunit.definition.search import is_defined
from nsunit.errors import BusError, NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import former_units, service_name, slice_path
from nsunit.plan.ceilings import may_have_no_effect
from nsunit.plan.units import has_exec_condition, needed_containers, pulled_in
from nsunit.setup import CGROUP_ROOT
from nsunit.storage import files
from nsunit.storage.lock import Lock, wait_until_left
from nsunit.units import UP, is_idle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from nsunit.bus.protocol import Job
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition

_ATTEMPTS = 4
CLD_EXITED = 1  # of waitid(2)


class Starter:
    """Starts containers that are prepared one after the other and brought up by systemd at the same time."""

    def __init__(self, context: Context, on_event: Callable[[str, str], object] | None = None) -> None:
        self.context = context
        self.on_event = on_event
        self.locks: list[Lock] = []
        self.waiting: dict[Job, Prepared] = {}
        self.timeout = 0.0  # seconds, the longest of all that was queued
        self.queued: list[Definition] = []
        self.outcomes: dict[str, Outcome] = {}
        self.total = 0

    def tell(self, error: NsunitError | None = None) -> None:
        """Tell who looks on how far it is."""
        if self.context.batch and self.total > 1:
            done = len(self.outcomes)
            self.context.batch(done + len(self.waiting), done, self.total, error)

    def lock(self, name: str) -> None:
        """Take the lock of container *name*, until `close`."""
        lock = Lock(self.context.paths.locks, name)
        lock.__enter__()
        self.locks.append(lock)

    def submit(self, definition: Definition, *, transient: bool = False) -> None:
        """Prepare and queue one container, which is locked; its outcome is there at once if it needs no start."""
        known = settle(self.context, definition)
        self.context.mark("settled")
        if known is not None:
            self.note(known)
            return
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._queue(definition, transient)
                warn_of_moot_limits(self.context, definition)  # systemd is at work meanwhile
                return
            except BusError as error:
                if error.name == protocol.NO_SUCH_UNIT:  # one that it requires
                    raise self._without_required(definition, error) from error
                if error.name == protocol.NO_SPACE:
                    raise self._without_room(definition) from error
                if error.name == protocol.TRANSACTION_IS_DESTRUCTIVE and left and self._finish_required(definition):
                    continue  # it has just failed, and systemd was stopping its slice
                # systemd re-executed itself, the group went, or a session has just made or left the slice; what there
                # was of this start is taken back by now.
                if error.name not in (protocol.DISCONNECTED, protocol.GROUP_LOST, protocol.UNIT_EXISTS) or not left:
                    raise

    def _without_required(self, definition: Definition, error: BusError) -> NsunitError:
        """Why *definition* was not started for *error*: systemd has no unit of one that it requires."""
        name = definition.name
        if f" {service_name(name)} " in error.message and not self.context.paths.is_enabled(name):
            return self._without_room(definition)  # systemd has made it, could not write it, and forgot it
        other = next((other for other in pulled_in(definition) if f" {service_name(other)} " in error.message), "")
        if other in self.outcomes or other in (item.definition.name for item in self.waiting.values()):
            why = f"{name}: it requires '{other}', which has ended already"
            return self._for_another(definition) or NsunitError(why, hint="Wants= does without")
        if other and is_defined(other, self.context.search):
            hint = "require each other no more than one way round; Wants= does without"
            return NsunitError(f"{name}: it requires '{other}', which is to be started after it", hint=hint)
        return NsunitError(f"{name}: {error.message}", hint=f"'nsunit verify {name}' says what asks for it")

    def _for_another(self, definition: Definition) -> NsunitError | None:
        """That *definition* was not started since one that it requires was not, if that is known here."""
        for other in pulled_in(definition):
            if other in self.outcomes and self.outcomes[other].error:
                what = f"{definition.name}: it requires '{other}', which did not start"
                return NsunitError(what, hint="Wants= does without")
        return None

    def _without_room(self, definition: Definition) -> NsunitError:
        """Why *definition* was not started where systemd could not write down its transient units."""
        directory = self.context.transient.rstrip("/")
        return NsunitError(
            f"{definition.name}: systemd could not write its unit into {directory}",
            hint=f"it is full: see 'df {directory}' and 'df -i {directory}'",
        )

    def _queue(self, definition: Definition, transient: bool) -> None:
        enabled = self.context.paths.is_enabled(definition.name)
        if enabled:
            from nsunit.core.boot import refresh  # loads Jinja2

            prepared = refresh(self.context, definition)
        else:
            prepared = prepare(self.context, definition, transient=transient)
        if _leaves_mark(prepared):
            files.write_file(self.context.paths.unstarted_of(definition.name), b"")
        try:
            unit = prepared.units.entry.name
            job = self.context.bus.start(unit) if enabled else _start_new(self.context, prepared)
        except BaseException as error:
            # Interrupted, or without an answer: systemd may have queued it all the same.
            if isinstance(error, BusError) and error.name == protocol.UNIT_EXISTS:
                take_back(prepared.undo)
            else:
                self.clear(prepared)
            raise
        self.waiting[job] = prepared
        self.queued.append(definition)
        self.timeout = max(self.timeout, start_timeout(prepared.units.service))
        self.tell()

    def finish_ended(self) -> None:
        """Note those that have come up or failed, but for what is there for others alone: they may come later."""
        for job in self.context.bus.ended(self.waiting) if self.waiting else ():
            if all(item.name != "StopWhenUnneeded" for item in self.waiting[job].definition.properties_of("Unit")):
                self._finish_one([job])

    def finish(self) -> None:
        """Wait for all that was queued."""
        used = {name for item in self.queued for name in item.container.features}
        for warn in hooks(used, "foreign.warn"):  # systemd is at work meanwhile
            warn(self.context, self.queued)
        while self.waiting:
            self._finish_one(self.waiting)

    def _finish_required(self, definition: Definition) -> bool:
        """Wait for what *definition* requires, as far as it was queued here; whether there was any."""
        found = [job for job, item in self.waiting.items() if item.definition.name in pulled_in(definition)]
        for job in found:
            self._finish_one([job])
        return bool(found)

    def _finish_one(self, jobs: Collection[Job]) -> None:
        """Wait for one of *jobs*."""
        job, result = self.context.bus.wait_any(jobs, self.timeout)
        prepared = self.waiting.pop(job)
        try:
            self._ended(job, prepared, result)
        except (NsunitError, OSError) as error:  # the others go on all the same
            why = as_failed(prepared.definition.name, error)
            if why.name in self.outcomes:
                self.context.warn(f"{why.error}; not all of it could be taken back")
            else:
                self.note(why)

    def _ended(self, job: Job, prepared: Prepared, result: str) -> None:
        """Note what became of *job*, and take back what was reserved for one that has failed."""
        name = prepared.definition.name
        result = self._why_not(prepared) or result if result == "done" else result
        if result == "done":
            self.note(Outcome(name, "listening" if prepared.units.waits else "started"))
        elif result == "failed" and self._was_too_quick(prepared):
            forget_failed(self.context, job.unit)
            self.note(Outcome(name, "started"))
        else:
            error = self._for_another(prepared.definition) if result in ("dependency", "canceled") else None
            error = error or explain_failure(self.context.bus, name, job.unit, result, prepared.units.slice.name)
            self.note(Outcome(name, "failed", error=error))
            self.clear(prepared)

    def _was_too_quick(self, prepared: Prepared) -> bool:
        """Whether the program ran to a good end before systemd heard that it runs, which it calls a protocol error.

        The helper can say so only when execve(2) has succeeded, and a small program may be over by then.
        """
        container = prepared.definition.container
        if container.notify or container.waits_for_health or prepared.units.waits:
            return False
        state = self.context.bus.get(prepared.units.service.name, "Result", "ExecMainCode")
        return state == {"Result": "protocol", "ExecMainCode": CLD_EXITED}

    def _why_not(self, prepared: Prepared) -> str:
        """What has kept a container from starting where systemd calls the job done: a key of `JOBS`, or empty."""
        definition = prepared.definition
        said = {item.name: item.value for item in definition.properties_of("Unit")}
        if "Conditions" in said and self._was_skipped(prepared):
            return "skipped"
        if self._remove_mark(prepared):
            return "exec-condition"
        if said.get("StopWhenUnneeded") and not is_needed(self.context, prepared.units.entry.name):
            return "unneeded"
        return ""

    def _remove_mark(self, prepared: Prepared) -> bool:
        """Whether the file that ExecCondition= keeps is still there; it is not afterwards."""
        return _leaves_mark(prepared) and files.discard(self.context.paths.unstarted_of(prepared.definition.name))

    def _was_skipped(self, prepared: Prepared) -> bool:
        """Whether a condition was not met."""
        definition = prepared.definition
        state = self.context.bus.get(prepared.units.entry.name, "ConditionResult", "ConditionTimestampMonotonic")
        if state.get("ConditionTimestampMonotonic"):
            return not state.get("ConditionResult")
        # It is unloaded by now; one that has run took its directory along.
        return os.path.isdir(self.context.paths.runtime_of(definition.name))

    def note(self, outcome: Outcome) -> None:
        """Record an outcome and tell whoever listens."""
        self.outcomes[outcome.name] = outcome
        self.tell(outcome.error)
        if outcome.error:
            remember_failure(self.context, outcome.name, outcome.error)
        else:
            forget_failure(self.context, outcome.name)
        if self.on_event:
            self.on_event(outcome.name, outcome.state)

    def clear(self, prepared: Prepared) -> None:
        """Let go of the unit of a failed start, and of what was reserved for it."""
        self._remove_mark(prepared)
        for give_up in hooks(prepared.definition.container.features, "deeds.give_up"):
            give_up(self.context, prepared.definition, prepared.units)
            take_back(prepared.undo)
            return
        unit = service_name(prepared.definition.name)
        state = self.context.bus.get(unit, "ActiveState", "Job")
        if not is_idle(state):
            stop_what_is_left(self.context, unit)  # e.g. Restart= was about to try again
        forget_failed(self.context, unit)
        self._let_go(prepared.units.slice.name)
        take_back(prepared.undo)

    def _let_go(self, slice_: str) -> None:
        """Stop a slice in which nothing has begun to run: it is none that systemd sees become unneeded."""
        events = files.read_kernel_file(f"{CGROUP_ROOT}{self.context.cgroup}{slice_path(slice_)}/cgroup.events")
        if "populated 1" in (events or "") or is_idle(self.context.bus.get(slice_, "ActiveState", "Job")):
            return  # sessions may still be in it
        stop_what_is_left(self.context, slice_)

    def abandon(self) -> None:
        """Take back what is still under way, after an interrupt or an error; all of it, even if some cannot be.

        systemd stops all of it at the same time: one after the other, each may take its TimeoutStopSec=.
        """
        for job in self.waiting:
            begin_to_stop(self.context, job.unit)
        take_back([lambda job=job, item=item: self._abandon(job, item) for job, item in self.waiting.items()])  # type: ignore[misc]

    def _abandon(self, job: Job, prepared: Prepared) -> None:
        stop_what_is_left(self.context, job.unit)
        self.clear(prepared)

    def close(self) -> None:
        """Release the locks."""
        self.context.moving.end()
        for lock in reversed(self.locks):
            lock.__exit__(None, None, None)


def start(
    context: Context, names: Sequence[str], on_event: Callable[[str, str], object] | None = None
) -> list[Outcome]:
    """Start the containers and pods *names*, each from its definition.  Returns one outcome a name, in the order given.

    Containers that their [Unit] requires are started as well; of those an outcome comes after the others, and only
    where they fail.  One that fails does not keep the others from starting.  *on_event* hears each name with its state
    as it is known.
    """
    context.mark("called")
    starter = Starter(context, on_event)
    starter.total = len(set(names))
    try:
        starter.tell()
        later = []
        # Sorted, so that two commands that start the same containers never wait for each other; pods come first.
        for name, definition in sorted(_with_required(starter, names).items(), key=_order):
            try:
                if definition is None:
                    for start_kind in hooks(kinds_of(name), "deeds.start"):
                        starter.note(start_kind(context, name))
                    continue
                if starter.total > 1:
                    context.mark("reached")
                starter.lock(name)
                if pulled_in(definition) or needed_containers(definition.container):
                    later.append(definition)
                else:
                    starter.submit(definition)
            except (NsunitError, OSError) as error:
                starter.note(as_failed(name, error))
            if starter.total > 1:
                starter.finish_ended()
        if later:
            _submit_joining(starter, later)
        starter.finish()
    except BaseException:
        starter.abandon()
        raise
    finally:
        starter.close()
    asked_for = dict.fromkeys(names)
    failed = [item for name, item in starter.outcomes.items() if name not in asked_for and item.error]
    return [*(starter.outcomes[name] for name in asked_for), *failed]


def _order(item: tuple[str, Definition | None]) -> tuple[bool, str]:
    name, definition = item
    return definition is not None, name


def _with_required(starter: Starter, names: Sequence[str]) -> dict[str, Definition | None]:
    """The definitions of *names* and of what these require, before the lock of any is taken; None for another kind.

    What cannot be loaded is noted.
    """
    context = starter.context
    found: dict[str, Definition | None] = {}
    waiting = sorted(set(names))
    for name in waiting:  # it grows meanwhile
        if next(hooks(kinds_of(name), "deeds.start"), None):
            found[name] = None
            continue
        try:
            context.mark("reached")
            definition = found[name] = load(name, context.search, context.host)
            context.mark("loaded")
            asked = pulled_in(definition)
            waiting += [other for other in asked if other not in waiting and is_defined(other, context.search)]
        except (NsunitError, OSError) as error:
            starter.note(as_failed(name, error))
    return found


def _submit_joining(starter: Starter, definitions: list[Definition]) -> None:
    """Start containers that need others, and are locked, each after those of *definitions* that it needs."""
    waiting = {definition.name: definition for definition in definitions}
    while waiting:
        needed = {name: {*needed_containers(item.container), *pulled_in(item)} for name, item in waiting.items()}
        ready = [name for name in waiting if not waiting.keys() & needed[name]]
        for name in ready or list(waiting):  # in a circle, each fails for the one that does not run
            definition = waiting.pop(name)
            starter.context.mark("reached")
            try:
                starter.submit(definition)
            except (NsunitError, OSError) as error:
                starter.note(as_failed(name, error))


def warn_of_moot_limits(context: Context, definition: Definition) -> None:
    """Warn of limits of *definition* that a slice above the container, or the machine, does not let it have."""
    if not may_have_no_effect(definition) and not may_be_limited_above(context, definition):
        return
    from nsunit.deeds.look.why import moot_limits  # takes a while, so it is not done for nothing

    for note in moot_limits(context, definition, starting=True):
        context.warn(f"warning: {definition.name}: {note}")


def settle(context: Context, definition: Definition) -> Outcome | None:
    """What a start of *definition* comes to where its unit is loaded already; None if it is to be started.

    Raises:
        NsunitError: the unit is somebody else's.
    """
    name = definition.name
    unit = service_name(name)
    for settle_feature in hooks(definition.container.features, "deeds.settle"):
        known: Outcome | None = settle_feature(context, definition)
        if known is not None:
            return known
    runtime = context.paths.runtime_of(name)
    if os.path.lexists(runtime):
        unit = unit_of(context, name)  # perhaps it runs in the foreground
        if not unit.endswith(".scope"):
            wait_until_left(runtime, GRACE_SECONDS)  # or has done so, and its network is just taken back
    state = context.bus.get(unit, "LoadState", "ActiveState", "FragmentPath")
    if state.get("LoadState") == "not-found":
        return None
    fragment = str(state.get("FragmentPath", ""))
    files_of = [f"{context.search.units}/{unit}" for unit in (service_name(name), *former_units(name))]
    own = context.paths.is_enabled(name) and fragment in files_of
    if fragment and not fragment.startswith(context.transient) and not own:
        raise not_own(context, name, unit, fragment)
    active = state.get("ActiveState")
    if active in (*UP, "activating"):
        from nsunit.core.stored import differences_from_running  # it is to be started, as a rule

        differences = differences_from_running(context, definition)
        repaired = [repair(context, name) for repair in hooks(definition.container.features, "deeds.repair")]
        return Outcome(name, "differs" if differences else "mended" if any(repaired) else "running", differences)
    if active == "deactivating":
        stop_what_is_left(context, unit)
    forget_failed(context, unit)
    return None


def _leaves_mark(prepared: Prepared) -> bool:
    """Whether a file tells that ExecCondition= has kept the container from starting, which systemd forgets at once."""
    return has_exec_condition(prepared.definition) and not prepared.units.waits


def _start_new(context: Context, prepared: Prepared) -> Job:
    definition = prepared.definition
    for start_member in hooks(definition.container.features, "deeds.start_member"):
        job: Job = start_member(context, definition, lambda groups: start_transient(context, prepared, groups))
        return job
    return start_transient(context, prepared)
