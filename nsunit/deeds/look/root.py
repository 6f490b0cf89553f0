"""What a container's root is made of, and whose ids it has."""

from __future__ import annotations

import os

from nsunit.features import hooks, with_operation
from nsunit.formats.procfs import IdRange, id_map
from nsunit.record import Record
from nsunit.setup import namespaces, root
from nsunit.storage import ranges
from nsunit.storage.files import read_file, read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.setup.operation import Operation


_HOST = "0 0 4294967295"


class Root(Record):
    """A "directory" of the host, `path`, or an "overlay" of `layers`, the top first, below `upper`; None is a tmpfs."""

    kind: str
    path: str | None = None
    layers: tuple[str, ...] = ()
    upper: str | None = None


def links_of(directory: str) -> dict[str, str]:
    """Where the directories of a root that are symbolic links led at the start, as noted in *directory*."""
    content = os.fsdecode(read_file(f"{directory}/{root.LINKS}") or b"")
    return {path: real for path, _, real in (line.partition("\0") for line in content.split("\n")[:-1])}


def moved_links(directory: str) -> dict[str, tuple[str, str]]:
    """Those that lead elsewhere by now: where they led, and where they lead."""
    found = {path: (real, os.path.realpath(path)) for path, real in links_of(directory).items()}
    return {path: places for path, places in found.items() if places[0] != places[1]}


class Ids(Record):
    """Which ids outside those inside are, as user_namespaces(7) has it; `reserved` for one that does not run."""

    users: tuple[IdRange, ...]
    groups: tuple[IdRange, ...]
    reserved: bool = False


def root_of(operations: Sequence[Operation], links: dict[str, str]) -> Root | None:
    """The root that *operations* have made, with *links* as they were; None for none, or another container's."""
    for item in operations:
        if isinstance(item, root.Directory):
            return Root("directory", links.get(item.path, item.path))
        if isinstance(item, root.Overlay):
            return Root("overlay", None, tuple(links.get(path, path) for path in item.lowers), item.upper or None)
    return None


def steps(planned: Sequence[Operation]) -> list[dict[str, object]]:
    """What the helper does, in the types of JSON: the keyword and arguments of each operation, and that in words."""
    return [
        {"operation": item.keyword, "arguments": list(item.arguments()), "does": item.describe()} for item in planned
    ]


def maps_of(operations: Sequence[Operation]) -> tuple[tuple[IdRange, ...], tuple[IdRange, ...]]:
    """The maps of user and of group ids that *operations* make; those of the host where they make none."""
    maps: tuple[str, ...] = ()
    for item in operations:
        if isinstance(item, namespaces.UserNamespace):
            maps = (f"0 {item.start} {item.count}",) * 2
        for said in hooks(with_operation(item.keyword), "plan.ids"):
            maps = said(item) or maps
    users, groups = maps or (_HOST, _HOST)
    return id_map(users), id_map(groups)


def ids_of(context: Context, name: str, pid: int | None, operations: Sequence[Operation]) -> Ids | None:
    """Whose ids container *name* has, whose payload is process *pid*; a pod has none, and *operations* tell.

    Those of a user namespace that it joins, such as a pod's, its process alone tells.
    """
    if operations:
        if not pid and any(item.keyword == "join" and item.arguments()[0] == "user" for item in operations):
            return None
        uids, gids = (pid and read_kernel_file(f"/proc/{pid}/{kind}_map") for kind in ("uid", "gid"))
        return Ids(id_map(uids), id_map(gids)) if uids and gids else Ids(*maps_of(operations))
    kept = ranges.remembered(context.paths.state_of(name))
    if not kept:
        return None
    entries = (IdRange(0, *kept),)
    return Ids(entries, entries, reserved=True)
