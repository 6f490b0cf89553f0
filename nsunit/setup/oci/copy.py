"""tmpcopyup: what was in a directory goes into the tmpfs that is mounted there."""

from __future__ import annotations

import os
import stat

_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def tree(source: int, target: int) -> None:
    """Copy all below the directory *source* into *target*, descriptors both, with owners, modes and times."""
    reader, writer = (os.open(".", _DIRECTORY, dir_fd=fd) for fd in (source, target))
    _contents(reader, writer)
    for fd in (reader, writer):
        os.close(fd)


def _contents(source: int, target: int) -> None:
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o700, dir_fd=target)
            below, into = (os.open(name, _DIRECTORY, dir_fd=fd) for fd in (source, target))
            _contents(below, into)
            os.close(below)
            os.close(into)
        elif stat.S_ISREG(status.st_mode):
            _file(source, target, name)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        else:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _file(source: int, target: int, name: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
    while chunk := os.read(reader, _CHUNK):
        while chunk:  # the last one that fits may go in part, and only the next fails
            chunk = chunk[os.write(writer, chunk) :]
    os.close(reader)
    os.close(writer)
