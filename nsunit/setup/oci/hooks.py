"""Programs that config.json has executed at points of the life cycle, with the container's state on standard input."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import select
import time

from nsunit.setup import linux
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.oci.step import Box, HookError, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    # path, arguments, environment or None for that of this process, seconds or 0 for no end
    Hook = tuple[str, tuple[str, ...], tuple[str, ...] | None, int]


def run_all(kind: str, hooks: Sequence[Hook], state: str, directory: str = "") -> None:
    """Run *hooks* one after the other, as `run` does; the first that fails ends it.

    Raises:
        HookError: it could not be executed, did not end in time, or exited with another status than 0.
    """
    for number, hook in enumerate(hooks):
        try:
            run(hook, state, directory)
        except HookError as error:
            raise HookError(f"error running {kind} hook #{number}: {error}") from None


def run(hook: Hook, state: str, directory: str = "") -> None:
    """Run one hook in *directory*, if that is there, else where this process is.

    Raises:
        HookError: see `run_all`.
    """
    path, arguments, environment, seconds = hook
    reader, writer = os.pipe()
    failed, failure = os.pipe()
    said, saying = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(path, arguments or (path,), environment, directory, (reader, failure, saying))
    for fd in (reader, failure, saying):
        os.close(fd)
    reason = os.read(failed, 4096).decode("utf-8", "replace")
    os.close(failed)
    before = _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    output = _wait(pid, said, writer, state.encode(), seconds)
    _signal.signal(_signal.SIGPIPE, before or _signal.SIG_DFL)
    os.close(said)
    _, status = os.waitpid(pid, 0)
    if reason:
        raise HookError(reason)
    if output is None:
        raise HookError(f"hook ran past specified timeout of {float(seconds)}s")
    if status:
        code = os.waitstatus_to_exitcode(status)
        how = f"exit status {code}" if code > 0 else f"signal {-code}"
        raise HookError(f"{how}, stdout: , stderr: {output}" if output else how)


def _become(
    path: str,
    arguments: Sequence[str],
    environment: Sequence[str] | None,
    directory: str,
    streams: tuple[int, int, int],
) -> None:
    stdin, failure, output = streams
    try:
        if directory and os.exists(directory):
            os.chdir(directory)
        os.dup2(stdin, 0)
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(output, 2)
        linux.close_range(3, flags=linux.CLOSE_RANGE_CLOEXEC)
        linux.default_signals()
        given = os.variables if environment is None else dict(entry.partition("=")[::2] for entry in environment)
        os.execve(path, list(arguments), given)
    except OSError as error:
        os.write(failure, f"fork/exec {path}: {(error.strerror or str(error)).lower()}".encode())
    finally:
        os._exit(127)


def _wait(pid: int, said: int, writer: int, state: bytes, seconds: int) -> str | None:
    """What process *pid* says on *said* until it ends; None after it had to be killed.

    Meanwhile it is told *state* by *writer*, which is closed, as far as it reads: that can be more than a pipe holds.
    """
    pidfd = os.pidfd_open(pid)
    os.set_blocking(writer, False)
    poll = select.poll()
    for fd, events in ((pidfd, select.POLLIN), (said, select.POLLIN), (writer, select.POLLOUT)):
        poll.register(fd, events)
    deadline = time.monotonic() + seconds
    text = b""
    try:
        while True:
            left = (deadline - time.monotonic()) * 1000 if seconds else -1
            if seconds and left <= 0:
                _signal.pidfd_send_signal(pidfd, 9)
                return None
            ready = dict(poll.poll(left))
            if said in ready:
                chunk = os.read(said, 4096)
                text = (text + chunk)[:4096]
                if not chunk:
                    poll.unregister(said)
            elif pidfd in ready:
                return text.decode("utf-8", "replace").strip().replace("\n", " ")
            elif writer in ready and not (state := _told(writer, state)):
                poll.unregister(writer)
                os.close(writer)
                writer = -1
    finally:
        os.close(pidfd)
        if writer >= 0:
            os.close(writer)


def _told(writer: int, state: bytes) -> bytes:
    """Write what fits, and return the rest."""
    try:
        return state[os.write(writer, state) :]
    except BrokenPipeError:
        return b""  # it does not want to know


class RuntimeHooks(Step):
    """Let the runtime run its hooks, in its own namespaces, while those of the container are there."""

    keyword = "oci-runtime-hooks"

    def describe(self) -> str:
        """See Operation."""
        return "run the hooks of the runtime"

    def execute(self, build: Build) -> None:
        """Ask for it, and wait."""
        assert isinstance(build, Box)
        build.channel.call("hooks")


class ContainerHooks(Step):
    """Run the *hooks* of *kind* here; *state* lacks its beginning, with the pid as it is seen here."""

    __slots__ = ("kind", "hooks", "state")
    keyword = "oci-container-hooks"
    kind: str
    hooks: tuple[Hook, ...]
    state: str

    def describe(self) -> str:
        """See Operation."""
        return f"run the {self.kind} hooks"

    def execute(self, build: Build) -> None:
        """See `run_all`."""
        run_all(self.kind, self.hooks, f'{{"pid": {os.getpid()}, {self.state}')
