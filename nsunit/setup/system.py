"""What the helper needs of os: the C half, posix, and the few functions of the Python half that it uses.

The Python half takes as long as a fifth of a bare interpreter: it defines abstract base classes for its dictionary of
variables.  Modules that the helper loads on each start import this one by the name `os`; what few containers need
imports os itself, which does no harm.
"""

from __future__ import annotations

import _stat
import posix
import sys
from posix import *  # noqa: F403 — as os does it
from posix import _exit as _exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from posix import stat_result


def fsencode(path: str) -> bytes:
    """As os.fsencode() of a text."""
    return path.encode(sys.getfilesystemencoding(), "surrogateescape")


def fsdecode(path: bytes) -> str:
    """As os.fsdecode() of bytes."""
    return path.decode(sys.getfilesystemencoding(), "surrogateescape")


# os.environ, for reading only, as the process has begun with it.
variables = {fsdecode(name): fsdecode(value) for name, value in posix.environ.items()}


def samestat(first: stat_result, second: stat_result) -> bool:
    """As os.path.samestat()."""
    return (first.st_ino, first.st_dev) == (second.st_ino, second.st_dev)


def lexists(path: str) -> bool:
    """As os.path.lexists()."""
    try:
        posix.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def exists(path: str) -> bool:
    """As os.path.exists()."""
    return _mode(path) != 0


def isdir(path: str) -> bool:
    """As os.path.isdir()."""
    return _stat.S_ISDIR(_mode(path))


def isfile(path: str) -> bool:
    """As os.path.isfile()."""
    return _stat.S_ISREG(_mode(path))


def _mode(path: str) -> int:
    """The kind and the permissions of what is there; 0 where nothing is, as of no file."""
    try:
        return posix.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def dirname(path: str) -> str:
    """As os.path.dirname()."""
    head, slash, _ = path.rpartition("/")
    return head.rstrip("/") or head + slash


def abspath(path: str) -> str:
    """As os.path.abspath()."""
    return normpath(path if path.startswith("/") else f"{posix.getcwd()}/{path}")


def normpath(path: str) -> str:
    """As os.path.normpath()."""
    # Two slashes at the beginning are kept, three are one: POSIX leaves to systems what the two mean.
    root = "" if not path.startswith("/") else "//" if path.startswith("//") and not path.startswith("///") else "/"
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and (parts[-1:] not in ([], [".."])):
            parts.pop()
        elif part not in ("", ".", "..") or (part == ".." and not root):
            parts.append(part)
    return root + "/".join(parts) or "."
