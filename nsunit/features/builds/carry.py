"""A command of this process's streams and terminal, in a scope of its own."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import tempfile

from nsunit.core.jobs import JOB_TIMEOUT, stop_what_is_left, unfinished
from nsunit.features.builds.units import scope_of
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context
    from nsunit.units import Unit

_NOT_FOUND = 127
_END_SECONDS = 10


def carried_out(
    context: Context, token: str, slice_: Unit, words: Sequence[str], directory: str = "", *, quiet: bool = False
) -> int:
    """Run *words* in a scope in *slice_*, which is made as well, and return the exit status; 128 and the signal's.

    What it prints goes to standard error: the result on standard output is ours.  With *quiet* it does if it fails.

    It runs in *directory*, if that is given.  Who is interrupted takes all of it along.

    Raises:
        NsunitError: systemd could not make them.
    """
    with tempfile.TemporaryFile() as said:
        out = said.fileno() if quiet else 2

        def become() -> None:
            os.dup2(out, 1)
            os.dup2(out, 2)
            if directory:
                os.chdir(directory)
            os.execv(words[0], list(words))

        status = _carried_out(context, token, slice_, become)
        if status and quiet:
            said.seek(0)
            sys.stderr.flush()
            shutil.copyfileobj(said, sys.stderr.buffer)
            sys.stderr.flush()
    return status


def _carried_out(context: Context, token: str, slice_: Unit, become: Callable[[], object]) -> int:
    pid, go = _waiting(become)
    scope = scope_of(token, slice_.name, pid)
    try:
        job = context.bus.start_transient(scope, (slice_,))
        result = context.bus.wait(job, JOB_TIMEOUT)
        if result != "done":
            raise unfinished("build", "the scope's job", scope.name, result)
        os.write(go, b"1")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except BaseException:
        try:
            _end(pid)
        finally:
            stop_what_is_left(context, slice_.name, JOB_TIMEOUT)
        raise
    finally:
        os.close(go)
    return status if status >= 0 else 128 - status


def _end(pid: int) -> None:
    """End the child *pid*, which has a while to end its own processes and have the OCI runtime forget them.

    In the slice all would end at once, `nsunit-oci delete` among them.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it has ended, and was waited for
    try:
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        select.select([fd], [], [], _END_SECONDS)
    finally:
        os.close(fd)


def _waiting(become: Callable[[], object]) -> tuple[int, int]:
    """A child that becomes something else when it reads a byte, and ends where there is none; its PID, and the pipe."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writer)
            if os.read(reader, 1):
                become()
        except OSError as error:
            os.write(2, f"nsunit: {printable(str(error))}\n".encode())
        finally:
            os._exit(_NOT_FOUND)
    os.close(reader)
    return pid, writer
