"""From operations to a running payload: three processes, of which one stays.

The parent has the host's privileges and prepares.  It forks a middle process that enters the namespaces and forks the
payload's process into the new PID namespace, since neither unshare(2) nor setns(2) moves the caller there.  The middle
one exits at once, so the payload becomes the child of the service manager, which learns of its end like of any other's.

The middle process tells the payload's PID on a pipe of its own, so that its end is noticed if it is killed before.
A close-on-exec pipe tells the parent how it went on: lines `streams`, `ready MARKS`, `error STATUS TEXT`.  End of file
after `ready`, with no error, means that execve(2) succeeded.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _struct as struct  # the C half: the other is a file to read, and no more
import errno
import fcntl
import select

from nsunit.setup import linux, namespaces
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation, failpoint
from nsunit.setup.process import Exec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

EXIT_SETUP, EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND = 125, 126, 127  # as env(1), podman and docker have them
PARENT_GONE = "The parent process is gone"
KILLED = "Failed to finish the set-up: its process was killed"
NO_PROCESS = "Failed to make a process: TasksMax= or LimitNPROC= allows no more"
TIOCSPTLCK, TIOCGPTPEER, TIOCSCTTY, TIOCSWINSZ = 0x40045431, 0x5441, 0x540E, 0x5414  # ioctl_tty(2)


class SetupError(Exception):
    """The container could not be set up; the text is one line, and `status` is what to exit with.

    A payload that was made may wait at the other end of `link_fd`, -1 for none: it ends as soon as that is closed.
    """

    def __init__(self, text: str, status: int = EXIT_SETUP) -> None:
        super().__init__(text)
        self.status = status
        self.link_fd = -1


def explain(operation: Operation, error: BaseException) -> SetupError:
    """One line that names the step and the reason."""
    reason, where = str(error) or type(error).__name__, ""
    if isinstance(error, OSError):
        reason, path = error.strerror or str(error), error.filename
        where = f" ('{path}')" if isinstance(path, str) and path and path not in operation.describe() else ""
    status = EXIT_SETUP
    if isinstance(operation, Exec) and isinstance(error, OSError):
        status = EXIT_NOT_FOUND if error.errno == errno.ENOENT else EXIT_CANNOT_EXECUTE
    return SetupError(f"Failed to {operation.describe()}: {reason}{where}", status)


def harden() -> None:
    """Keep the payload from ever looking into this process, and this process from handing anything down.

    Raises:
        SetupError: there is more than one thread; unshare(2) and setns(2) need a single one.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise SetupError("The set-up process has more than one thread")
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.close_range(3, flags=linux.CLOSE_RANGE_CLOEXEC)
    os.umask(0o022)
    from nsunit.setup import libc  # noqa: F401 — loaded now, since nothing may be once a container is entered


def prepare(operations: Sequence[Operation], build: Build) -> None:
    """Run the host's half of every operation.

    Raises:
        SetupError: one of them failed.
    """
    for operation in operations:
        failpoint(operation, "prepare")
        try:
            operation.prepare(build)
        except OSError as error:
            raise explain(operation, error) from error
        build.mark(f"prepare/{operation.keyword}")


def create(operations: Sequence[Operation], build: Build) -> Callable[[], None]:
    """What the middle process does for a new container: make its namespaces, the cgroup's from the right place."""
    flags = namespace_flags(operations)
    subgroups = [operation for operation in operations if isinstance(operation, namespaces.Subgroup)]
    entering = [operation for operation in operations if operation.enters]

    def enter() -> None:
        for subgroup in subgroups:
            try:
                subgroup.move()
            except OSError as error:
                raise explain(subgroup, error) from error
        for operation in entering:
            _try(operation, operation.join, build)
        if build.has_userns:
            namespaces.become_root_of(build.userns_fd)
        linux.unshare(flags)
        for operation in entering:
            _try(operation, operation.settle, build)

    return enter


