"""`exec`: a command in a container that runs."""

from __future__ import annotations

import os

from nsunit.core.running import check_alive, find_running, is_frozen, just_ended, open_pidfd
from nsunit.deeds.session.foreground import leave_caller, protect_host, run_attached, start_scope
from nsunit.deeds.session.terminal import hold_signals
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features import operation_of
from nsunit.names import printable, scope_name, service_name
from nsunit.plan.scope import INHERITED, OF_PROCESSES, exec_scope
from nsunit.setup import spawn
from nsunit.setup.build import Build
from nsunit.setup.namespaces import Namespaces, UserNamespace, has_hosts_root
from nsunit.setup.operation import read
from nsunit.setup.process import HOME, Environment, Manners, Privileges, User, WorkingDirectory, of_session
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context
    from nsunit.core.running import Running
    from nsunit.deeds.session.inherited import Inherited
    from nsunit.setup.operation import Operation

# What of a plan a session needs: these, and of features what tells which namespaces to join, and how.  The rest was
# done for the payload, once for all, and the modules that do it are a third of what would be loaded.
KINDS = (UserNamespace, Namespaces, User, WorkingDirectory, Environment, Manners, Privileges)
WANTED = frozenset((*(kind.keyword for kind in KINDS), "user-maps", "join", "own-users"))


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

    Returns the command's exit status, or 128+N if signal N killed it.  It joins the payload's namespaces (but for
    cgroups it has one of its own) and has its privileges, resource limits, environment and (unless *user* is given)
    user.

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
            other = None if user is None else _user(user)
            # A service starts in /, and somebody who comes to look at it at home.
            operations = of_session(plan, argv, other, environment, lambda path: working_directory or path or HOME)
            build.keeps_groups = any(getattr(operation, "keeps_groups", False) for operation in plan)
            build.root_fd = os.open(f"/proc/{running.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            check_alive(running, pidfd)  # so that was the root of this very process
            context.moving.end()  # what it has done lasts until systemd has made the scope
            spawn.harden()
            spawn.prepare(operations, build)
            like = of_payload(context, running)
            admit = _admission(context, running, scope, argv[0], like)

            def last(payload: int) -> None:
                hold_signals()
                if like:
                    like.give_scheduler(payload)

            return spawn.spawn(
                *(operations, build, _entrance(context, spawn.join(plan, pidfd), like)),
                new_root=False,
                attached=True,
                before_enter=admit,
                before_exec=last,
            )
        except (NsunitError, OSError, spawn.SetupError) as error:
            from nsunit.deeds.session.ended import forget_session, has_ended  # only after a failure

            if has_ended(context, running, pidfd):  # whatever it was that failed first
                forget_session(context, running, scope)
                raise just_ended(name, running.pid) from error
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


def _entrance(context: Context, join: Callable[[], None], like: Inherited | None) -> Callable[[], None]:
    """What the middle process does: it leaves its caller behind, becomes *like* the payload, and joins it."""

    def enter() -> None:
        if not context.user:
            leave_caller(keeps_keys=bool(like and "KeyringMode" in like.keys))
        if like:
            like.give()
        join()

    return enter


def _admission(
    context: Context, running: Running, unit: str, program: str, like: Inherited | None
) -> Callable[[int], None]:
    """Who puts a process into the scope *unit* of the container, with its access rules and resource limits."""
    service = context.bus.get(running.unit, *INHERITED)

    def admit(pid: int) -> None:
        # Printable, since systemd writes the description into the unit's file as it is: a newline would begin a key.
        description = f"{printable(program)} in container {running.name}"
        scope = exec_scope(unit, running.slice, description, pid, service)
        start_scope(context, running.name, scope)
        if like:
            like.limit(pid)

    return admit


def of_payload(context: Context, running: Running) -> Inherited | None:
    """What the command has to be given of what systemd gave the payload; None where the definition asks for nothing."""
    if not running.unit.endswith(".service"):
        return None
    text = files.read_file(context.paths.runtime_of(running.name) + "/definition") or b""
    said = {line.partition(b"=")[0].decode() for line in text.splitlines()}
    keys = {key for key in said if key in OF_PROCESSES or key.startswith("Limit")}
    if not keys:
        return None
    from nsunit.deeds.session.inherited import inherited  # few containers have keys of the kind

    return inherited(context, running.unit, keys)


def _plan_of(context: Context, name: str) -> list[Operation]:
    try:
        return read(context.paths.runtime_of(name), KINDS, operation_of, WANTED)
    except FileNotFoundError:
        raise NotFoundError(
            f"{name}: it runs, but nsunit has no record of having started it",
            hint=f"stop it with 'systemctl stop {service_name(name)}'",
        ) from None


def _user(text: str) -> User:
    name, _, group = text.partition(":")
    if not name:
        raise NsunitError(f"'{printable(text)}' is not a user", hint="use --uid=USER[:GROUP]")
    return User(name, group, ())
