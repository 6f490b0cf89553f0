"""`run`: a container that has no file, made for one command."""

from __future__ import annotations

import os

from nsunit.bus.protocol import NO_SUCH_PROCESS, NO_SUCH_UNIT
from nsunit.core.context import take_back
from nsunit.core.jobs import hint_for_step, stop_what_is_left
from nsunit.core.prepare import obtain, prepare
from nsunit.core.running import catches, slice_of, unit_of
from nsunit.deeds.session.foreground import (
    leave_caller,
    protect_host,
    run_attached,
    start_scope,
    wait_for_scope,
)
from nsunit.deeds.session.terminal import Held, hold_signals
from nsunit.deeds.session.time_limit import TimeLimit
from nsunit.deeds.start import Starter, settle, warn_of_moot_limits
from nsunit.definition.load import load_properties, serialize
from nsunit.errors import COMMAND_LINE, PROPERTY, BusError, NsunitError, SessionError, UsageError
from nsunit.features import hooks, load
from nsunit.names import RUN_PREFIX, check_name, is_group, is_pod, printable
from nsunit.plan.foreground import run_scope
from nsunit.plan.units import relation
from nsunit.setup import CGROUP_ROOT, spawn
from nsunit.setup.build import Build
from nsunit.setup.main import attach_network, detach_network, enter_and_prepare, enter_own_users, read_plan
from nsunit.setup.root import leave_workspace
from nsunit.storage import files
from nsunit.storage.lock import Lock, hold, wait_until_left
from nsunit.units import DOWN, Property

SIGKILL = 9
_SIGNALLED = 128  # and the signal's number

# With one of these it need not be said what to run.
_HAVE_A_COMMAND = frozenset(("Exec", "Image", "Entrypoint", "Boot"))

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.bus.protocol import Job
    from nsunit.core.context import Context
    from nsunit.core.prepare import Prepared
    from nsunit.definition.model import Container, Definition
    from nsunit.setup.operation import Operation
    from nsunit.units import Unit


def run(
    context: Context,
    properties: Sequence[tuple[str, str, str]],
    argv: Sequence[str],
    *,
    name: str,
    detach: bool = False,
    tty: bool = False,
    interactive: bool = False,
    keep: bool = False,
) -> int:
    """Run container *name*, which has no file: *properties* are `(section, key, value)`, *argv* is its Exec=.

    In the foreground the payload runs in a scope with this process's streams and ends with it; with *detach* it is a
    service.  Unless *keep* is given, nothing of it is left once it has ended.
    """
    if is_group(name) or is_pod(name):
        what = "group" if is_group(name) else "pod"
        raise UsageError(f"'{printable(name)}' is the name of a {what}", hint="give --name another name")
    if context.paths.is_enabled(check_name(name)):
        raise NsunitError(f"{name}: an enabled container has that name", hint="give --name another name")
    assignments = [(section, key, value, PROPERTY) for section, key, value in properties]
    said = {key for _, key, _, _ in assignments}
    if not keep and not said & {"Volatile", "ReadOnly"}:
        assignments.append(("Container", "Volatile", "yes", "nsunit run"))
    if not argv and not detach and _HAVE_A_COMMAND.isdisjoint(said):
        assignments.append(("Container", "Exec", "/bin/sh", "nsunit run"))
    if argv:
        assignments.append(("Container", "Exec", _quoted(argv), COMMAND_LINE))
    definition = load_properties(name, assignments, context.host)
    if argv:
        # As it was typed: a shell script may well have lines, which the text of a definition may not.
        definition = definition.replace(container=definition.container.replace(exec=tuple(argv)))
    if detach:
        return _run_detached(context, definition, keep)
    obtain(context, definition)
    for change in hooks(definition.container.features, "deeds.foreground"):
        definition = change(context, definition)
    scope = run_scope(definition, os.urandom(4).hex())  # refuses what only a service can have
    if not context.user and _may_have_hosts_root(definition.container):
        protect_host(name)  # while there is nothing of the container: this process may begin anew
    sweep(context)
    with Lock(context.paths.locks, name) as lock:
        if settle(context, definition) is not None:
            raise NsunitError(f"{name}: it is already running", hint="give --name another name")
        warn_of_moot_limits(context, definition)
        prepared = prepare(context, definition, transient=not keep)
        if keep:
            _keep_definition(context, prepared.definition)
        held = hold(context.paths.runtime_of(name))
        try:
            return _run_attached(context, prepared, scope, lock, tty=tty, interactive=interactive)
        except SessionError as error:
            if error.exit_status == spawn.EXIT_SETUP:  # else it is the command, which need not come from Exec=
                error.hint = hint_for_step(error.message)
            raise
        finally:
            with Held():  # a second signal would leave the rest behind
                os.close(held)
                _forget_run(context, prepared, lock, keep=keep)


