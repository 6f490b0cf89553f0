"""A payload that belongs to this command: its scope, its streams, its end."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the C half: the Python half imports enum
import os

from nsunit.bus.protocol import TRANSACTION_IS_DESTRUCTIVE
from nsunit.core.jobs import JOB_TIMEOUT, JOBS, explain_failure, unfinished
from nsunit.deeds.session.terminal import FORWARDED, Streams, wants_terminal
from nsunit.errors import BusError, NotFoundError, SessionError
from nsunit.setup import linux, spawn
from nsunit.setup.namespaces import write_file
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.bus.protocol import Job
    from nsunit.core.context import Context
    from nsunit.setup.build import Build
    from nsunit.units import Unit


def run_attached(
    name: str,
    build: Build,
    begin: Callable[[], int],
    *,
    tty: bool,
    interactive: bool,
    translate: Callable[[int, int], int] | None = None,
) -> int:
    """Start the payload by *begin*, carry its streams, and wait for its end.  Returns its exit status.

    What is read here goes to it if that is asked for, or from a terminal to its terminal.  Signals that this process
    gets go to the payload; *translate* is asked with its PID and the signal which one.  *begin* holds them back
    (`hold_signals`) just before that executes, so that none is lost in between.
    """
    build.terminal = tty or wants_terminal()
    if build.terminal:
        build.environment.setdefault("TERM", os.getenv("TERM", "dumb"))
    streams = Streams(build, passes_input=interactive or (build.terminal and os.isatty(0)))
    try:
        try:
            payload = begin()
        except spawn.SetupError as error:
            raise SessionError(f"{name}: {error}", error.status) from error
        streams.attach()
        status = streams.relay(payload, (lambda number: translate(payload, number)) if translate else None)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        streams.close()
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def protect_host(name: str) -> None:
    """Begin this process anew if need be, so that container *name*, in which the host's root is, cannot change Python.

    Raises:
        SessionError: the kernel refused it.
    """
    from nsunit.setup.interpreter import protect  # where the host's root is inside

    try:
        protect()
    except spawn.SetupError as error:
        raise SessionError(f"{name}: {error}", error.status) from error


def leave_caller(*, keeps_keys: bool = False) -> None:
    """Leave behind what this process has of its caller, as systemd does for all services of the system.

    That are its keys, unless it *keeps_keys*, and whom the kernel kills first when memory is short: what is as safe
    from that as a caller may be could not be held by its own limits any more.
    """
    if not keeps_keys:
        linux.new_session_keyring(with_user=False)
    if read_kernel_file(_OOM_SCORE) not in ("0\n", None):
        try:
            write_file(_OOM_SCORE, "0")
        except PermissionError:
            pass  # it is higher, and in a container root may not lower it


_OOM_SCORE = "/proc/self/oom_score_adj"


def start_scope(context: Context, name: str, scope: Unit, auxiliary: Sequence[Unit] = ()) -> None:
    """Make *scope*, of container *name*, and wait until it is there.

    Raises:
        NotFoundError: the container is being stopped.
        NsunitError: systemd could not make it.
    """
    try:
        job = context.bus.start_transient(scope, auxiliary)
    except BusError as error:
        if error.name == TRANSACTION_IS_DESTRUCTIVE:
            raise NotFoundError(f"{name}: it is being stopped", hint="start it again when it has ended") from error
        raise
    wait_for_scope(context, name, job, scope)


def wait_for_scope(context: Context, name: str, job: Job, scope: Unit) -> None:
    """Wait until *scope*, which *job* makes, of container *name*, is there.

    Raises:
        NsunitError: systemd could not make it, or a condition is not met.
    """
    result = context.bus.wait(job, JOB_TIMEOUT)
    if result == "done" and any(item.name == "Conditions" for item in scope.properties):
        # The job is done where one is not met, too, and the process would go on without any limit.
        state = context.bus.get(job.unit, "ActiveState").get("ActiveState")
        result = "done" if state == "active" else "skipped"
    if result in JOBS:
        raise explain_failure(context.bus, name, job.unit, result)
    if result != "done":
        raise unfinished(name, "the scope's job", job.unit, result)