def _try(operation: Operation, deed: Callable[[Build], None], build: Build) -> None:
    try:
        deed(build)
    except OSError as error:
        raise explain(operation, error) from error


def join(operations: Sequence[Operation], pidfd: int) -> Callable[[], None]:
    """What the middle process does for a running container: enter all its namespaces at once, by one setns(2).

    It is in a cgroup of its own beside the container's, which has no path in the container's cgroup namespace: as a
    namespace of its own begins there, /proc/self/cgroup says `/`, as for the payload.
    """
    own = namespace_flags(operations)
    flags = own & ~linux.CLONE_NEWCGROUP
    if any(isinstance(operation, namespaces.UserNamespace) for operation in operations):
        flags |= linux.CLONE_NEWUSER
    entered = 0
    for operation in operations:
        entered |= operation.clone_flags()
    if entered & linux.CLONE_NEWUSER and _has_own_users(pidfd):
        entered &= ~linux.CLONE_NEWUSER  # one cannot join one's own
    flags |= entered
    keeps_groups = any(getattr(operation, "keeps_groups", False) for operation in operations)

    def enter() -> None:
        linux.setns(pidfd, flags)
        if flags & linux.CLONE_NEWUSER:
            namespaces.become_root(keeps_groups=keeps_groups)
        if own & linux.CLONE_NEWCGROUP:
            linux.unshare(linux.CLONE_NEWCGROUP)

    return enter


def _has_own_users(pidfd: int) -> bool:
    """Whether the user namespace of the process of *pidfd* is the caller's."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="utf-8") as file:
        pid = next(line.split()[1] for line in file if line.startswith("Pid:"))
    return os.samestat(os.stat(f"/proc/{pid}/ns/user"), os.stat("/proc/self/ns/user"))


def namespace_flags(operations: Sequence[Operation]) -> int:
    """The CLONE_NEW* flags of the namespaces that *operations* ask for, without the user namespace's."""
    made = [operation for operation in operations if isinstance(operation, namespaces.Namespaces)]
    return sum({namespaces.KINDS[kind] for operation in made for kind in operation.kinds})  # each is one bit


def spawn(
    operations: Sequence[Operation],
    build: Build,
    enter: Callable[[], None],
    *,
    new_root: bool,
    attached: bool = False,
    before_enter: Callable[[int], object] | None = None,
    meanwhile: Callable[[int], object] | None = None,
    before_exec: Callable[[int], object] | None = None,
) -> int:
    """Start the payload and return its PID once execve(2) has succeeded.

    With *new_root* the prepared root is attached first; without, *enter* has joined a mount namespace that has one.
    An *attached* payload becomes the caller's child and is killed when the caller dies; any other one becomes the
    child of the nearest subreaper, the service manager.  *before_enter* is called with the PID of the middle process
    before that does anything, *meanwhile* with the payload's while that sets itself up, and *before_exec* before it
    executes.

    Raises:
        SetupError: some step failed; nothing of the container is left running.  A payload that is not attached ends
            with the caller, or when its `link_fd` is closed: the manager watches it by now, and would end the caller
            before it has said what failed.
    """
    reader, writer = os.pipe()
    go_reader, go_writer = os.pipe()
    pid_reader, pid_writer = os.pipe()
    if build.terminal or build.console or build.pipes:
        build.make_link()
    build.attached = attached
    if attached:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    middle = os.fork()
    if middle == 0:
        for fd in (reader, go_writer, pid_reader):
            os.close(fd)
        _middle(operations, build, enter, _Link(writer, go_reader, pid_writer, attached), new_root)
    for fd in (writer, go_reader, pid_writer):
        os.close(fd)
    try:
        with open(reader, encoding="utf-8", errors="replace", newline="\n") as reports:
            _call(before_enter, middle, middle, go_writer)
            payload = int(os.read(pid_reader, 16) or 0)
            os.waitpid(middle, 0)
            if not payload:
                os.close(go_writer)
                go_writer = -1
                raise _lost(reports, attached)
            if meanwhile:
                meanwhile(payload)
            _supervise(reports, build, payload, go_writer, before_exec, attached)
    except BaseException as error:
        if attached and go_writer >= 0:
            os.close(go_writer)
        elif isinstance(error, SetupError):
            error.link_fd = go_writer
        raise
    finally:
        os.close(pid_reader)
    os.close(go_writer)
    return payload


