"""The volumes that are there."""

from __future__ import annotations

import fcntl
import os

from nsunit.features.volumes.setup import ABOUT, DATA, NEW, OLD, is_current, is_filled
from nsunit.features.volumes.values import is_name
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LOCK = ".volumes"  # in the directory of locks, beside those of containers, whose names begin with a letter or digit
_TRASH = ".trash-"
OWN = "volumes"  # in the directory of a container's state


class Store:
    """The volumes of *context*: root's, or a user's."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.path = context.paths.state + "/volumes"

    def lock(self) -> Lock:
        """What is held while commands make volumes or take them away; starts do without."""
        return Lock(self.context.paths.locks, LOCK)

    def path_of(self, name: str) -> str:
        """The directory of the volume *name*."""
        return f"{self.path}/{name}"

    def own_path(self, container: str) -> str:
        """The directory with the volumes without a name of *container*, which go with its state."""
        return f"{self.context.paths.state_of(container)}/{OWN}"

    def names(self) -> list[str]:
        """The names of the volumes that were made."""
        listed = [name for name in files.list_directory(self.path) if is_name(name)]
        return [name for name in listed if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether the volume *name* was made: by a start that has filled it, or by a command, to be filled then."""
        path = self.path_of(name)
        return any(os.path.lexists(f"{path}/{part}") for part in (DATA, ABOUT))

    def size_max(self, path: str) -> int | None:
        """How many bytes the volume in the directory *path* can hold, if that is limited."""
        word, _, number = (files.read_file(f"{path}/{ABOUT}") or b"").decode().partition(" ")
        return int(number) if word == "size-max" else None

    def sync(self) -> None:
        """Have the names of the volumes on their disk."""
        files.sync_directory(self.path)

    def aside(self) -> str:
        """Where a volume goes that is taken away, until `sweep` has removed it."""
        return f"{self.path}/{_TRASH}{os.urandom(6).hex()}"

    def put_aside(self) -> list[str]:
        """The directories that were put aside, by whomever."""
        return [f"{self.path}/{name}" for name in files.list_directory(self.path) if name.startswith(_TRASH)]

    def sweep(self) -> None:
        """Remove what was put aside; of two commands at once each removes what the other has not begun with."""
        for path in self.put_aside():
            try:
                directory = os.open(path, _DIRECTORY)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.context.remove_tree(path)
            except BlockingIOError:
                pass
            finally:
                os.close(directory)

    def discarding(self, path: str) -> Callable[[], object]:
        """What takes back a start that was to make the volume in the directory *path*."""
        return lambda: self.discard(path)

    def forgetting(self, path: str) -> Callable[[], object]:
        """What takes back that the volume there has a size, if nothing is in it."""

        def forget() -> None:
            if not os.path.lexists(f"{path}/{DATA}") and os.path.lexists(f"{path}/{ABOUT}"):
                os.unlink(f"{path}/{ABOUT}")

        return forget

    def discard(self, path: str) -> bool:
        """Remove what was left half-made in the directory of a volume, and that if it has none; False if it is in use.

        Who fills it meanwhile keeps it.
        """
        try:
            directory = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not is_current(path, directory):
                return False
            for name in os.listdir(directory):
                if name == NEW or name.startswith(OLD):
                    self.context.remove_tree(f"{path}/{name}")
                elif name.startswith(f"{ABOUT}."):  # who was writing it was killed
                    os.unlink(name, dir_fd=directory)
            if is_filled(directory) or os.path.lexists(f"{path}/{ABOUT}"):
                return False
            os.rmdir(path)
        except BlockingIOError:
            return False
        finally:
            os.close(directory)
        return True
