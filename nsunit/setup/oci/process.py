"""The process of config.json: its limits, identity, privileges and program, in the order of the steps."""

from __future__ import annotations

import _stat
import errno

from nsunit.setup import files, linux
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.oci import calls
from nsunit.setup.oci.step import Box, Step

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPABILITIES_MAX = 63
_PROC_ROOT_INO = 1  # include/linux/proc_fs.h


class Domainname(Step):
    """Set the NIS domain name of the container's UTS namespace."""

    __slots__ = ("name",)
    keyword = "oci-domainname"
    name: str

    def describe(self) -> str:
        """See Operation."""
        return f"set the domain name '{self.name}'"

    def execute(self, build: Build) -> None:
        """setdomainname(2)."""
        linux.setdomainname(self.name)


SEPARATORS = {ord("."): "/", ord("/"): "."}  # of a parameter's name, for its path, and of that for the name


class Sysctl(Step):
    """Set the kernel parameter *key* of the container's namespaces to *value*."""

    __slots__ = ("key", "value")
    keyword = "oci-sysctl"
    key: str
    value: str

    def describe(self) -> str:
        """See Operation."""
        return f"set sysctl '{self.key}' to '{self.value}'"

    def execute(self, build: Build) -> None:
        """Write it through the container's procfs."""
        write_proc("sys/" + self.key.translate(SEPARATORS), self.value)


class Keyring(Step):
    """A session keyring of its own."""

    keyword = "oci-keyring"

    def describe(self) -> str:
        """See Operation."""
        return "make a session keyring"

    def execute(self, build: Build) -> None:
        """keyctl(2)."""
        linux.new_session_keyring(with_user=False)


class Call(Step):
    """One system call *name* of nsunit.setup.oci.calls, or of os and linux, with *values*; *what* it is for people."""

    __slots__ = ("what", "name", "values")
    keyword = "oci-call"
    what: str
    name: str
    values: tuple[object, ...]

    def describe(self) -> str:
        """See Operation."""
        return self.what

    def execute(self, build: Build) -> None:
        """Make it."""
        for module in (calls, linux, os):
            deed = getattr(module, self.name, None)
            if deed is not None:
                deed(*self.values)
                return
        raise OSError(errno.ENOSYS, f"this Python has no {self.name}")


class Label(Step):
    """What a security module is to make of execve(2): *text* for the *file* in /proc/self/attr."""

    __slots__ = ("file", "text")
    keyword = "oci-label"
    file: str
    text: str

    def describe(self) -> str:
        """See Operation."""
        return f"set the label '{self.text}'"

    def execute(self, build: Build) -> None:
        """Write it."""
        write_proc(f"self/attr/{self.file}", self.text)


def write_proc(path: str, text: str) -> None:
    """Write *text* to the file *path* of the procfs at /proc.

    Raises:
        OSError: also if something else is mounted there, or on the way: another file of procfs in the place of this one
            would make root's write one to the host (CVE-2025-52881).
    """
    proc = linux.openat2(linux.AT_FDCWD, "/proc", os.O_PATH | os.O_DIRECTORY, linux.RESOLVE_NO_SYMLINKS)
    try:
        if linux.fstatfs_type(proc) != linux.PROC_SUPER_MAGIC or os.fstat(proc).st_ino != _PROC_ROOT_INO:
            raise OSError(errno.EINVAL, "/proc is no procfs")
        fd = linux.openat2(proc, path, os.O_WRONLY, linux.RESOLVE_NO_MAGICLINKS | linux.RESOLVE_NO_XDEV)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise OSError(errno.EXDEV, "something else is mounted over it") from None
    finally:
        os.close(proc)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


