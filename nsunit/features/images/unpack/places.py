"""Directories of the root that is unpacked into, by descriptor; links in it lead nowhere but into it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat

from nsunit.setup import linux
from nsunit.storage.files import remove_tree

LINKS_MAX = 40
_DEFAULT_ACL = "system.posix_acl_default"
DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STRAIGHT = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS | linux.RESOLVE_NO_XDEV


def joined(directory: str, name: str) -> str:
    """The path of *name* in *directory*, which is empty for the root."""
    return f"{directory}/{name}" if directory else name


def _remove_tree(directory: int, name: str) -> None:
    """Remove the directory *name*, however deep it is; of lower layers it can only be as deep as Python goes.

    Raises:
        OSError: it is deeper.
    """
    try:
        remove_tree(name, directory)
    except OSError as error:
        if error.errno != errno.EXDEV:  # an overlay does not move what a lower layer has
            raise
        try:
            shutil.rmtree(name, dir_fd=directory)
        except RecursionError:
            raise OSError(errno.ENAMETOOLONG, "it has too many directories in one another") from None


class Places:
    """Finds directories below the descriptor *root*, and sets their times once all is made.

    A path is canonical: from the root, without links in it, empty for the root itself.  The descriptor that is handed
    out is open until the next one is asked for.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.times: dict[str, int] = {}  # ns, of directories: what they are to have
        self._asked: list[str] | None = None  # that `_found` is the answer to, if it still holds
        self._found = ("", -1)
        self._looked_at: list[int] = []
        self._plain: bool | None = None  # of what `_found` is, if it was asked for

    def directory(self, parts: list[str], time: int) -> tuple[str, int]:
        """The canonical path and a descriptor of a directory.  What is missing of it is made, with *time*."""
        if parts == self._asked:
            return self._found
        if self._found[1] >= 0:
            os.close(self._found[1])
        self._asked, self._found, self._plain = None, ("", -1), None
        found = self._straight(parts) or self._walk(parts, time)
        assert found is not None
        self._asked, self._found = list(parts), found
        return found

    def is_plain(self) -> bool:
        """Whether a file that root makes in the directory handed out is root's group's, and has the mode it is given.

        A set-group-ID bit, or the mount option `grpid`, hands down another group, and a default ACL its rules.
        """
        if self._plain is None:
            directory = self._found[1]
            os.fchdir(directory)  # there is no /proc here by which a descriptor without access could be asked
            self._plain = not os.fstat(directory).st_gid and _DEFAULT_ACL not in os.listxattr(".")
            os.fchdir(self.root)
        return self._plain

    def find(self, parts: list[str]) -> tuple[str, int] | None:
        """The same where it is there; None where it is not, or is no directory."""
        found = self._straight(parts) or self._walk(parts, None)
        while self._looked_at:
            os.close(self._looked_at.pop())
        if found is not None:
            self._looked_at.append(found[1])
        return found

    def forget(self) -> None:
        """Look the next directory up anew: something may stand in its place."""
        self._asked = None

    def keep_time(self, path: str, fd: int) -> None:
        """See that the directory *path* has the time it has now when all is done, unless it is to have another."""
        if path not in self.times:
            self.times[path] = os.fstat(fd).st_mtime_ns

    def set_times(self) -> None:
        """Give all directories their times, but those of others, as /tmp is a user's who copies into it."""
        for path, time in self.times.items():
            found = self._straight(path.split("/") if path else [])
            if found is not None:
                with contextlib.suppress(PermissionError):
                    listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=found[1])
                    try:
                        os.utime(listing, ns=(time, time))
                    finally:
                        os.close(listing)
                os.close(found[1])

    def remove(self, directory: int, name: str) -> bool:
        """Remove *name* with all in it; tells whether it was there."""
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            return False
        except IsADirectoryError:
            _remove_tree(directory, name)
        return True

    def _straight(self, parts: list[str]) -> tuple[str, int] | None:
        path = "/".join(parts)
        try:
            return path, linux.openat2(self.root, path or ".", os.O_PATH | os.O_DIRECTORY, _STRAIGHT)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                raise
            return None

    def _walk(self, parts: list[str], time: int | None) -> tuple[str, int] | None:
        """Go along *parts* one by one, through links; make what is missing where there is a *time* for it."""
        at: list[str] = []
        links = 0
        waiting = parts[::-1]
        fd = os.open(".", DIRECTORY, dir_fd=self.root)
        try:
            while waiting:
                name = waiting.pop()
                if name == "..":
                    del at[-1:]
                    fd = self._again(fd, at)
                    continue
                target = self._step(name, fd, at, time)
                if target is None:
                    return None
                if not target:
                    at.append(name)
                    fd = _replaced(fd, os.open(name, DIRECTORY, dir_fd=fd))
                    continue
                links += 1
                if links > LINKS_MAX:
                    raise OSError(errno.ELOOP, "too many links lead to its directory")
                if target.startswith("/"):
                    at = []
                    fd = self._again(fd, at)
                waiting += [part for part in target.split("/")[::-1] if part not in ("", ".")]
            found, fd = ("/".join(at), fd), -1
            return found
        finally:
            if fd >= 0:
                os.close(fd)

    def _step(self, name: str, fd: int, at: list[str], time: int | None) -> str | None:
        """Where *name* leads if it is a link, nothing if it is a directory, None where it is not there."""
        try:
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            if time is None:
                return None
            path = "/".join(at)
            self.keep_time(path, fd)
            os.mkdir(name, 0o755, dir_fd=fd)
            self.times[joined(path, name)] = time
            return ""
        if stat.S_ISLNK(mode):
            return os.readlink(name, dir_fd=fd)
        if stat.S_ISDIR(mode):
            return ""
        if time is None:
            return None
        raise OSError(errno.ENOTDIR, f"'{'/'.join((*at, name))}' is no directory")

    def _again(self, fd: int, at: list[str]) -> int:
        straight = self._straight(at)
        assert straight is not None
        return _replaced(fd, straight[1])


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new
