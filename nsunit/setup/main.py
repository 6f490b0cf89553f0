"""nsunit-setup: builds a container inside its unit and becomes its payload.

Started by the unit's ExecStart= as `python3 -SI run.py DIRECTORY`, with the plan in DIRECTORY/plan.  It runs on every
start and every restart, so what it imports is counted: of the standard library only sys, time, errno, fcntl,
select and the C modules posix, _stat, _struct, _ctypes, _signal and _socket; of nsunit nothing outside this package but
what loads it, and `setup` modules of features, which the registry finds by keyword.
"""

from __future__ import annotations

import sys
import time

from nsunit import bytecode
from nsunit.setup import linux, mounts, namespaces, notify, process, root, spawn
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation, PlanError, read

KINDS: tuple[type[Operation], ...] = (
    namespaces.Subgroup,
    namespaces.UserNamespace,
    namespaces.Namespaces,
    root.Directory,
    root.Overlay,
    root.ReadOnlyRoot,
    root.Pivot,
    mounts.Proc,
    mounts.Sysfs,
    mounts.Cgroup,
    process.Pressure,
    mounts.SliceCgroup,
    mounts.Devices,
    mounts.Tmpfs,
    mounts.Bind,
    mounts.MaskPaths,
    mounts.ReadOnlyPaths,
    mounts.Sysctl,
    process.Hostname,
    namespaces.Loopback,
    process.Init,
    process.NotifySocket,
    process.User,
    process.Environment,
    process.Manners,
    process.WorkingDirectory,
    process.Privileges,
    process.Exec,
)
FIRST_INHERITED_FD = 3
NO_PLAN = "Failed to read its plan: it has ended, so only 'nsunit start' can start it again, unless it is enabled"


def main(argv: list[str], begun: int = 0) -> int:
    """Run the plan in directory `argv[1]`; returns the exit status where the payload could not be started.

    *begun* is when the interpreter was there, in nanoseconds of CLOCK_MONOTONIC.
    """
    if len(argv) != 2:
        print("<3>nsunit-setup: it is started by the units nsunit makes, see nsunit-setup(8)", file=sys.stderr)
        return spawn.EXIT_SETUP
    address = os.variables.get("NOTIFY_SOCKET", "")
    try:
        start(argv[1], address, begun)
    except (spawn.SetupError, PlanError, OSError) as error:
        # By these words `nsunit start` knows whose status it is.
        text = str(error) if str(error).startswith("Failed to ") else f"Failed to set the container up: {error}"
        text = text.replace("\n", " ")  # in a path: what follows it would be a field of its own, MAINPID= for instance
        print(f"<3>nsunit-setup: {text}", file=sys.stderr, flush=True)
        if address:
            # There may be none left for what follows.
            close_all_but(error.link_fd if isinstance(error, spawn.SetupError) else -1)
            notify.send(address, f"STATUS={text}")
        return error.status if isinstance(error, spawn.SetupError) else spawn.EXIT_SETUP
    return 0


def close_all_but(kept: int) -> None:
    """Close all descriptors but the standard streams and *kept*, unless that is -1."""
    first = FIRST_INHERITED_FD
    if kept >= first:
        if kept > first:
            linux.close_range(first, kept - 1)
        first = kept + 1
    linux.close_range(first)


def start(directory: str, address: str, begun: int = 0) -> None:
    """Carry out the plan in *directory*; *address* is the service manager's notification socket, or empty.

    The payload is made the unit's main process before it executes, so that its exit status is never missed.  The
    container is ready when execve(2) has succeeded, or when a payload that has the socket says so itself, or a check.

    Raises:
        spawn.SetupError: a step failed.
        PlanError: the plan cannot be read.
    """
    loaded = time.monotonic_ns()
    try:
        operations = read_plan(directory)
    except FileNotFoundError:
        raise spawn.SetupError(NO_PLAN) from None
    build = Build(directory)
    build.mark("begun", begun)
    build.mark("modules", loaded)
    build.mark("plan")
    marks = open_marks(directory)
    enter_own_users(operations, build)
    spawn.harden()
    enter_and_prepare(operations, build)

    tells_ready = bool(address) and not any(operation.tells_ready for operation in operations)
    held = 0

    def hold(payload: int) -> None:
        nonlocal held
        held = hold_end(operations, payload, build) if tells_ready else 0

    def hand_over(payload: int) -> None:
        attach_network(operations, payload, build)
        build.mark("attach")
        process.keep_scheduler(payload)
        if build.own_users:
            hold(payload)  # not before: what is forked from here on would be inside
        if address:
            # Of one that is held systemd sees no end before it has read this, and what comes after it.
            (notify.tell if held else notify.send)(address, f"MAINPID={payload}")
            build.mark("main-pid")

    spawn.spawn(
        operations,
        build,
        spawn.create(operations, build),
        new_root=True,
        meanwhile=None if build.own_users else hold,
        before_exec=hand_over,
    )
    build.mark("execve")
    write_marks(marks, build)  # before who waits for the start may ask for it
    # A short job may be over before this process is, which the manager kills then.  Of one with a name in brackets, as
    # its own have before they execute, it logs nothing.
    linux.prctl(linux.PR_SET_NAME, b"(nsunit-setup)\0")
    if tells_ready:
        notify.send(address, "READY=1")
    if held:
        os.waitpid(held, 0)
    build.carry()


