"""`exec`: a command in a container that runs."""

from __future__ import annotations

import os

from nsunit.core.running import check_alive, find_running, is_frozen, just_ended, open_pidfd
from nsunit.deeds.session.foreground import protect_host, run_attached, start_scope
from nsunit.deeds.session.terminal import hold_signals
from nsunit.errors import NotFoundError, NsunitError
from nsunit.names import printable, scope_name
from nsunit.plan.scope import INHERITED, exec_scope
from nsunit.setup import spawn
from nsunit.setup.build import Build
from nsunit.setup.main import harden, read_plan
from nsunit.setup.namespaces import has_hosts_root
from nsunit.setup.process import Environment, Exec, Privileges, User, WorkingDirectory
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nsunit.core.context import Context
    from nsunit.core.running import Running
    from nsunit.setup.operation import Operation

_INFINITY = (1 << 64) - 1  # what systemd says of no limit
_NO_LIMIT = -1  # and resource.RLIM_INFINITY


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
    its privileges, resource limits, environment and (unless *user* is given) user.

    Raises:
        NotFoundError: the container does not run.
        NsunitError: it is paused, so the command would not run either.
        SessionError: the command could not be executed.
    """
    running = find_running(context, name)
    if is_frozen(running):
        raise NsunitError(f"{name}: it is paused", hint=f"let it go on with 'nsunit resume {name}'")
    pidfd = open_pidfd(context, running)
    _check_ids(running)
    build = Build("")
    scope = scope_name(name, "exec", os.urandom(4).hex())

    def begin() -> int:
        try:
            plan = _plan_of(context, name)
            operations = _session_operations(plan, argv, user, working_directory, environment)
            build.keeps_groups = any(getattr(operation, "keeps_groups", False) for operation in plan)
            build.root_fd = os.open(f"/proc/{running.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            check_alive(running, pidfd)  # so that was the root of this very process
            harden()
            spawn.prepare(operations, build)
            admit = _admission(context, running, scope, argv[0])
            enter = spawn.join(plan, pidfd)
            return spawn.spawn(
                *(operations, build, enter),
                new_root=False,
                attached=True,
                before_enter=admit,
                before_exec=hold_signals,
            )
        except (NsunitError, OSError, spawn.SetupError) as error:
            from nsunit.deeds.session.ended import forget_session, has_ended  # only after a failure

            if has_ended(context, running, pidfd):  # whatever it was that failed first
                forget_session(context, running, scope)
                raise just_ended(name) from error
            raise

    return run_attached(name, build, begin, tty=tty, interactive=interactive)


def _check_ids(running: Running) -> None:
    """See that the program of this very process is out of reach of a container in which the host's root is.

    Raises:
        SessionError: the kernel refused it.
        NotFoundError: the container has ended.
    """
    try:
        if not has_hosts_root(running.pid):
            return
    except (FileNotFoundError, ProcessLookupError):
        raise just_ended(running.name) from None
    protect_host(running.name)


def _admission(context: Context, running: Running, unit: str, program: str) -> Callable[[int], None]:
    """Who puts a process into the scope *unit* of the container, with its access rules and resource limits."""
    service = context.bus.get(running.unit, *INHERITED)
    limits = resource_limits(context, running)

    def admit(pid: int) -> None:
        # Printable, since systemd writes the description into the unit's file as it is: a newline would begin a key.
        description = f"{printable(program)} in container {running.name}"
        scope = exec_scope(unit, running.slice, description, pid, service)
        start_scope(context, running.name, scope)
        if limits:
            limit(pid, limits)

    return admit


def resource_limits(context: Context, running: Running) -> dict[str, tuple[int, int]]:
    """The soft and hard limits that the definition of a container's service sets, by key, as systemd has them."""
    text = files.read_file(context.paths.runtime_of(running.name) + "/definition") or b""
    keys = {line.partition(b"=")[0].decode() for line in text.splitlines() if line.startswith(b"Limit")}
    if not keys or not running.unit.endswith(".service"):
        return {}
    values = context.bus.get(running.unit, *keys, *(key + "Soft" for key in keys))
    numbers = {key: _NO_LIMIT if value == _INFINITY else value for key, value in values.items()}
    return {key: (int(str(numbers[key + "Soft"])), int(str(numbers[key]))) for key in sorted(keys)}


def limit(pid: int, limits: Mapping[str, tuple[int, int]]) -> None:
    """Give process *pid* the resource *limits*; with a user without privileges none higher than it has now."""
    import resource  # few containers have limits of the kind

    for key, (soft, hard) in limits.items():
        which = getattr(resource, key.replace("Limit", "RLIMIT_"), None)
        if which is None:
            continue  # RLIMIT_LOCKS, which Linux does not look at
        if os.geteuid():
            hard = _lower(hard, resource.prlimit(pid, which)[1])
        resource.prlimit(pid, which, (_lower(soft, hard), hard))


def _lower(one: int, other: int) -> int:
    return max(one, other) if _NO_LIMIT in (one, other) else min(one, other)


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
