"""A directory for what is brought in, until it is whole and gets its name by a rename."""

from __future__ import annotations

import fcntl
import os

from nsunit.setup import linux
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context

_LOCK = ".incoming"  # beside those of containers, whose names begin with a letter or digit
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """One such directory as a context; it is gone at the end, as those are of commands that were killed."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.token = os.urandom(6).hex()
        self.place = place_of(context)
        self.path = f"{self.place}/{self.token}"
        self._fd = -1

    def __enter__(self) -> Staging:
        """Make it, and remove what is left of others."""
        files.make_private_directory(self.place)
        with Lock(self.context.paths.locks, _LOCK):
            sweep(self.context)
            os.mkdir(self.path, 0o700)
            self._fd = os.open(self.path, _DIRECTORY)
            fcntl.flock(self._fd, fcntl.LOCK_SH)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Remove it."""
        self.context.remove_tree(self.path)
        os.close(self._fd)

    def sync(self) -> None:
        """Have all that is in it on the disk."""
        linux.syncfs(self._fd)


def place_of(context: Context) -> str:
    """The directory of all of them."""
    return f"{context.paths.state}/incoming"


def sweep(context: Context) -> None:
    """Remove what commands have left that were killed: nobody holds its lock."""
    place = place_of(context)
    for name in files.list_directory(place):
        fd = os.open(f"{place}/{name}", _DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            context.remove_tree(f"{place}/{name}")
        except BlockingIOError:
            continue  # somebody is at work in it
        finally:
            os.close(fd)
