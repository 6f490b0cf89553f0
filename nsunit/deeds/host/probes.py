"""What `nsunit doctor` looks at on this machine, gathered without a judgement; `nsunit.deeds.host.doctor` has those.

Kernel features are tried, not guessed from the version: distributions backport, and security modules forbid.  Every
try works on detached mounts and processes of its own, so nothing is left behind and nothing of the host changes.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from importlib.util import find_spec

from nsunit.core.findings import is_privileged
from nsunit.core.prepare import INIT_PROGRAMS
from nsunit.core.seccomp import library_path
from nsunit.core.seccomp_compiler import library_version
from nsunit.errors import BusError, NsunitError
from nsunit.formats.disks import lines_of
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT, linux
from nsunit.setup.namespaces import make_user_namespace
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context

MODULES = ("pystemd", "dbus_next", "jinja2", "pyroute2")
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
SYSCTLS = (
    "fs.inotify.max_user_instances",
    "fs.mount-max",
    "kernel.keys.maxkeys",
    "kernel.pid_max",
    "kernel.pty.max",
    "kernel.unprivileged_userns_clone",
    *(f"user.max_{name}_namespaces" for name in NAMESPACES),
)
# Any two directories that every system has: the overlay of them is made, never attached, and read-only.
_LOWER_DIRECTORIES = ("/usr", "/etc")
_IDS = "0 524288 65536\n"


class Directory(Record):
    """A directory of nsunit's own; `exists` is false before the first start."""

    path: str
    exists: bool
    owner: int = 0
    mode: int = 0
    read_only: bool = False


class Facts(Record):
    """What was found.  An errno of 0 means that a try went well; None that it was not made for lack of privilege."""

    machine: str
    kernel: str
    python: tuple[int, int]
    pid1: str
    systemd: int | None
    systemd_error: str | None
    systemd_hint: str | None
    systemd_installed: str
    cgroup: str
    controllers: tuple[str, ...]
    cgroup_options: tuple[str, ...]
    privileged: bool
    namespaces: tuple[str, ...]
    features: dict[str, int | None]
    seccomp_actions: tuple[str, ...]
    libseccomp: str | None
    libseccomp_hint: str | None
    modules: tuple[str, ...]
    reaper: str | None
    directories: tuple[Directory, ...]
    store: str
    sysctls: dict[str, int | None]


def gather(context: Context) -> Facts:
    """Look at everything.  What cannot be read is recorded as missing, never raised."""
    systemd, systemd_error, systemd_hint = _systemd(context)
    libseccomp, libseccomp_hint = _libseccomp()
    privileged = is_privileged()
    cgroup = cgroup_hierarchy(CGROUP_ROOT)
    store = _nearest_existing(context.paths.state)
    return Facts(
        machine=os.uname().machine,
        kernel=os.uname().release,
        python=sys.version_info[:2],
        pid1=_read("/proc/1/comm"),
        systemd=systemd,
        systemd_error=systemd_error,
        systemd_hint=systemd_hint,
        systemd_installed=_systemd_installed(),
        cgroup=cgroup,
        controllers=tuple(_read(f"{CGROUP_ROOT}/cgroup.controllers").split()),
        cgroup_options=_mount_options(CGROUP_ROOT),
        privileged=privileged,
        namespaces=tuple(name for name in NAMESPACES if os.path.exists(f"/proc/self/ns/{name}")),
        features=_features(store) if privileged else dict.fromkeys(FEATURES),
        seccomp_actions=tuple(_read("/proc/sys/kernel/seccomp/actions_avail").split()),
        libseccomp=libseccomp,
        libseccomp_hint=libseccomp_hint,
        modules=tuple(name for name in MODULES if _is_installed(name)),
        reaper=next((path for path in INIT_PROGRAMS if os.access(path, os.X_OK)), None),
        directories=tuple(_directory(path) for path in (context.paths.runtime, context.paths.state)),
        store=store,
        sysctls={name: _sysctl(name) for name in SYSCTLS},
    )


# --- systemd, libraries


def _systemd(context: Context) -> tuple[int | None, str | None, str | None]:
    try:
        return context.bus.version(), None, None
    except BusError as error:
        return None, error.message, error.hint


