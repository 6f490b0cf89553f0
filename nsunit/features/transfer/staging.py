"""A directory for what is brought in, until it is whole and gets its name by a rename."""

from __future__ import annotations

from nsunit.features.images.writing import Workplace, sweep_place
from nsunit.features.transfer import kept
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from nsunit.core.context import Context

_LOCK = ".incoming"  # beside those of containers, whose names begin with a letter or digit


class Staging(Workplace):
    """One such directory as a context; it is gone at the end, as those are of commands that were killed."""

    def __init__(self, context: Context) -> None:
        files.make_private_directory(context.paths.states)
        super().__init__(place_of(context), lambda: Lock(context.paths.locks, _LOCK), self._remove)
        self.context = context

    def __enter__(self) -> Self:
        """Make it, and remove what is left of others."""
        sweep_place(self.place, self._lock, self._remove)
        return super().__enter__()

    def _remove(self, path: str) -> bool:
        return kept.remove(self.context, path)


def place_of(context: Context) -> str:
    """The directory of all of them: that of the states where nothing can be renamed into it."""
    paths = context.paths
    return files.place_beside(paths.state, paths.states, "incoming", ".incoming")