def _keep_definition(context: Context, definition: Definition) -> None:
    """Keep what it is with what it writes, for who looks at that later."""
    files.write_file(context.paths.kept_definition_of(definition.name), serialize(definition).encode())


def _may_have_hosts_root(container: Container) -> bool:
    """Whether the host's root may be among the ids of *container*: what is joined is known later."""
    users = container.private_users
    return not (users.mode == "yes" or (users.mode == "range" and users.start))


def _forget_run(context: Context, prepared: Prepared, lock: Lock, *, keep: bool) -> None:
    """Remove what only the foreground container needed, unless another start of its name was quicker."""
    if lock.fd < 0:
        lock.__enter__()  # the caller releases it
    if _forget(context, prepared.definition.name, prepared.units.slice.name) and not keep:
        take_back(prepared.undo)


def sweep(context: Context) -> None:
    """Remove what foreground containers without a name of their own left behind when they were killed."""
    for name in files.list_directory(context.paths.runtimes):
        if not name.startswith(RUN_PREFIX):
            continue
        try:
            with Lock(context.paths.locks, name, timeout=0):
                if wait_until_left(context.paths.runtime_of(name), 0):  # else it is just taking back itself what it did
                    _forget(context, name, slice_of(context, name), detaches=True)
        except NsunitError:
            continue  # its lock is held: it is being started


def _forget(context: Context, name: str, slice_: str, *, detaches: bool = False) -> bool:
    """Remove *slice_* and the directories of container *name*, unless that runs; tells whether it did.  Under its lock.

    The slice goes by itself, but later; exec sessions in it have ended with the payload.
    """
    unit = unit_of(context, name)
    state = context.bus.get(unit, "ActiveState", "ControlGroup")
    if state.get("ActiveState") not in DOWN:
        if not unit.endswith(".scope") or not _is_empty(str(state.get("ControlGroup", ""))):
            return False
        _end_scope(context, unit)
    stop_what_is_left(context, slice_)
    context.remove_tree(context.paths.runtime_of(name))
    network = context.paths.network_of(name)
    if detaches and not context.user and os.path.lexists(f"{network}/attachment"):
        program = load("network", "program")  # its process was to do so
        program.detach(program.read(network, context.paths.locks), context.paths.locks)
    context.remove_tree(network)
    return True


def _is_empty(control_group: str) -> bool:
    """Whether nothing runs in a scope that systemd still calls active: the kernel tells it in a time of its own."""
    events = files.read_kernel_file(f"{CGROUP_ROOT}{control_group}/cgroup.events") if control_group else None
    return events is None or "populated 0\n" in events