def _call(callback: Callable[[int], object] | None, pid: int, child: int, go_writer: int) -> None:
    """Let process *pid*, which waits at the other end of *go_writer*, go on after *callback*; end it if that fails.

    *child* is the same number, or -1 if it is no child: then another one may have the number by now, and it ends by
    itself when *go_writer* is closed.
    """
    try:
        if callback:
            callback(pid)
    except BaseException:
        if child > 0:
            os.kill(child, 9)
            os.waitpid(child, 0)
        raise
    try:
        os.write(go_writer, b".")
    except BrokenPipeError:
        pass  # it died meanwhile; the end of its report says so


def _lost(lines: Iterable[str], attached: bool) -> SetupError:
    """Why the middle process has not told a PID: it failed, or was killed; a payload it made notices, and ends."""
    failures = [_failure(line) for line in lines if line.startswith("error ")]
    while attached:
        try:
            os.waitpid(-1, 0)  # the payload, if there is one: nothing else is a child now
        except ChildProcessError:
            break
    return next((failure for failure in failures if str(failure) != PARENT_GONE), SetupError(KILLED))


def _failure(line: str) -> SetupError:
    _, status, text = line.rstrip("\n").split(" ", 2)
    return SetupError(text, int(status))


def _supervise(
    lines: Iterable[str],
    build: Build,
    payload: int,
    go_writer: int,
    before_exec: Callable[[int], object] | None,
    attached: bool,
) -> None:
    executing = False
    failure: SetupError | None = None
    for line in lines:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "streams":
            fds = build.receive()
            if build.terminal or build.console:
                build.master_fd = fds.pop(0)
            build.pipe_fds = fds
        elif word == "ready":
            build.marks.append(rest)
            _call(before_exec, payload, payload if attached else -1, go_writer)
            executing = True
        elif word == "error":
            failure = _failure(line)
            if not attached:
                raise failure
            _call(None, payload, payload, go_writer)
    if failure is None and executing:
        return
    if attached:
        os.waitpid(payload, 0)
    raise failure or SetupError(KILLED)


class _Link:
    """The child's ends of the pipes: it reports on one, and waits on another to be told to go on."""

    def __init__(self, report_fd: int, go_fd: int, pid_fd: int, attached: bool) -> None:
        self.report_fd = report_fd
        self.go_fd = go_fd
        self.pid_fd = pid_fd  # the middle process's alone
        self.attached = attached

    def send(self, line: str) -> None:
        os.write(self.report_fd, (line.replace("\n", " ") + "\n").encode("utf-8", "replace"))

    def fail(self, error: SetupError) -> None:
        self.send(f"error {error.status} {error}")

    def leave(self, status: int) -> None:
        """Exit, but not before the parent has told why, or has ended."""
        try:
            os.read(self.go_fd, 1)
        finally:
            os._exit(status)

    def wait(self) -> None:
        if not os.read(self.go_fd, 1):
            raise SetupError(PARENT_GONE)

    def check(self) -> None:
        """See that the parent has not ended before this process was to hear of that."""
        poll = select.poll()
        poll.register(self.go_fd, 0)
        if poll.poll(0):
            raise SetupError(PARENT_GONE)


