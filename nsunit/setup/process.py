"""The process that becomes the payload: its host name, identity, privileges, environment and program."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import errno

from nsunit.setup import accounts, files, linux
from nsunit.setup import system as os
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.setup.build import Build

SCHED_RESET_ON_FORK = 0x40000000


class Hostname(Operation):
    """Set the host name of the container's UTS namespace."""

    __slots__ = ("hostname",)
    keyword = "hostname"
    hostname: str

    def describe(self) -> str:
        """See Operation."""
        return f"set the host name '{self.hostname}'"

    def execute(self, build: Build) -> None:
        """sethostname(2)."""
        linux.sethostname(self.hostname)


class User(Operation):
    """Look up the user, group and supplementary groups of the payload; Privileges switches to them."""

    __slots__ = ("user", "group", "supplementary")
    keyword = "user"
    rest = "supplementary"
    user: str
    group: str
    supplementary: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"find user '{self.user or '0'}'"

    def execute(self, build: Build) -> None:
        """Read the container's account files, before the root is entered."""
        account = accounts.look_up(build.root_fd, self.user, self.group, self.supplementary)
        build.uid, build.gid, build.groups, build.home = account.uid, account.gid, account.groups, account.home
        build.environment.setdefault("HOME", account.home)
        if account.name:
            build.environment.setdefault("USER", account.name)