def _run_attached(
    context: Context, prepared: Prepared, scope: Unit, lock: Lock, *, tty: bool, interactive: bool
) -> int:
    """Run the prepared container until its end; *lock* is let go when its scope tells others that it runs."""
    name, used = prepared.definition.name, prepared.definition.container.features
    build = Build(context.paths.runtime_of(name))
    operations = read_plan(build.workspace)
    _set_up(name, operations, build)
    limit = TimeLimit(prepared.definition)

    def attach(pid: int) -> None:
        attach_network(operations, pid, build)
        hold_signals()

    def begin() -> int:
        payload = spawn.spawn(
            operations,
            build,
            _entrance(context, operations, build),
            new_root=True,
            attached=True,
            before_enter=_admission(context, prepared, scope),
            before_exec=attach,
        )
        lock.release()
        limit.begin(payload)
        return payload

    try:
        status = run_attached(
            name,
            build,
            begin,
            tty=tty,
            interactive=interactive,
            translate=lambda pid, number: _signal_for(prepared.definition, pid, number),
        )
        if limit.is_over() and status > _SIGNALLED:
            context.warn(f"{name}: it was stopped, as its time was up (RuntimeMaxSec=)")
        for translate in hooks(used, "deeds.exit_status"):
            status = translate(status)
        return status
    finally:
        with Held():
            _end_scope(context, scope.name)
            detach_network(operations, build)
            leave_workspace(build)


def _set_up(name: str, operations: list[Operation], build: Build) -> None:
    """Open and prepare all that the container *name* needs of the host; what fails leaves no network behind."""
    try:
        enter_own_users(operations, build)
        spawn.harden()
        enter_and_prepare(operations, build)
    except BaseException as error:
        with Held():  # also after an interrupt: who attaches it may have made rules by now
            detach_network(operations, build)
        if isinstance(error, spawn.SetupError):
            raise SessionError(f"{name}: {error}", error.status) from error
        raise


def _entrance(context: Context, operations: list[Operation], build: Build) -> Callable[[], None]:
    """What the middle process does: it leaves its caller behind, and makes the namespaces."""
    create = spawn.create(operations, build)

    def enter() -> None:
        if not context.user:
            leave_caller()
        create()

    return enter


def _admission(context: Context, prepared: Prepared, scope: Unit) -> Callable[[int], None]:
    """Who puts a process into *scope*, which systemd makes for it, with the slices around."""
    name, others = prepared.definition.name, prepared.units.beside
    around = [relation(key, others).property for key in ("Wants", "After") if others]

    def admit(pid: int) -> None:
        unit = scope.replace(properties=(*scope.properties, *around, Property("PIDs", "au", (pid,))))

        def start(groups: tuple[Unit, ...]) -> Job:
            return context.bus.start_transient(unit, (*groups, prepared.units.slice))

        for start_member in hooks(prepared.definition.container.features, "deeds.start_member"):
            wait_for_scope(context, name, start_member(context, prepared.definition, start), unit)
            return
        start_scope(context, name, unit, (prepared.units.slice,))

    return admit


def _end_scope(context: Context, unit: str) -> None:
    """End the scope, and what is still in it: systemd cannot know which was the main process.

    It would not yet know that there is none any more either, when whoever comes next asks whether the container runs.
    """
    try:
        context.bus.kill(unit, "all", SIGKILL)
    except BusError as error:
        if error.name not in (NO_SUCH_UNIT, NO_SUCH_PROCESS):
            raise
    stop_what_is_left(context, unit)


def _signal_for(definition: Definition, pid: int, number: int) -> int:
    """The signal for payload *pid* when this process gets *number*: each of them asks it to end.

    To a whole system inside they mean something else, so it gets its StopSignal=.  A process 1 without a handler would
    ignore it, and is killed as `stop` does it.
    """
    wanted = number
    for choose in hooks(definition.container.features, "deeds.signal_for"):
        wanted = choose(definition, number)
    return wanted if catches(pid, wanted) else SIGKILL


def _run_detached(context: Context, definition: Definition, keep: bool) -> int:
    starter = Starter(context)
    try:
        starter.lock(definition.name)
        starter.submit(definition, transient=not keep)
        if keep:
            _keep_definition(context, definition)
        starter.finish()
    except BaseException:
        starter.abandon()
        raise
    finally:
        starter.close()
    outcome = starter.outcomes[definition.name]
    if outcome.error:
        raise outcome.error
    if outcome.state != "started":
        raise NsunitError(f"{definition.name}: it is already running", hint="give --name another name")
    return 0


def _quoted(argv: Sequence[str]) -> str:
    """*argv* as the text of Exec=, for people and for comparison; control characters are shown escaped."""
    words = [printable(word) for word in argv]
    return " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"' for word in words)
