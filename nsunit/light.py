"""What commands need of os, in its place: imported before all else by what starts the interpreter.

The Python half of os defines abstract base classes for its dictionary of variables, which takes as long as a fifth of a
bare interpreter.  So here is the C half, with the few functions of the Python half that starts and stops use, and this
module is what `import os` finds.  Who asks it for any other name has the real one loaded, which takes its place then.

This is a trick.  Where os is there already, as under a debugger or with the module site, it is left alone.
"""

from __future__ import annotations

import posix
import sys
from _io import open as fdopen  # noqa: F401 — the open() of posix hides that of files
from posix import *  # noqa: F403 — as os does it
from posix import _exit as _exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

del environ  # noqa: F821 — of bytes; the one of os is a dictionary of texts
_OWN = sys.modules[__name__]
if "os" not in sys.modules:
    sys.modules["os"] = _OWN

import posixpath as path  # noqa: E402 — it imports os itself, which is the one above

sys.modules.setdefault("os.path", path)

curdir, pardir, sep, extsep, pathsep, defpath, linesep, devnull = (
    *(path.curdir, path.pardir, path.sep, path.extsep, path.pathsep, path.defpath),
    *("\n", path.devnull),
)
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
