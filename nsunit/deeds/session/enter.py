"""`enter`: a command of the host's in some of a container's namespaces, for debugging.

It stays in the caller's cgroup: a limit of the container, or its being paused, must not hold the debugger up.
"""

from __future__ import annotations

import os

from nsunit.core.running import check_alive, find_running, just_ended, open_pidfd, thread_of
from nsunit.deeds.session.foreground import run_attached
from nsunit.deeds.session.terminal import hold_signals
from nsunit.deeds.session.view import Program, View
from nsunit.errors import NsunitError, UsageError
from nsunit.features import load
from nsunit.formats.elf import HEAD, is_static
from nsunit.setup import linux, namespaces, spawn
from nsunit.setup.build import Build
from nsunit.setup.main import read_plan
from nsunit.setup.process import Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.core.running import Running
    from nsunit.setup.operation import Operation

# All that make sense with the host's files and privileges.
DEFAULT = ("ipc", "net", "pid", "uts")
ALL = "all"
_SHELL = "/bin/sh"


def enter(
    context: Context,
    name: str,
    argv: Sequence[str],
    *,
    kinds: Sequence[str] = DEFAULT,
    tty: bool = False,
    interactive: bool = False,
) -> int:
    """Run *argv* in the namespaces *kinds* of the running container *name*; an empty one is a shell.

    Returns as `execute` does.  A kind the container shares with the host is not joined, since there is nothing to join.

    Raises:
        NotFoundError: the container does not run.
        UsageError: there is no such kind of namespace.
        NsunitError: it would run a program of the container with the host's privileges.
        SessionError: the command could not be executed.
    """
    check_kind = load("namespaces", "nsfs").check_kind
    wanted = set(namespaces.KINDS) if list(kinds) == [ALL] else {check_kind(kind) for kind in kinds}
    if "mnt" in wanted:
        wanted |= {"pid", "user"}  # the container's /proc has its processes only; its programs get its privileges only
    if context.user:
        raise UsageError("enter is for containers of the system", hint=f"'nsunit --user exec {name}' joins all of it")
    running = find_running(context, name)
    pidfd = open_pidfd(context, running)
    own = {kind: fd for kind in namespaces.KINDS if (fd := _open_own(running, kind)) >= 0}
    check_alive(running, pidfd)  # so all these are of this very process
    joined = {kind: fd for kind, fd in own.items() if kind in wanted}
    build = Build("")
    command = tuple(argv) or (_SHELL if "mnt" in joined else os.environ.get("SHELL") or _SHELL,)
    if "mnt" in joined:
        operations = _inside(context, running, own, joined, build, command)
    else:
        operations = _outside(joined, build, command)
    spawn.harden()

    def join() -> None:
        for kind, fd in joined.items():
            linux.setns(fd, namespaces.KINDS[kind])
        if "mnt" in joined and "user" in own:
            namespaces.become_root_of(own["user"])

    def begin() -> int:
        try:
            return spawn.spawn(operations, build, join, new_root=False, attached=True, before_exec=hold_signals)
        except spawn.SetupError as error:
            from nsunit.deeds.session.ended import has_ended  # only after a failure

            if has_ended(context, running, pidfd):
                raise just_ended(name) from error
            raise
        finally:
            for fd in (pidfd, *own.values()):
                os.close(fd)  # a file of a namespace that is open keeps it, and its mounts, alive

    return run_attached(name, build, begin, tty=tty, interactive=interactive)


def _open_own(running: Running, kind: str) -> int:
    """A descriptor of the container's namespace of *kind*, -1 if that is the host's."""
    try:
        fd = os.open(f"{thread_of(running.pid)}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise just_ended(running.name) from None
    if os.path.samestat(os.fstat(fd), os.stat(f"/proc/self/ns/{kind}")):
        os.close(fd)
        return -1
    return fd


def _outside(joined: dict[str, int], build: Build, command: tuple[str, ...]) -> list[Operation]:
    """With the host's files: the program, environment and directory are those of the caller."""
    build.environment.update(os.environ)
    user = joined.pop("user", -1)
    build.kept_fds = () if user < 0 else (user,)
    view = View("yes" if "pid" in joined else "no", "yes" if "net" in joined else "no")
    return [*([view] if {"pid", "net"} & joined.keys() else []), Program(command, user_fd=user)]


def _inside(
    context: Context,
    running: Running,
    own: dict[str, int],
    joined: dict[str, int],
    build: Build,
    command: tuple[str, ...],
) -> list[Operation]:
    """With the container's files: a program of the host that needs no others, else one of the container's."""
    joined.pop("user", None)  # joined last, since the others take the host's privileges
    program = _open_static(command[0])
    if program < 0 and "user" not in own:
        raise NsunitError(
            f"{running.name}: it has no user namespace, so its '{command[0]}' would run with the host's privileges",
            hint="use a statically linked program of the host, such as busybox, or 'nsunit exec'",
        )
    build.kept_fds = () if program < 0 else (program,)
    plan = read_plan(context.paths.runtime_of(running.name))
    environment = [item for item in plan if isinstance(item, Environment)]
    return [*environment, Program(command, program_fd=program)]


def _open_static(program: str) -> int:
    """A descriptor of the host's *program* if it is there, may be executed, and is statically linked; else -1."""
    directories = os.environ.get("PATH", os.defpath).split(":")
    for path in [program] if "/" in program else [f"{directory}/{program}" for directory in directories if directory]:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if is_static(os.pread(fd, HEAD, 0)):
                return fd
            os.close(fd)
            return -1
    return -1
