"""The seccomp filter of a container: made once for each set of capabilities, then read from a cache.

Making one takes the table of system calls, libseccomp for their numbers, and some milliseconds; a start should pay for
none of them.  The cache is a root-only directory; an entry's name is a digest of the capabilities and of the identity
of all files that the filter is made from and by, so another table or libseccomp makes a new entry and nothing is stale.
"""

from __future__ import annotations

import _stat as stat  # the C half of stat
import os
from _blake2 import blake2s  # hashlib would load OpenSSL, 10 ms

from nsunit import plan
from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCES = ("syscalls.py", "bpf.py")
LIBRARY = "libseccomp.so.2"
_DIGEST_SIZE = 16
_INSTRUCTION_SIZE = 8
_SIZE_MAX = 4096 * _INSTRUCTION_SIZE
_RETURN = 0x06  # BPF_RET | BPF_K, the last instruction of every program
# Where distributions keep libraries, multiarch directories first; {} is the machine as uname(2) names it.
_LIBRARY_DIRECTORIES = ("/usr/lib/{}-linux-gnu", "/lib/{}-linux-gnu", "/usr/lib64", "/usr/lib", "/lib")


def filter_file_for(capabilities: tuple[str, ...], cache_directory: str) -> str:
    """The path of a file with the filter, an array of `struct sock_filter`, of a container that holds *capabilities*.

    *cache_directory* and its parents are made, root's alone, if they are missing.

    Raises:
        NsunitError: the directory is not root's alone, libseccomp is missing, or the architecture is not known.
        OSError: the cache cannot be read or written.
    """
    architecture = os.uname().machine

    def make() -> bytes:
        from nsunit.core.seccomp_compiler import filter_of  # the first time only

        return filter_of(capabilities, architecture, library_path())

    return f"{cache_directory}/{cached(_content(capabilities, architecture), cache_directory, make)[0]}"


def _content(capabilities: tuple[str, ...], architecture: str) -> str:
    sources = (f"{os.path.dirname(plan.__file__)}/{name}" for name in _SOURCES)
    compiler = f"{os.path.dirname(__file__)}/seccomp_compiler.py"
    identities = [identity(path) for path in (library_path(), compiler, *sources)]
    return f"{sorted(set(capabilities))} {architecture} {identities}"


def cached(content: str, cache_directory: str, make: Callable[[], bytes]) -> tuple[str, bytes]:
    """The name of an entry in *cache_directory*, and the filter in it, which *make* makes where there is none yet.

    *content* says all that the filter depends on.  Raises what `filter_file_for` raises, and what *make* does.
    """
    name = blake2s(content.encode(), digest_size=_DIGEST_SIZE).hexdigest()
    directory = _open_directory(cache_directory)
    try:
        filter_ = _read(directory, name)
        if filter_ is None:
            filter_ = make()
            _write(directory, name, filter_)
        return name, filter_
    finally:
        os.close(directory)


def library_path() -> str:
    """Where libseccomp is, or its bare name where that is not known."""
    machine = os.uname().machine
    for pattern in _LIBRARY_DIRECTORIES:
        path = f"{pattern.format(machine)}/{LIBRARY}"
        if os.path.exists(path):
            return path
    return LIBRARY  # leave it to the dynamic linker


def identity(path: str) -> tuple[str, int, int]:
    """Return what tells one installed file from another: every update makes a new inode or sets the change time."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return path, 0, 0
    return path, status.st_ino, status.st_ctime_ns


def _open_directory(path: str) -> int:
    _make_directory(path)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(directory)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        os.close(directory)
        raise NsunitError(
            f"'{path}' is open to other users", hint=f"remove it, or chown it to root and chmod 0700 '{path}'"
        )
    return directory


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_directory(os.path.dirname(path))
        _make_directory(path)


def _read(directory: int, name: str) -> bytes | None:
    """Return the filter in the entry *name*, or None if there is none or it is cut off."""
    try:
        entry = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        filter_ = os.read(entry, _SIZE_MAX + 1) if stat.S_ISREG(os.fstat(entry).st_mode) else b""
    finally:
        os.close(entry)
    size = len(filter_)
    whole = 0 < size <= _SIZE_MAX and size % _INSTRUCTION_SIZE == 0 and filter_[-_INSTRUCTION_SIZE] == _RETURN
    return filter_ if whole else None


def _write(directory: int, name: str, filter_: bytes) -> None:
    """Write an entry: complete under another name first, then renamed, so that a reader sees all of it or none."""
    temporary = f"{name}.{os.getpid()}.new"  # as nsunit.storage.files has it: doctor finds what is left
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    _discard(directory, temporary)  # of a process with this id that was killed half-way
    try:
        entry = os.open(temporary, flags, 0o600, dir_fd=directory)
        with open(entry, "wb") as file:
            file.write(filter_)  # all of it, where os.write() may take a part of it
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        _discard(directory, temporary)
        raise


def _discard(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
