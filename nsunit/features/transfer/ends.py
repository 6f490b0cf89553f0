"""The two ends of a copy: what a path means as a source, and where a destination is, by docker-cp(1)'s rules.

Both are looked up where they are, on the host or in a container's view, by *opener*: it opens a path for the flags
given, as the caller there sees it.
"""

from __future__ import annotations

import errno
import os
import stat

from nsunit.errors import NsunitError
from nsunit.features.images.unpack.places import LINKS_MAX
from nsunit.names import printable
from nsunit.record import Record
from nsunit.setup import files, linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Opener = Callable[[str, int], int]

PLACE = os.O_PATH | os.O_CLOEXEC
_DIRECTORY = PLACE | os.O_DIRECTORY


class End(Record):
    """One operand: *path* in the container *container*; on the host where that is empty, a stream where *path* is `-`.

    *text* is what the user wrote.
    """

    text: str
    container: str
    path: str

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input or output."""
        return not self.container and self.path == "-"


def end_of(text: str) -> End:
    """What the operand *text* names: `NAME:PATH`, or a path of the host's, which may begin with `./` to be no name."""
    name, colon, path = text.partition(":")
    if not colon or "/" in name or name in ("", ".", ".."):
        return End(text, "", text)
    return End(text, name, path if path.startswith("/") else f"/{path}")


def on_host(path: str, flags: int) -> int:
    """The opener of the host's paths."""
    return os.open(path, flags | os.O_CLOEXEC)


def in_container(root: int) -> Opener:
    """The opener of paths in the root behind the descriptor *root*."""
    return lambda path, flags: files.open_in_root(root, path, flags)


def last(opener: Opener, path: str, *, follow: bool) -> tuple[int, str]:
    """A descriptor of the directory that *path* is in, and its name there; `.` where it ends in a directory itself.

    With *follow* the name is no link any more.

    Raises:
        OSError: the directory is not there.
    """
    for _ in range(LINKS_MAX):
        directory, slash, name = path.rpartition("/")
        if name in ("", ".", ".."):
            return opener(path or "/", _DIRECTORY), "."
        directory = directory or ("/" if slash else ".")
        fd = opener(directory, _DIRECTORY)
        if not follow:
            return fd, name
        try:
            target = os.readlink(name, dir_fd=fd)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):
                os.close(fd)
                raise
            return fd, name
        os.close(fd)
        path = target if target.startswith("/") else f"{directory}/{target}"
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def source(opener: Opener, end: End, *, follow: bool) -> tuple[int, str, str]:
    """Where the source *end* is, by directory and name, and what the archive calls it: `.` for a directory's content.

    Raises:
        NsunitError: it is not there.
    """
    try:
        fd, name = last(opener, end.path, follow=follow)
        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise NsunitError(f"'{printable(end.text)}' is not there") from None
    if name != ".":
        called = end.path.rpartition("/")[2]  # where it was a link, that is its name
        return fd, name, called
    assert stat.S_ISDIR(mode)
    own = end.path.rstrip("/").rpartition("/")[2]
    if end.path.endswith("/") and own not in ("", ".", ".."):
        return fd, name, own
    return fd, name, "."


class Target(Record):
    """Where entries go: below the directory behind *fd*, the topmost as *name*, or as it is called where that is empty.

    *into* tells that they go into a directory that was there.
    """

    fd: int
    name: str
    into: bool


def target(opener: Opener, end: End, *, is_directory: bool, several: bool) -> Target:
    """Where what is copied to *end* goes; *is_directory*: whether that is one, *several*: whether more follows.

    Raises:
        NsunitError: it cannot go there.
    """
    said = printable(end.text)
    try:
        fd, name = last(opener, end.path, follow=True)
    except FileNotFoundError:
        hint = "make it first"
        raise NsunitError(f"'{said}': there is no such directory", hint=hint) from None
    except NotADirectoryError:
        raise NsunitError(f"'{said}' leads through something that is no directory") from None
    try:
        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        mode = 0
    if stat.S_ISDIR(mode):
        return Target(linux.openat2(fd, name, _DIRECTORY, linux.RESOLVE_NO_SYMLINKS), "", True)
    if several:
        what = "is no directory" if mode else "is not there"
        raise NsunitError(f"'{said}' {what}, and more than one is to be copied into it")
    if mode and is_directory:
        raise NsunitError(f"'{said}' is no directory, and what is to be copied is one")
    if mode and not stat.S_ISREG(mode):  # /dev/null would be a file afterwards
        raise NsunitError(f"'{said}' is a device, a pipe or a socket, which no file can replace", hint="name a file")
    return Target(fd, name, False)