class Home(Step):
    """Look up the home of user *uid* in the container's /etc/passwd, for HOME where nobody has said it."""

    __slots__ = ("uid",)
    keyword = "oci-home"
    uid: int

    def describe(self) -> str:
        """See Operation."""
        return f"look up the home of user {self.uid}"

    def execute(self, build: Build) -> None:
        """Read the file; what it does not know lives in /."""
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            content = files.read_file(root, "etc/passwd")
        except OSError:
            content = b""  # there is none, or it is nothing that could be read
        os.close(root)
        wanted = b"%d" % self.uid
        entries = (line.split(b":") for line in content.splitlines())
        homes = (entry[5] for entry in entries if len(entry) == 7 and entry[2] == wanted)
        build.home = os.fsdecode(next(homes, b"")) or "/"


class Identity(Step):
    """Become user *uid* with the five capability sets, bit masks each; without *groups* those of the caller stay."""

    __slots__ = ("uid", "gid", "groups", "bounding", "effective", "permitted", "inheritable", "ambient")
    keyword = "oci-identity"
    uid: int
    gid: int
    groups: tuple[int, ...] | None
    bounding: int
    effective: int
    permitted: int
    inheritable: int
    ambient: int

    def describe(self) -> str:
        """See Operation."""
        return f"become user {self.uid} and group {self.gid}"

    def execute(self, build: Build) -> None:
        """Bounding set, groups, ids, the other sets."""
        linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
        linux.drop_bounding_set(self.bounding)
        linux.prctl(calls.PR_SET_KEEPCAPS, 1)
        self._groups()
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        linux.prctl(calls.PR_SET_KEEPCAPS, 0)
        known = _known_capabilities()
        linux.capset(self.permitted & known, self.effective & known, self.inheritable & known)
        for capability in range(CAPABILITIES_MAX + 1):
            # What is not inheritable cannot be ambient; `runc spec` asks for it, and no runtime minds.
            if self.ambient & self.inheritable & self.permitted & known & 1 << capability:
                linux.prctl(linux.PR_CAP_AMBIENT, calls.PR_CAP_AMBIENT_RAISE, capability)

    def _groups(self) -> None:
        if self.groups is None:
            return
        try:
            os.setgroups(self.groups)
        except PermissionError:
            if self.groups:
                raise
            # A user namespace with one id has no say about groups: setgroups is denied there.


def _known_capabilities() -> int:
    known, unknown = 0, CAPABILITIES_MAX + 1  # the kernel has the first of all
    while unknown - known > 1:
        middle = (known + unknown) // 2
        try:
            linux.prctl(linux.PR_CAPBSET_READ, middle)
            known = middle
        except OSError:
            unknown = middle
    return (1 << unknown) - 1


class Filter(Step):
    """Load the seccomp *program* with *flags*; if it *asks* a listener, the runtime takes that to who listens."""

    __slots__ = ("program", "flags", "asks")
    keyword = "oci-seccomp"
    program: bytes
    flags: int
    asks: bool

    def describe(self) -> str:
        """See Operation."""
        return "load the seccomp filter"

    def execute(self, build: Build) -> None:
        """seccomp(2)."""
        fd = linux.seccomp(self.program, self.flags)
        if self.asks:
            assert isinstance(build, Box)
            build.channel.call("listener", str(fd))  # by its number: the program may not let anything else pass
            os.close(fd)


class WorkingDirectory(Step):
    """Change to the directory *path*.

    The first attempt is with the privileges of root, who also *makes* it where it is missing.  Only where that may not
    go there, on another's file system, the payload's user tries again.
    """

    __slots__ = ("path", "makes")
    keyword = "oci-cwd"
    path: str
    makes: bool

    def describe(self) -> str:
        """See Operation."""
        return f'chdir to cwd ("{self.path}") set in config.json'

    def execute(self, build: Build) -> None:
        """chdir(2), and make sure that it did not lead out of the container."""
        assert isinstance(build, Box)
        if not self.makes and build.is_there:
            return
        try:
            os.chdir(self.path)
        except FileNotFoundError:
            if not self.makes:
                raise
            make_directories(self.path)
            os.chdir(self.path)
        except PermissionError:
            if not self.makes:
                raise
            return
        build.is_there = True
        # "(unreachable)" for a directory outside the root, which getcwd(3) turns into ENOENT (CVE-2024-21626).
        if not os.getcwd().startswith("/"):
            raise OSError(errno.ENOENT, "current working directory is outside of container mount namespace root")


