"""Keeps the host's interpreter away from a payload that is root on the host.

A payload that is the script `#!/proc/self/exe` is run by the program of the process that has set it up: the host's
Python.  From then on /proc/self/exe leads to that file, and whoever may write to it can take over the host
(CVE-2019-5736).  The root of a user namespace may not; where the host's root is inside, the process that sets up first
executes itself from a read-only mount of the same file, which is nowhere in any tree and can be reached by that link
alone.  Imported only for such containers.
"""

from __future__ import annotations

import os
import sys

from nsunit.setup import linux, namespaces
from nsunit.setup.spawn import SetupError

_LINK = "/proc/self/exe"
_FIRST_PASSED = 3  # SD_LISTEN_FDS_START


def protect() -> None:
    """Return where the interpreter is out of reach already; else this process begins anew, with all its words.

    Raises:
        SetupError: the kernel refused it.
    """
    try:
        _protect()
    except OSError as error:
        text = f"Failed to keep the host's interpreter away from the program: {error.strerror}"
        raise SetupError(text) from error


def _protect() -> None:
    own = os.open(_LINK, os.O_PATH | os.O_CLOEXEC)
    if _is_detached(own) and _is_read_only(own):
        os.close(own)
        # A program that is executed by descriptor is called like that, and people look for processes by name.
        namespaces.write_file("/proc/self/comm", os.path.basename(sys.argv[0]))
        return
    program = linux.clone_tree(own)
    attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    linux.mount_setattr(program, attributes, propagation=linux.MS_PRIVATE)
    if not _is_read_only(program) or not _is_detached(program):  # it would begin anew for ever
        raise OSError(0, "its mount is writable")
    for fd in _passed():
        os.set_inheritable(fd, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, (sys.executable, *sys.orig_argv[1:]), os.environ)


def _is_read_only(fd: int) -> bool:
    return bool(os.statvfs(fd).f_flag & os.ST_RDONLY)


def _is_detached(fd: int) -> bool:
    """Whether the mount of *fd* is in no tree, so that nobody can find it and make it writable again."""
    info = namespaces.read_file(f"/proc/self/fdinfo/{fd}")
    number = info.partition("mnt_id:")[2].split()[0]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as mounts:
        return all(line.partition(" ")[0] != number for line in mounts)


def _passed() -> range:
    """The descriptors that systemd has handed to this process, sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return range(0)
    return range(_FIRST_PASSED, _FIRST_PASSED + int(os.environ.get("LISTEN_FDS", "0")))
