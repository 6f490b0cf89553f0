"""What commands need of os, in its place: imported before all else by what starts the interpreter.

The Python half of os defines abstract base classes for its dictionary of variables, which takes as long as a fifth of a
bare interpreter.  So here is the C half, with the few functions of the Python half that starts and stops use, and this
module is what `import os` finds.  Who asks it for any other name has the real one loaded, which takes its place then.
With os.path it is the same: of what it defines and imports they use a tenth.

This is a trick.  Where os is there already, as under a debugger or with the module site, it is left alone.
"""

from __future__ import annotations

import _stat
import posix
import sys
from _io import open as fdopen  # noqa: F401 — the open() of posix hides that of files
from posix import *  # noqa: F403 — as os does it
from posix import _exit as _exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

del environ  # noqa: F821 — of bytes; the one of os is a dictionary of texts
_OWN = sys.modules[__name__]
if "os" not in sys.modules:
    sys.modules["os"] = _OWN

curdir, pardir, sep, extsep = ".", "..", "/", "."
pathsep, defpath, linesep, devnull = ":", "/bin:/usr/bin", "\n", "/dev/null"
SEEK_SET, SEEK_CUR, SEEK_END = 0, 1, 2
name = "posix"


def fsencode(filename: str | bytes) -> bytes:
    """As os.fsencode()."""
    filename = posix.fspath(filename)
    if isinstance(filename, bytes):
        return filename
    return filename.encode(sys.getfilesystemencoding(), "surrogateescape")


def fsdecode(filename: str | bytes) -> str:
    """As os.fsdecode()."""
    filename = posix.fspath(filename)
    if isinstance(filename, bytes):
        return filename.decode(sys.getfilesystemencoding(), "surrogateescape")
    return filename


def getenv(key: str, default: str | None = None) -> str | None:
    """As os.getenv(): the variables are as the process has begun with, or the real module is there."""
    value = posix.environ.get(fsencode(key))
    return default if value is None else fsdecode(value)


class _Path:
    """What there is of os.path, for texts; all else is the real one's."""

    sep = sep

    def exists(self, path: str) -> bool:
        """As os.path.exists()."""
        return self._mode(posix.stat, path) != 0

    def lexists(self, path: str) -> bool:
        """As os.path.lexists()."""
        return self._mode(posix.lstat, path) != 0

    def isdir(self, path: str) -> bool:
        """As os.path.isdir()."""
        return _stat.S_ISDIR(self._mode(posix.stat, path))

    def isfile(self, path: str) -> bool:
        """As os.path.isfile()."""
        return _stat.S_ISREG(self._mode(posix.stat, path))

    def islink(self, path: str) -> bool:
        """As os.path.islink()."""
        return _stat.S_ISLNK(self._mode(posix.lstat, path))

    def samestat(self, first: posix.stat_result, second: posix.stat_result) -> bool:
        """As os.path.samestat()."""
        return (first.st_ino, first.st_dev) == (second.st_ino, second.st_dev)

    def split(self, path: Any) -> Any:
        """As os.path.split()."""
        if not isinstance(path, str):
            return self._real().split(path)
        head, slash, tail = path.rpartition("/")
        return head.rstrip("/") or head + slash, tail

    def dirname(self, path: Any) -> Any:
        """As os.path.dirname()."""
        return self.split(path)[0]

    def basename(self, path: Any) -> Any:
        """As os.path.basename()."""
        return self.split(path)[1]

    def join(self, first: Any, *others: Any) -> Any:
        """As os.path.join()."""
        if not all(isinstance(part, str) for part in (first, *others)):
            return self._real().join(first, *others)
        for other in others:
            slash = "" if first[-1:] in ("", "/") else "/"
            first = other if other.startswith("/") else first + slash + other
        return first

    def __getattr__(self, wanted: str) -> Any:
        """What is not here."""
        if wanted.startswith("__"):
            raise AttributeError(wanted)
        return getattr(self._real(), wanted)

    @staticmethod
    def _real() -> Any:
        return __import__("posixpath")  # it imports os itself, which is the module here

    @staticmethod
    def _mode(call: Callable[[str], posix.stat_result], path: str) -> int:
        """The kind and the permissions of what is there; 0 where nothing is, as of no file."""
        try:
            return call(path).st_mode
        except (OSError, ValueError):
            return 0


path: Any = _Path()
sys.modules.setdefault("os.path", path)


def makedirs(name: str, mode: int = 0o777, exist_ok: bool = False) -> None:
    """As os.makedirs()."""
    head, tail = path.split(name)
    if not tail:
        head, tail = path.split(head)
    if head and tail and not path.exists(head):
        try:
            makedirs(head, exist_ok=exist_ok)
        except FileExistsError:
            pass  # somebody else has made it, or mkdir(2) says what is there instead
        if tail == curdir:
            return
    try:
        posix.mkdir(name, mode)
    except OSError:
        if not exist_ok or not path.isdir(name):
            raise


def __getattr__(wanted: str) -> Any:
    """What is not here: the real module is loaded, and each of its names is found here from then on."""
    if wanted.startswith("__"):
        raise AttributeError(wanted)
    if sys.modules.get("os") is _OWN:
        del sys.modules["os"]
    import os  # the real one

    globals().update({key: value for key, value in vars(os).items() if not key.startswith("__")})
    return getattr(os, wanted)