def make_directories(path: str) -> None:
    """Make *path* and those above it, inside the container."""
    made = ""
    for name in path.strip("/").split("/"):
        made += "/" + name
        try:
            os.mkdir(made, 0o755)
        except FileExistsError:
            pass


class FindProgram(Step):
    """Find the program of *argv* as the payload's user, by *path*: what is not there is told before the start."""

    __slots__ = ("name", "path")
    keyword = "oci-find"
    name: str
    path: str

    def describe(self) -> str:
        """See Operation."""
        return f'exec: "{self.name}"'

    def execute(self, build: Build) -> None:
        """See whether it can be executed."""
        assert isinstance(build, Box)
        build.program = find(self.name, self.path)


class CannotFindError(Exception):
    """There is no such program; the text is runc's, which engines look into."""


def find(name: str, path: str) -> str:
    """The file that execvp(3) would execute.

    Raises:
        CannotFindError: it cannot be executed.
    """
    if "/" in name:
        try:
            status = os.stat(name)
        except OSError as error:
            raise CannotFindError(f'exec: "{name}": stat {name}: {_reason(error)}') from None
        if _stat.S_ISDIR(status.st_mode):
            raise CannotFindError(f'exec: "{name}": is a directory')
        if not _may_execute(name, status):
            raise CannotFindError(f'exec: "{name}": permission denied')
        return name
    denied = False
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{name}"
        try:
            status = os.stat(candidate)
        except OSError:
            continue
        if not _stat.S_ISDIR(status.st_mode):
            if _may_execute(candidate, status):
                return candidate
            denied = True
    if denied:
        raise CannotFindError(f'exec: "{name}": permission denied')
    raise CannotFindError(f'exec: "{name}": executable file not found in $PATH')


def _may_execute(path: str, status: os.stat_result) -> bool:
    return bool(status.st_mode & 0o111) and os.access(path, os.X_OK, effective_ids=True)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


class Wait(Step):
    """Tell the runtime that all is ready, let go of it, and wait for the byte that `start` sends."""

    keyword = "oci-wait"

    def describe(self) -> str:
        """See Operation."""
        return "wait for the start"

    def execute(self, build: Build) -> None:
        """From here on what fails goes to `start`."""
        assert isinstance(build, Box)
        build.channel.call("ready")
        build.channel.close()
        build.is_ready = True
        keep_only(build, build.go_fd, build.reply_fd)
        while not os.read(build.go_fd, 1):
            pass
        os.close(build.go_fd)
        os.write(build.reply_fd, b".")


class Report(Step):
    """Tell the runtime that execve(2) comes next: what fails from here on comes as an error, its success as the end."""

    keyword = "oci-report"

    def describe(self) -> str:
        """See Operation."""
        return "report to the runtime"

    def execute(self, build: Build) -> None:
        """Keep only the channel, which execve(2) closes."""
        assert isinstance(build, Box)
        build.channel.call("executing")
        keep_only(build, build.channel.fileno())


def keep_only(build: Box, *kept: int) -> None:
    """Close all descriptors but the payload's own and *kept*."""
    first = build.keep_first
    for fd in sorted(kept):
        linux.close_range(first, fd - 1)
        first = fd + 1
    linux.close_range(first)


class Exec(Step):
    """Become the payload: *argv* with *environment*, `NAME=value`."""

    __slots__ = ("argv", "environment")
    keyword = "oci-exec"
    argv: tuple[str, ...]
    environment: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f'exec: "{self.argv[0]}"'

    def execute(self, build: Build) -> None:
        """execve(2); returns only by raising."""
        assert isinstance(build, Box)
        variables = dict(_pair(entry) for entry in self.environment)
        if build.home:
            variables.setdefault("HOME", build.home)
        linux.default_signals()
        os.execve(build.program, self.argv, variables)


def _pair(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value
