"""Kernel constants and system calls that Python's standard library lacks.

Names are the kernel's own.  Every wrapper raises OSError with the call's name or path on failure.  Values are packed
with struct, since building ctypes.Structure classes at import costs more than all the calls of a start.  Python 3.11
has no os.unshare and os.setns, so these go by number as well.

Imports are counted here: this module is loaded on every start and every exec.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _struct as struct  # the C half: the other is a file to read, and no more
import errno

from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from nsunit.setup.libc import Sleeper

# clone(2), unshare(2), setns(2)
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# openat2(2)
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
_RENAME_EXCHANGE = 2

# open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2)
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = 1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
FSMOUNT_CLOEXEC = 1

# mount_setattr(2), also the attributes of fsmount(2)
MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR_IDMAP = 0x00100000

# mount(2), umount2(2)
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

# statfs(2)
PROC_SUPER_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572
CGROUP2_SUPER_MAGIC = 0x63677270
DEVPTS_SUPER_MAGIC = 0x1CD1
NSFS_MAGIC = 0x6E736673

# prctl(2)
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_SET_THP_DISABLE = 41
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
PR_SET_MEMORY_MERGE = 67

SECCOMP_SET_MODE_FILTER = 1
_RLIMIT_NOFILE = 7
CLOSE_RANGE_CLOEXEC = 4
_LINUX_CAPABILITY_VERSION_3 = 0x20080522

# System call numbers: those from 424 on are the same on every architecture, the older ones are not.
_OLD_CALLS = {
    # name: x86_64, aarch64
    "bpf": (321, 280),
    "capset": (126, 91),
    "fstatfs": (138, 44),
    "ioprio_set": (251, 30),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "renameat2": (316, 276),
    "sched_setattr": (314, 274),
    "seccomp": (317, 277),
    "set_mempolicy": (238, 237),
    "setfsgid": (123, 152),
    "setfsuid": (122, 151),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "syncfs": (306, 267),
    "umount2": (166, 39),
    "unshare": (272, 97),
}
MACHINE = os.uname().machine
Argument = int | bytes | bytearray | None
_COLUMN = {"x86_64": 0, "aarch64": 1}
SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_FSOPEN = 430
SYS_FSCONFIG = 431
SYS_FSMOUNT = 432
SYS_CLOSE_RANGE = 436
SYS_OPENAT2 = 437
SYS_MOUNT_SETATTR = 442
SYS_QUOTACTL_FD = 443


def _libc() -> ModuleType:
    from nsunit.setup import libc  # it brings ctypes

    return libc


def _load(what: str, number: int, *arguments: Argument, path: str | None = None) -> int:
    """Stand in for libc.syscall until the first call: what only plans never makes one."""
    global _system_call
    _system_call = _libc().syscall
    result: int = _system_call(what, number, *arguments, path=path)
    return result


_system_call = _load


def old_call(name: str, *arguments: Argument, path: str | None = None) -> int:
    """Make the system call *name* of `_OLD_CALLS`."""
    column = _COLUMN.get(MACHINE)
    if column is None:
        raise OSError(38, f"{name}: no system call number known for {MACHINE}")
    return _system_call(name, _OLD_CALLS[name][column], *arguments, path=path)


# --- namespaces and processes


def unshare(flags: int) -> None:
    """unshare(2): move the calling process (its next child, for PID and time) into new namespaces."""
    old_call("unshare", flags)


def sleeper(flags: int) -> Sleeper:
    """A process in new namespaces, for who needs those alone: see libc.Sleeper."""
    found: Sleeper = _libc().Sleeper(flags)
    return found


def ended() -> int:
    """A process that has ended, for who needs nothing but one to wait for: see libc.ended."""
    pid: int = _libc().ended()
    return pid


def fork_into(cgroup_fd: int) -> int:
    """fork(2) right into a cgroup: see libc.fork_into."""
    pid: int = _libc().fork_into(cgroup_fd)
    return pid


def setns(fd: int, flags: int) -> None:
    """setns(2): join the namespaces *flags* of the pidfd, or the one namespace, behind *fd*."""
    old_call("setns", fd, flags)


def prctl(option: int, argument: int | bytes = 0, argument2: int = 0) -> int:
    """prctl(2), with up to two arguments; the unused ones are zero, as the kernel insists."""
    return old_call("prctl", option, argument, argument2, 0, 0)


def drop_bounding_set(mask: int) -> None:
    """Take all capabilities out of the bounding set but those of the bit *mask*."""
    for capability in range(64):
        if mask >> capability & 1:
            continue
        try:
            _drop(capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # past the last capability of this kernel


def _drop(capability: int) -> None:
    try:
        prctl(PR_CAPBSET_DROP, capability)
    except PermissionError:
        if prctl(PR_CAPBSET_READ, capability):  # who may drop none need not drop what is not there
            raise


def default_signals() -> None:
    """Ignore and block no signal: execve(2) hands that on, whether it is Python's or that of who has started us."""
    for number in _signal.valid_signals():
        if _signal.getsignal(number) == _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def descriptors_max(limits: bytes = b"") -> bytes:
    """prlimit(2) of RLIMIT_NOFILE, of the calling process: sets *limits* if there are some, and returns those before.

    They are a `struct rlimit64`: the soft limit and the hard one, eight bytes each.
    """
    before = bytearray(16)
    old_call("prlimit64", 0, _RLIMIT_NOFILE, limits or None, before)
    return bytes(before)