def _systemd_installed() -> str:
    """Return the installed systemd's full version, `257.13-1~deb13u1`; empty if there is none."""
    try:
        # Whatever else it has to say, be it in a locale of another encoding.
        result = subprocess.run(
            ["systemctl", "--version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    words = result.stdout.split(maxsplit=3)  # systemd 257 (257.13-1~deb13u1) +PAM …
    return words[2].strip("()") if len(words) > 2 and words[0] == "systemd" else ""


def _libseccomp() -> tuple[str | None, str | None]:
    try:
        return library_version(library_path()), None
    except NsunitError as error:
        return None, error.hint


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


# --- files


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""  # absent on this kernel, or not for this user: both are findings of their own


def _sysctl(name: str) -> int | None:
    # user.max_* and fs.mount-max have no dots of their own, so this is unambiguous
    value = _read("/proc/sys/" + name.replace(".", "/"))
    return int(value) if value.isascii() and value.isdigit() else None


def cgroup_hierarchy(directory: str) -> str:
    """Return what is mounted at *directory*: "v2", "hybrid", "v1" or "none"."""
    if not os.path.isdir(directory):
        return "none"
    if _file_system(directory) == linux.CGROUP2_SUPER_MAGIC:
        return "v2"
    for name in ("unified", "systemd"):  # where systemd puts version 2 next to version 1
        if os.path.isdir(f"{directory}/{name}") and _file_system(f"{directory}/{name}") == linux.CGROUP2_SUPER_MAGIC:
            return "hybrid"
    return "v1" if os.listdir(directory) else "none"


def _file_system(path: str) -> int:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return linux.fstatfs_type(directory)
    finally:
        os.close(directory)


def _mount_options(mount_point: str) -> tuple[str, ...]:
    for line in lines_of(read_kernel_file("/proc/self/mountinfo") or ""):
        fields = line.split(" ")
        if fields[4] == mount_point:
            return tuple(f"{fields[5]},{fields[-1]}".split(","))
    return ()


def _directory(path: str) -> Directory:
    read_only = bool(os.statvfs(_nearest_existing(path)).f_flag & os.ST_RDONLY)
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return Directory(path, exists=False, read_only=read_only)
    return Directory(path, True, status.st_uid, status.st_mode & 0o7777, read_only)


def _nearest_existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


# --- kernel features


def _try_openat2(_store: str) -> None:
    os.close(linux.openat2(linux.AT_FDCWD, "/", os.O_PATH, 0))


def _try_pidfd(_store: str) -> None:
    os.close(os.pidfd_open(os.getpid()))


def _try_mount_api(_store: str) -> None:
    os.close(linux.new_mount("tmpfs", linux.MOUNT_ATTR_NOSUID))


def _try_overlay(_store: str) -> None:
    os.close(linux.new_mount("overlay", 0, (("lowerdir", ":".join(_LOWER_DIRECTORIES)),)))


def _try_lowerdir_append(_store: str) -> None:
    os.close(linux.new_mount("overlay", 0, tuple(("lowerdir+", path) for path in _LOWER_DIRECTORIES)))


def _try_user_namespace(_store: str) -> None:
    os.close(_user_namespace())


def _try_idmap(store: str) -> None:
    namespace = _user_namespace()
    directory = os.open(store, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        tree = linux.clone_tree(directory)
        try:
            linux.mount_setattr(tree, linux.MOUNT_ATTR_IDMAP, userns_fd=namespace)
        finally:
            os.close(tree)
    finally:
        os.close(directory)
        os.close(namespace)


FEATURES: dict[str, Callable[[str], None]] = {
    "openat2": _try_openat2,
    "pidfd": _try_pidfd,
    "mount API": _try_mount_api,
    "overlay": _try_overlay,
    "lowerdir+": _try_lowerdir_append,
    "user namespace": _try_user_namespace,
    "idmap": _try_idmap,
}


def _features(store: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for name, attempt in FEATURES.items():
        try:
            attempt(store)
        except OSError as error:
            found[name] = error.errno or errno.EIO
        else:
            found[name] = 0
    return found


def _user_namespace() -> int:
    """A descriptor of a new user namespace with 65,536 ids."""
    return make_user_namespace(_IDS, _IDS)