def _middle(
    operations: Sequence[Operation], build: Build, enter: Callable[[], None], link: _Link, new_root: bool
) -> None:
    try:
        # The caller's handlers are not for its children: a signal ends them like any other process.
        for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM):
            _signal.signal(number, _signal.SIG_DFL)
        link.wait()
        build.marks.clear()  # the parent has them
        build.mark("fork")
        enter()
        build.mark("enter")
        pid = os.fork()
        if pid == 0:
            os.close(link.pid_fd)
            _payload(operations, build, link, new_root)
        os.write(link.pid_fd, b"%d" % pid)
    except SetupError as error:
        link.fail(error)
    except BlockingIOError:
        link.fail(SetupError(NO_PROCESS))
    except BaseException as error:
        link.fail(SetupError(f"Failed to enter the namespaces: {error}"))
    os._exit(0)


def _payload(operations: Sequence[Operation], build: Build, link: _Link, new_root: bool) -> None:
    status = EXIT_SETUP
    try:
        os.setsid()
        os.umask(0o022)
        if new_root and not build.shares_mounts:
            build.attach_root()
        build.mark("fork/payload")
        for operation in operations:
            failpoint(operation, "execute")
            if isinstance(operation, Exec):
                _last_preparations(build, link)
            try:
                operation.execute(build)
            except (OSError, LookupError, ValueError) as error:
                raise explain(operation, error) from error
            build.mark(f"execute/{operation.keyword}")
        raise SetupError("The plan has nothing to execute")
    except SetupError as error:
        status = error.status
        link.fail(error)
    except BaseException as error:
        link.fail(SetupError(f"Unexpected failure: {type(error).__name__}: {error}"))
    finally:
        link.leave(status)


def _last_preparations(build: Build, link: _Link) -> None:
    """Streams, parent's death signal, descriptors: all that must come right before execve(2)."""
    ends = _replace_streams(build)
    if ends:
        build.send(ends)
        link.send("streams")
    link.send(f"ready {' '.join(build.marks)}")
    link.wait()
    if link.attached:
        # Not earlier: until the middle process has ended it is the parent, and its end is not the caller's.
        linux.prctl(linux.PR_SET_PDEATHSIG, 9)
        link.check()
    # The link is closed by execve(2) itself: a failure of that is still to be reported.
    first = 3
    for kept in sorted((link.report_fd, link.go_fd, *build.kept_fds)):
        linux.close_range(first, kept - 1)
        first = kept + 1
    linux.close_range(first)


def _replace_streams(build: Build) -> list[int]:
    """Give this process the standard streams that *build* asks for; returns the other ends, a terminal's first.

    By now this is the payload's user, whom a new pipe belongs to: so it can be opened by name, as /dev/stdout.
    """
    ends = []
    if build.console_fd >= 0 or build.terminal:
        ends.append(build.console_fd if build.console_fd >= 0 else _open_terminal())
        if build.terminal_size:
            fcntl.ioctl(ends[0], TIOCSWINSZ, build.terminal_size)
    if build.null_fd >= 0:
        os.dup2(build.null_fd, 0)
    for group in build.pipes:
        reader, writer = os.pipe()
        mine, other = (reader, writer) if group == (0,) else (writer, reader)
        for fd in group:
            os.dup2(mine, fd)
        os.close(mine)
        ends.append(other)
    return ends


def _open_terminal() -> int:
    # The pair comes from the container's own devpts; the operator's terminal is never handed in, since a payload
    # could push input into it (TIOCSTI, CVE-2016-10124).
    try:
        master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        why = "its programs have taken all of them" if error.errno == errno.ENOSPC else error.strerror
        raise SetupError(f"Failed to open a terminal of the container: {why}") from error
    if linux.fstatfs_type(master) != linux.DEVPTS_SUPER_MAGIC or os.fstat(master).st_rdev != os.makedev(5, 2):
        raise SetupError("The container's /dev/pts/ptmx is not a terminal multiplexer")
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    peer = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(peer, TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(peer, fd)
    os.close(peer)
    return master