def sethostname(name: str) -> None:
    """sethostname(2), in the UTS namespace of the caller."""
    raw = name.encode()
    old_call("sethostname", raw, len(raw))


def setdomainname(name: str) -> None:
    """setdomainname(2), in the UTS namespace of the caller."""
    raw = name.encode()
    old_call("setdomainname", raw, len(raw))


def capset(permitted: int, effective: int | None = None, inheritable: int = 0) -> None:
    """capset(2): the three sets as bit masks; all of *permitted* is effective unless that is said."""
    sets = permitted if effective is None else effective, permitted, inheritable
    words = [mask >> shift & 0xFFFFFFFF for shift in (0, 32) for mask in sets]
    old_call("capset", struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0), struct.pack("=6I", *words))


def ioprio_set(class_: int, priority: int) -> None:
    """ioprio_set(2), of the calling process."""
    old_call("ioprio_set", 1, 0, class_ << 13 | priority)


def set_mempolicy(mode: int, nodes: bytes) -> None:
    """set_mempolicy(2): *nodes* is a mask in whole words, lowest node first."""
    old_call("set_mempolicy", mode, nodes or None, len(nodes) * 8 + 1 if nodes else 0)


def new_session_keyring(*, with_user: bool) -> None:
    """keyctl(2): a session keyring of the caller's own, empty, or with a link to its user's.

    As with systemd: where there are no keyrings, or a filter or a quota does not let us, there is none.
    """
    try:
        old_call("keyctl", 1, None, 0, 0, 0)  # KEYCTL_JOIN_SESSION_KEYRING
        if with_user:
            old_call("keyctl", 8, -4, -3, 0, 0)  # KEYCTL_LINK, the user's, the session's
    except OSError as error:
        if error.errno not in (1, 13, 38, 122):  # EPERM, EACCES, ENOSYS, EDQUOT
            raise


def bpf(command: int, attributes: bytes) -> int:
    """bpf(2) with the union of *attributes* that *command* takes, as far as it is needed."""
    return old_call("bpf", command, attributes, len(attributes))


