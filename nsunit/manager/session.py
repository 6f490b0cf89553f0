"""Commands in containers: `exec` in one that runs, `run` in one made for the purpose."""

from __future__ import annotations

import os

from nsunit.definition.load import load_properties
from nsunit.errors import NotFoundError, NsunitError
from nsunit.manager.prepare import prepare, take_back
from nsunit.manager.running import find_running, open_pidfd, unit_of
from nsunit.manager.start import Starter, settle
from nsunit.names import check_name, printable, scope_name, slice_name
from nsunit.plan.scope import exec_scope, run_scope
from nsunit.setup import spawn
from nsunit.setup.build import Build
from nsunit.setup.main import enter_and_prepare, harden, read_plan
from nsunit.setup.process import Environment, Exec, Privileges, User, WorkingDirectory
from nsunit.setup.root import leave_workspace
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.bus.protocol import Job
    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context
    from nsunit.manager.prepare import Prepared
    from nsunit.setup.operation import Operation
    from nsunit.units import Unit

JOB_TIMEOUT = 60.0
RUN_PREFIX = "run-"  # of the names that `run` makes up


class SessionError(NsunitError):
    """The command could not be executed; exits as env(1) does: 125, 126 or 127."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_status = status


def execute(
    context: Context,
    name: str,
    argv: Sequence[str],
    *,
    tty: bool = False,
    interactive: bool = False,
    user: str | None = None,
    working_directory: str | None = None,
    environment: Sequence[tuple[str, str]] = (),
) -> int:
    """Run *argv* in the running container *name*, in a scope of its slice.

    Returns the command's exit status, or 128+N if signal N killed it.  It joins every namespace of the payload and has
    its privileges, environment and (unless *user* is given) user.

    Raises:
        NotFoundError: the container does not run.
        SessionError: the command could not be executed.
    """
    running = find_running(context, name)
    pidfd = open_pidfd(context, running)
    plan = _plan_of(context, name)
    operations = _session_operations(plan, argv, user, working_directory, environment)
    build = Build("")
    build.root_fd = os.open(f"/proc/{running.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.close(open_pidfd(context, running))  # still the same process: so that was its root
    harden()
    spawn.prepare(operations, build)
    service = context.bus.properties(running.unit)
    unit = scope_name(name, "exec", os.urandom(4).hex())

    def admit(pid: int) -> None:
        # Printable, since systemd writes the description into the unit's file as it is: a newline would begin a key.
        description = f"{printable(argv[0])} in container {name}"
        scope = exec_scope(unit, slice_name(name), description, pid, service)
        _wait_done(context, name, context.bus.start_transient(scope))

    def begin() -> int:
        enter = spawn.join(plan, pidfd)
        return spawn.spawn(operations, build, enter, new_root=False, attached=True, before_enter=admit)

    return _attend(name, build, begin, tty=tty, interactive=interactive)


def run(
    context: Context,
    properties: Sequence[tuple[str, str, str]],
    argv: Sequence[str],
    *,
    name: str | None = None,
    detach: bool = False,
    tty: bool = False,
    interactive: bool = False,
    keep: bool = False,
) -> int:
    """Run a container that has no file: *properties* are `(section, key, value)`, *argv* is its Exec=.

    In the foreground the payload runs in a scope with this process's streams and ends with it; with *detach* it is a
    service.  Unless *keep* is given, nothing of it is left once it has ended.
    """
    name = check_name(name) if name else RUN_PREFIX + os.urandom(4).hex()
    assignments = [(section, key, value, "--property") for section, key, value in properties]
    said = {key for _, key, _, _ in assignments}
    if not keep and not said & {"Volatile", "ReadOnly"}:
        assignments.append(("Container", "Volatile", "yes", "nsunit run"))
    if argv:
        assignments.append(("Container", "Exec", _quoted(argv), "the command line"))
    definition = load_properties(name, assignments, context.host)
    if detach:
        return _run_detached(context, definition, keep)
    scope = run_scope(definition, os.urandom(4).hex())  # refuses what only a service can have
    sweep(context)
    with Lock(context.paths.locks, name) as lock:
        if settle(context, definition) is not None:
            raise NsunitError(f"{name}: it is running already", hint="give --name another name")
        prepared = prepare(context, definition, transient=not keep)
        try:
            return _run_attached(context, prepared, scope, lock, tty=tty, interactive=interactive)
        finally:
            _forget_run(context, prepared, lock, keep=keep)


def _forget_run(context: Context, prepared: Prepared, lock: Lock, *, keep: bool) -> None:
    """Remove what only the foreground container needed, unless another start of its name was quicker."""
    name = prepared.definition.name
    if lock.fd < 0:
        lock.__enter__()  # the caller releases it
    if not _runs(context, name):
        files.remove_tree(context.paths.runtime_of(name))
        if not keep:
            take_back(prepared.undo)


def sweep(context: Context) -> None:
    """Remove what foreground containers without a name of their own left behind when they were killed."""
    for name in files.list_directory(context.paths.runtimes):
        if not name.startswith(RUN_PREFIX) or _runs(context, name):
            continue
        try:
            with Lock(context.paths.locks, name, timeout=0):
                if not _runs(context, name):
                    files.remove_tree(context.paths.runtime_of(name))
        except NsunitError:
            continue  # its lock is held: it is being started


def _runs(context: Context, name: str) -> bool:
    """Whether a unit of container *name* runs, in the background or in the foreground."""
    state = context.bus.get(unit_of(context, name), "ActiveState").get("ActiveState")
    return state not in (None, "inactive", "failed")


def _run_attached(
    context: Context, prepared: Prepared, scope: Unit, lock: Lock, *, tty: bool, interactive: bool
) -> int:
    """Run the prepared container until its end; *lock* is let go when its scope tells others that it runs."""
    name = prepared.definition.name
    harden()
    build = Build(context.paths.runtime_of(name))
    operations = read_plan(build.workspace)
    try:
        enter_and_prepare(operations, build)
    except spawn.SetupError as error:
        raise SessionError(f"{name}: {error}", error.status) from error

    def admit(pid: int) -> None:
        unit = scope.replace(properties=(*scope.properties, Property("PIDs", "au", (pid,))))
        _wait_done(context, name, context.bus.start_transient(unit, (prepared.units.slice,)))

    def begin() -> int:
        enter = spawn.create(operations, build)
        payload = spawn.spawn(operations, build, enter, new_root=True, attached=True, before_enter=admit)
        lock.release()
        return payload

    try:
        return _attend(name, build, begin, tty=tty, interactive=interactive)
    finally:
        leave_workspace(build)


def _run_detached(context: Context, definition: Definition, keep: bool) -> int:
    starter = Starter(context)
    try:
        starter.submit(definition, transient=not keep)
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
        raise NsunitError(f"{definition.name}: it is running already", hint="give --name another name")
    return 0


def _attend(name: str, build: Build, begin: Callable[[], int], *, tty: bool, interactive: bool) -> int:
    """Start the payload by *begin*, carry its streams, and wait for its end.  Returns its exit status."""
    from nsunit.manager.terminal import Streams, wants_terminal

    build.terminal = tty or wants_terminal()
    if build.terminal:
        build.environment.setdefault("TERM", os.environ.get("TERM", "dumb"))
    streams = Streams(terminal=build.terminal, stdin=interactive or not os.isatty(0))
    try:
        try:
            payload = begin()
        except spawn.SetupError as error:
            raise SessionError(f"{name}: {error}", error.status) from error
        finally:
            streams.restore()
        if build.terminal:
            streams.attach(build.master_fd)
        if streams.routes:
            pidfd = os.pidfd_open(payload)
            streams.relay(pidfd, build.master_fd)
        _, status = os.waitpid(payload, 0)
    finally:
        streams.close()
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _plan_of(context: Context, name: str) -> list[Operation]:
    try:
        return read_plan(context.paths.runtime_of(name))
    except FileNotFoundError:
        raise NotFoundError(f"{name}: it runs, but nsunit has no record of having started it") from None


def _session_operations(
    plan: Sequence[Operation],
    argv: Sequence[str],
    user: str | None,
    working_directory: str | None,
    environment: Sequence[tuple[str, str]],
) -> list[Operation]:
    """The payload's own operations as far as they make sense for another process, with the caller's wishes."""
    found: list[Operation] = []
    for item in plan:
        if isinstance(item, User) and user is not None:
            name, _, group = user.partition(":")
            if not name:
                raise NsunitError(f"'{printable(user)}' is not a user", hint="use --uid=USER[:GROUP]")
            found.append(User(name, group, ()))
        elif isinstance(item, WorkingDirectory):
            found.append(WorkingDirectory(working_directory) if working_directory is not None else item)
        elif isinstance(item, (User, Environment, Privileges)):
            found.append(item)
    # The user's variables are set by looking the user up, the definition's come next, the caller's last.
    extra = Environment(tuple(f"{key}={value}" for key, value in environment))
    position = next(number for number, item in enumerate(found) if isinstance(item, WorkingDirectory))
    return [*found[:position], extra, *found[position:], Exec("", tuple(argv))]


def _wait_done(context: Context, name: str, job: Job) -> None:
    result = context.bus.wait(job, JOB_TIMEOUT)
    if result != "done":
        raise NsunitError(f"{name}: the scope's job ended as '{result}'", hint=f"see 'systemctl status {job.unit}'")


def _quoted(argv: Sequence[str]) -> str:
    """*argv* as the text of Exec=, which is split and unescaped again when it is read."""
    return " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"' for word in argv)
