"""What lies below a layer, where that matters: to what was removed from it, and to what was changed."""

from __future__ import annotations

import os
import stat

from nsunit.features.images.out.walk import MARKS, Node, is_opaque, is_whiteout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Lowers:
    """The directories *layers*, the topmost first, as overlayfs merges them below the one that is walked.

    A link in them is never followed: a directory is looked up in those that are directories themselves.  What the names
    of overlayfs's attributes begin with is *marks*.
    """

    def __init__(self, layers: Sequence[str], marks: str = MARKS) -> None:
        self.marks = marks
        self._merged: dict[str, list[str]] = {"": list(layers)}  # by path: the directories that are one there
        self._hiding: str | None = None  # the opaque directory that the walk is in

    def find(self, path: str) -> os.stat_result | None:
        """What they show as *path*."""
        return self._find(path)[1]

    def link(self, path: str) -> str | None:
        """Where the symbolic link that they show as *path* leads; None for what is none."""
        place, status = self._find(path)
        return os.readlink(place) if status is not None and stat.S_ISLNK(status.st_mode) else None

    def _find(self, path: str) -> tuple[str, os.stat_result | None]:
        parent, _, name = path.rpartition("/")
        for directory in self._directories(parent):
            place = f"{directory}/{name}"
            status = _status(place)
            if status is not None:
                return place, None if is_whiteout(status) else status
        return "", None

    def hidden(self, node: Node, attributes: dict[str, bytes]) -> list[str]:
        """Names below the directory *node* that nothing stands in the place of, and that are not to be seen.

        Nodes have to be asked about in the order of a walk: what is in an opaque directory hides what is below it too,
        without a mark of its own.
        """
        inside = self._hiding is not None and node.path.startswith(f"{self._hiding}/")
        if not inside:
            self._hiding = node.path if is_opaque(attributes, self.marks) else None
        if self._hiding is None:
            return []
        directory = os.open(node.name, _DIRECTORY, dir_fd=node.directory)
        try:
            own = set(os.listdir(directory))
        finally:
            os.close(directory)
        names = {name for path in self._directories(node.path) for name in os.listdir(path)} - own
        prefix = f"{node.path}/" if node.path else ""
        return sorted((name for name in names if self.find(prefix + name) is not None), key=os.fsencode)

    def _directories(self, path: str) -> list[str]:
        found = self._merged.get(path)
        if found is None:
            found = self._merged[path] = self._merge(path)
        return found

    def _merge(self, path: str) -> list[str]:
        parent, _, name = path.rpartition("/")
        found: list[str] = []
        for directory in self._directories(parent):
            status = _status(f"{directory}/{name}")
            if status is None:
                continue
            if not stat.S_ISDIR(status.st_mode):
                break
            found.append(f"{directory}/{name}")
            if f"{self.marks}opaque" in os.listxattr(found[-1], follow_symlinks=False):
                break
        return found


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