def seccomp(program: bytes, flags: int = 0) -> int:
    """seccomp(2): load *program*, an array of struct sock_filter, as a filter of the calling thread.

    Returns a listener's descriptor where *flags* ask for one.
    """
    filters = bytearray(program)
    fprog = struct.pack("@HP", len(program) // 8, _libc().address_of(filters))
    return old_call("seccomp", SECCOMP_SET_MODE_FILTER, flags, fprog)


def setfsid(user: int, group: int) -> None:
    """setfsuid(2) and setfsgid(2); verified, since both calls report no error."""
    for call, identity in (("setfsgid", group), ("setfsuid", user)):
        old_call(call, identity)
        if old_call(call, -1) != identity:
            raise OSError(1, f"setfsuid: cannot become {identity}")


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """close_range(2)."""
    if first <= last:
        _system_call("close_range", SYS_CLOSE_RANGE, first, last, flags)


# --- files


def openat2(dir_fd: int, path: str, flags: int, resolve: int) -> int:
    """openat2(2), always close-on-exec.

    A rename or mount that races with a `..` makes RESOLVE_IN_ROOT fail with EAGAIN; that is tried again, boundedly.
    """
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    for attempt in range(128):
        try:
            return _system_call("openat2", SYS_OPENAT2, dir_fd, os.fsencode(path), how, len(how), path=path)
        except BlockingIOError:
            if attempt == 127:
                raise
    raise AssertionError("unreachable")


def fstatfs_type(fd: int) -> int:
    """The f_type field of fstatfs(2), which os.statvfs leaves out."""
    buffer = bytearray(256)
    old_call("fstatfs", fd, buffer)
    return int(struct.unpack_from("@l", buffer)[0])


def syncfs(fd: int) -> None:
    """syncfs(2): write all of the file system behind *fd* to its disk."""
    old_call("syncfs", fd)


def rename_exchange(first: str, second: str) -> None:
    """Let two files have each other's names, in one step; rename(2), RENAME_EXCHANGE."""
    names = os.fsencode(first), os.fsencode(second)
    old_call("renameat2", AT_FDCWD, names[0], AT_FDCWD, names[1], _RENAME_EXCHANGE, path=second)


def quotactl_fd(fd: int, command: int, identity: int, buffer: bytearray) -> None:
    """quotactl_fd(2): *command*, of the file system behind *fd*, about the user, group or project *identity*."""
    _system_call("quotactl_fd", SYS_QUOTACTL_FD, fd, command, identity, buffer)


# --- mounts


def mount_propagation(path: str, flags: int) -> None:
    """mount(2) that only changes propagation: *flags* is MS_PRIVATE or MS_SLAVE, with MS_REC."""
    old_call("mount", None, os.fsencode(path), None, flags, None, path=path)


def mount(source: str, target: str, fstype: str, flags: int, options: str) -> None:
    """mount(2): the old call, for file systems whose new-API parser is younger than Linux 6.1."""
    arguments = (source.encode(), os.fsencode(target), fstype.encode(), flags, os.fsencode(options))
    old_call("mount", *arguments, path=target)


def umount2(path: str, flags: int) -> None:
    """umount2(2)."""
    old_call("umount2", os.fsencode(path), flags, path=path)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    old_call("pivot_root", os.fsencode(new_root), os.fsencode(put_old))


def open_tree(dir_fd: int, path: str, flags: int) -> int:
    """open_tree(2), always close-on-exec."""
    return _system_call("open_tree", SYS_OPEN_TREE, dir_fd, os.fsencode(path), flags | OPEN_TREE_CLOEXEC, path=path)


def clone_tree(fd: int, *, recursive: bool = False) -> int:
    """A detached copy of the mount behind *fd*, rooted there: a bind mount that is not attached yet."""
    return open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0))


def move_mount(fd: int, target_fd: int) -> None:
    """move_mount(2): attach the mount behind *fd* at the place behind *target_fd*; no path is looked up again."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    _system_call("move_mount", SYS_MOVE_MOUNT, fd, b"", target_fd, b"", flags)


def mount_setattr(
    fd: int, attr_set: int = 0, *, clear: int = 0, propagation: int = 0, userns_fd: int = 0, recursive: bool = False
) -> None:
    """mount_setattr(2) on the mount behind *fd*."""
    attributes = struct.pack("=QQQQ", attr_set, clear, propagation, userns_fd)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    _system_call("mount_setattr", SYS_MOUNT_SETATTR, fd, b"", flags, attributes, len(attributes))


def fsopen(fstype: str) -> int:
    """fsopen(2)."""
    return _system_call("fsopen", SYS_FSOPEN, fstype.encode(), FSOPEN_CLOEXEC, path=fstype)


def fsconfig(fd: int, key: str, value: str | None) -> None:
    """fsconfig(2): set a string option, or a flag where *value* is None."""
    command = FSCONFIG_SET_FLAG if value is None else FSCONFIG_SET_STRING
    _system_call("fsconfig", SYS_FSCONFIG, fd, command, key.encode(), None if value is None else os.fsencode(value), 0)


def fsmount(fd: int, attributes: int) -> int:
    """Create the superblock that *fd* of fsopen(2) describes and return a detached mount of it."""
    _system_call("fsconfig", SYS_FSCONFIG, fd, FSCONFIG_CMD_CREATE, None, None, 0)
    return _system_call("fsmount", SYS_FSMOUNT, fd, FSMOUNT_CLOEXEC, attributes)


def new_mount(fstype: str, attributes: int, options: tuple[tuple[str, str | None], ...] = (), source: str = "") -> int:
    """A detached mount of a new file system *fstype* with *options*; *source* is what mountinfo has for it."""
    fd = fsopen(fstype)
    try:
        for key, value in (("source", source or fstype), *options):
            fsconfig(fd, key, value)
        return fsmount(fd, attributes)
    except OSError as error:
        raise OSError(error.errno, _kernel_message(fd) or error.strerror, fstype) from error
    finally:
        os.close(fd)


def _kernel_message(fd: int) -> str:
    # The file system's own words wait in the descriptor of fsopen(2), as lines "e overlay: ...".
    try:
        return os.read(fd, 1024).decode("utf-8", "replace").strip()
    except OSError:
        return ""  # ENODATA: it had nothing to say