class NotifySocket(Operation):
    """Hand a notification socket to the payload, which then says READY=1 itself.

    It is the first of *places*, one of the container's own, or else the service manager's.
    """

    __slots__ = ("places",)
    keyword = "notify-socket"
    tells_ready = True
    rest = "places"
    places: tuple[str, ...]

    TARGET = "/run/host/notify"  # where systemd's container interface has it
    mount_point = TARGET

    def describe(self) -> str:
        """See Operation."""
        return "provide the notification socket"

    def prepare(self, build: Build) -> None:
        """Clone the mount of the socket."""
        place = self.places[0] if self.places else os.variables["NOTIFY_SOCKET"]
        fd = os.open(place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        clone = linux.clone_tree(fd)
        os.close(fd)
        linux.mount_setattr(clone, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV, propagation=linux.MS_PRIVATE)
        build.keep(self, clone)

    def execute(self, build: Build) -> None:
        """Attach it, and tell the payload where."""
        place = files.open_file(build.root_fd, self.TARGET)
        fd = build.take(self)
        linux.move_mount(fd, place)
        os.close(place)
        os.close(fd)
        build.environment["NOTIFY_SOCKET"] = self.TARGET
        # Without WATCHDOG_PID, which would be a number of the host's: sd_watchdog_enabled(3) does without.
        if "WATCHDOG_USEC" in os.variables:
            build.environment["WATCHDOG_USEC"] = os.variables["WATCHDOG_USEC"]


class Pressure(Operation):
    """Let the payload watch its unit's pressure on *kinds*, "memory" and the like, as systemd has told the helper.

    See systemd.resource-control(5) MemoryPressureWatch=, and the kernel's psi.rst: everybody may watch the host's, so
    all users of the container may watch this one.
    """

    __slots__ = ("kinds",)
    keyword = "pressure"
    rest = "kinds"
    kinds: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"let the program watch its pressure on {', '.join(self.kinds)}"

    def prepare(self, build: Build) -> None:
        """Clone the mounts of the host's files: the container's own mount of cgroups is read-only."""
        for kind in self.kinds:
            path = os.variables.get(f"{kind.upper()}_PRESSURE_WATCH", "")
            if not path.startswith("/sys/fs/cgroup/"):
                continue  # this host has no such file, or the program is not to watch
            fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.chmod(f"/proc/self/fd/{fd}", 0o666)
            clone = linux.clone_tree(fd)
            os.close(fd)
            linux.mount_setattr(
                clone,
                linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC,
                propagation=linux.MS_PRIVATE,
            )
            build.keep((self, kind), clone)

    def execute(self, build: Build) -> None:
        """Attach them, and tell the payload where they are and what to write there."""
        for kind in self.kinds:
            name, fd = kind.upper(), build.take((self, kind))
            if fd >= 0:
                place = linux.openat2(
                    build.sys_fd,
                    f"fs/cgroup/{kind}.pressure",
                    os.O_PATH,
                    linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS,
                )
                linux.move_mount(fd, place)
                os.close(place)
                os.close(fd)
                build.environment[f"{name}_PRESSURE_WATCH"] = f"/sys/fs/cgroup/{kind}.pressure"
                build.environment[f"{name}_PRESSURE_WRITE"] = os.variables.get(f"{name}_PRESSURE_WRITE", "")
            elif f"{name}_PRESSURE_WATCH" in os.variables:
                build.environment[f"{name}_PRESSURE_WATCH"] = os.variables[f"{name}_PRESSURE_WATCH"]  # /dev/null: off


class Environment(Operation):
    """Set environment variables of the payload, each `NAME=value`; nothing else reaches it from outside."""

    __slots__ = ("assignments",)
    keyword = "environment"
    rest = "assignments"
    assignments: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "set the environment"

    def execute(self, build: Build) -> None:
        """Collect them."""
        for assignment in self.assignments:
            name, _, value = assignment.partition("=")
            build.environment[name] = value


class Manners(Operation):
    """What a program inherits and this interpreter has changed: the *umask*, octal, and *sigpipe*, "ignored" or not.

    systemd has told the helper; sessions have it from here alone.
    """

    __slots__ = ("umask", "sigpipe")
    keyword = "manners"
    umask: str
    sigpipe: str

    def describe(self) -> str:
        """See Operation."""
        return f"set the umask {self.umask}"

    def execute(self, build: Build) -> None:
        """umask(2); the signal is up to Exec."""
        os.umask(int(self.umask, 8))
        build.ignores_sigpipe = self.sigpipe == "ignored"


def keep_scheduler(payload: int) -> None:
    """Give process *payload* the scheduler that CPUSchedulingResetOnFork= has taken from it: it is a grandchild."""
    policy = os.sched_getscheduler(0)
    if policy & SCHED_RESET_ON_FORK:
        os.setpriority(os.PRIO_PROCESS, payload, os.getpriority(os.PRIO_PROCESS, 0))
        os.sched_setscheduler(payload, policy, os.sched_getparam(0))


HOME = "~"  # as systemd has it


class WorkingDirectory(Operation):
    """Change to the payload's working directory: / if *path* is empty, for `~` the home of its user, or / without."""

    __slots__ = ("path",)
    keyword = "working-directory"
    path: str

    def describe(self) -> str:
        """See Operation."""
        return f"change to the directory '{self.path or '/'}'"

    def execute(self, build: Build) -> None:
        """chdir(2), and make sure that it did not lead out of the container."""
        try:
            os.chdir(build.home if self.path == HOME else self.path or "/")
        except OSError:
            if self.path != HOME:
                raise
            os.chdir("/")
        # The kernel says "(unreachable)" for a directory outside the root, which getcwd(3) turns into ENOENT: a link
        # to /proc/self/fd/N would otherwise be a way out (CVE-2024-21626).
        if not os.getcwd().startswith("/"):
            raise OSError(errno.ENOENT, "it lies outside the container", self.path)


class Privileges(Operation):
    """Become the payload's user with exactly the given capabilities, and load the seccomp filter.

    *capabilities* is a bit mask in decimal, *no_new_privs* "yes" or "no", *seccomp* a host file with the filter.
    """

    __slots__ = ("capabilities", "no_new_privs", "seccomp")
    keyword = "privileges"
    capabilities: str
    no_new_privs: str
    seccomp: str

    def describe(self) -> str:
        """See Operation."""
        return "drop privileges"

    def prepare(self, build: Build) -> None:
        """Read the filter: the container cannot see the host's files."""
        if self.seccomp:
            fd = os.open(self.seccomp, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            build.seccomp = os.read(fd, 8 * 4096)
            os.close(fd)

    def execute(self, build: Build) -> None:
        """Drop the bounding set first, the ids next, the rest of the capabilities then; the filter comes last."""
        mask = int(self.capabilities)
        linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
        linux.drop_bounding_set(mask)
        if not build.keeps_groups:
            os.setgroups(build.groups)
        elif build.groups:
            raise OSError(errno.EPERM, "its one id cannot have supplementary groups")
        os.setresgid(build.gid, build.gid, build.gid)
        early_filter = self.no_new_privs != "yes"
        if early_filter and build.seccomp:
            linux.seccomp(build.seccomp)  # without no_new_privs this takes CAP_SYS_ADMIN, which is about to go
        os.setresuid(build.uid, build.uid, build.uid)
        linux.capset(mask if build.uid == 0 else 0)
        groups = build.groups if build.keeps_groups else sorted(set(os.getgroups()) - {build.gid})
        identity = (os.getresuid(), os.getresgid(), groups)
        if identity != ((build.uid,) * 3, (build.gid,) * 3, build.groups):
            raise OSError(errno.EPERM, f"the kernel gave the ids {identity}")
        if not early_filter:
            linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
            if build.seccomp:
                linux.seccomp(build.seccomp)


class Init(Operation):
    """Bind the host's reaper *source* to run as process 1 in front of the payload."""

    __slots__ = ("source",)
    keyword = "init"
    source: str

    TARGET = "/dev/init"

    def describe(self) -> str:
        """See Operation."""
        return f"provide '{self.source}' as process 1"

    def prepare(self, build: Build) -> None:
        """Clone the mount of the host's binary."""
        fd = os.open(self.source, os.O_PATH | os.O_CLOEXEC)
        clone = linux.clone_tree(fd)
        os.close(fd)
        attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
        linux.mount_setattr(clone, attributes, propagation=linux.MS_PRIVATE)
        build.keep(self, clone)

    def execute(self, build: Build) -> None:
        """Attach it in /dev, which is the container's own tmpfs."""
        name = self.TARGET.rpartition("/")[2]
        os.mknod(name, 0o755, dir_fd=build.dev_fd)
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=build.dev_fd)
        fd = build.take(self)
        linux.move_mount(fd, place)
        os.close(place)
        os.close(fd)


class Exec(Operation):
    """Become the payload.  A program without a slash is looked for in the payload's PATH.

    *init* is empty, or the path of a reaper that becomes process 1 and runs the payload as its child.
    """

    __slots__ = ("init", "argv")
    keyword = "exec"
    rest = "argv"
    init: str
    argv: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"execute '{self.argv[0]}'"

    def execute(self, build: Build) -> None:
        """execve(2); returns only by raising."""
        environment = {"PATH": build.path, **build.environment}
        self.reset(build)
        candidates = _candidates(self.argv[0], environment["PATH"])
        if self.init:
            program = next((path for path in candidates if os.isfile(path) and os.access(path, os.X_OK)), None)
            if program is None:
                reason = errno.EACCES if any(map(os.exists, candidates)) else errno.ENOENT
                raise OSError(reason, os.strerror(reason))
            os.execve(self.init, (self.init, "--", program, *self.argv[1:]), environment)
        failure: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        for candidate in candidates:
            try:
                os.execve(candidate, self.argv, environment)
            except FileNotFoundError:
                if os.lexists(candidate):
                    raise FileNotFoundError(errno.ENOENT, "it is there, but its interpreter is not") from None
            except NotADirectoryError:
                if candidate == self.argv[0]:
                    raise
            except PermissionError as error:
                failure = error
        raise failure

    def reset(self, build: Build) -> None:
        """Undo what would last across execve(2): signals that are ignored, and the helper's own limit."""
        linux.descriptors_max(build.descriptors_max)
        linux.default_signals()
        if build.ignores_sigpipe:
            _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)


def _candidates(program: str, path: str) -> list[str]:
    if "/" in program:
        return [program]
    return [f"{directory}/{program}" for directory in path.split(":") if directory]


def of_session(
    plan: Sequence[Operation],
    argv: Sequence[str],
    user: User | None = None,
    environment: Sequence[tuple[str, str]] = (),
    place: Callable[[str], str] = str,
) -> list[Operation]:
    """What *plan* does to its payload as far as it makes sense for another process, which executes *argv*.

    It is *user*, or the payload's, starts in the directory that *place* makes of the payload's, and has the variables
    *environment* as well.
    """
    found: list[Operation] = []
    for item in plan:
        if isinstance(item, User):
            found.append(user or item)
        elif isinstance(item, WorkingDirectory):
            # The user's variables are set by looking the user up, the definition's come next, the caller's last.
            found += [Environment(tuple(f"{key}={value}" for key, value in environment))]
            found += [WorkingDirectory(place(item.path))]
        elif isinstance(item, (Environment, Manners, Privileges)):
            found.append(item)
    return [*found, Exec("", tuple(argv))]
