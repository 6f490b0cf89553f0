"""Steps of a set-up with explicit id maps, or with a root whose files really are the container's."""

from __future__ import annotations

from nsunit.setup import linux, namespaces
from nsunit.setup.operation import Operation
from nsunit.setup.root import Directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build


class UserMaps(Operation):
    """Make a user namespace with the maps *entries*, each `uid` or `gid`, INSIDE, OUTSIDE and COUNT."""

    __slots__ = ("entries",)
    keyword = "user-maps"
    rest = "entries"
    enters = True
    entries: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"make a user namespace of the ids {', '.join(self.entries)}"

    def clone_flags(self) -> int:
        """That of user namespaces."""
        return linux.CLONE_NEWUSER

    def open(self, build: Build) -> None:
        """As for a user namespace of one range."""
        texts = []
        for kind in ("uid ", "gid "):
            lines = [entry.removeprefix(kind) for entry in self.entries if entry.startswith(kind)]
            texts.append("".join(f"{line}\n" for line in lines))
        fd = namespaces.make_owned_namespace(*texts)
        namespaces.use_ids(build, fd)


class OwnedDirectory(Directory):
    """Use a host directory as the root whose files belong to the container's ids already."""

    keyword = "root-owned"

    def prepare(self, build: Build) -> None:
        """Clone the directory's mount as it is."""
        shifts, build.shifts_ids = build.shifts_ids, False
        super().prepare(build)
        build.shifts_ids = shifts