def hold_end(operations: list[Operation], payload: int, build: Build) -> int:
    """Have the service manager see no end of process *payload* before it has been told that it is ready.

    A program that is over by then would count as failed, however well it went (Result=protocol).  The first process of
    a PID namespace is not gone before all others are (zap_pid_ns_processes() in the kernel), and one that has ended is
    there until it is waited for.  Returns the PID of one like that, 0 where that cannot be had.
    """
    if not spawn.namespace_flags(operations) & linux.CLONE_NEWPID:
        return 0
    if build.own_users and (build.pipes or build.console):
        return 0  # who carries the output could not come back from there
    try:
        own, pidfd = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC), os.pidfd_open(payload)
        linux.setns(pidfd, linux.CLONE_NEWPID)
        try:
            held = linux.ended()
        finally:
            if not build.own_users:
                linux.setns(own, linux.CLONE_NEWPID)
    except OSError:
        return 0  # it has failed already, and says why
    os.close(own)
    os.close(pidfd)
    return held


def open_marks(directory: str) -> int:
    """Open the file in *directory* that `write_marks` fills: soon that is out of sight.  -1 where there is no room."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(directory + "/marks", flags, 0o600)
    except OSError:
        return -1  # no reason to start nothing


def write_marks(fd: int, build: Build) -> None:
    """Write when each step has ended, for `nsunit analyze`: words and nanoseconds.  The payload runs already."""
    try:
        os.write(fd, " ".join(build.marks).encode())
        os.close(fd)
    except OSError:
        pass


def enter_own_users(operations: list[Operation], build: Build) -> None:
    """Become root of a user namespace of the caller's own, if the plan is that of a container without root.

    Raises:
        spawn.SetupError: the kernel, or newuidmap(1), refused it.
    """
    for operation in operations:
        try:
            operation.enter(operations, build)
        except OSError as error:
            raise spawn.explain(operation, error) from error


def attach_network(operations: list[Operation], payload: int, build: Build) -> None:
    """Connect the namespaces of *payload*, as far as the plan asks for that.

    Raises:
        spawn.SetupError: it failed.
    """
    for operation in operations:
        try:
            operation.attach(payload, build)
        except OSError as error:
            raise spawn.explain(operation, error) from error


def detach_network(operations: list[Operation], build: Build) -> None:
    """Take back what `attach_network` did; for a service systemd runs the program (ExecStopPost=)."""
    for operation in operations:
        operation.detach(build)


def enter_and_prepare(operations: list[Operation], build: Build) -> None:
    """Cover *build*'s workspace with a scratch tmpfs in a private mount namespace, and prepare *operations* there.

    Raises:
        spawn.SetupError: a source is missing, or the kernel refused something.
    """
    build.descriptors_max = linux.descriptors_max()
    hard = build.descriptors_max[8:]
    linux.descriptors_max(hard + hard)  # each mount takes one until it is attached
    try:
        for operation in operations:
            if operation.enters:
                operation.open(build)
    except OSError as error:
        raise spawn.explain(operation, error) from error
    if _has_hosts_root(operations, build):
        from nsunit.setup.interpreter import protect  # where the host's root is inside

        protect()
    if build.shares_mounts:
        spawn.prepare(operations, build)
        return
    try:
        root.make_workspace(build)
    except OSError as error:
        raise spawn.SetupError(f"Failed to make the workspace: {error}") from error
    build.mark("workspace")
    try:
        spawn.prepare(operations, build)
    except BaseException:
        root.leave_workspace(build)
        raise


def _has_hosts_root(operations: list[Operation], build: Build) -> bool:
    """Whether the container's ids include that of the host's root; a user's can not."""
    if build.own_users or build.userns_fd >= 0:
        return build.has_hosts_root
    return not any(isinstance(item, namespaces.UserNamespace) and int(item.start) for item in operations)


def read_plan(directory: str) -> list[Operation]:
    """The operations of the plan in *directory*."""
    return read(directory, KINDS, rare)


def rare(keyword: str) -> type[Operation] | None:
    """The operation of a feature that has *keyword*."""
    if "nsunit.features" not in sys.modules:
        bytecode.preload("features")
    from nsunit.features import operation_of  # few plans have one

    return operation_of(keyword)
