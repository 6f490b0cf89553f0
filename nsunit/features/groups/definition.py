"""Definitions of groups: `shop.slice.nsunit`, with the limits that its containers share.

Imported only where a group is meant or a container is in one.
"""

from __future__ import annotations

from nsunit.definition.load import Loader, read_all, take_text
from nsunit.definition.model import Container, Definition
from nsunit.definition.search import SUFFIX, find_group, unit_drop_ins
from nsunit.errors import NotFoundError
from nsunit.names import GROUP_SUFFIX, POD_SUFFIX, check_any_name, group_slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.definition.host import Host
    from nsunit.definition.load import Given
    from nsunit.definition.search import SearchPath
    from nsunit.units import Property


class GroupLoader(Loader):
    """Takes what a group may say: [Slice] and [Unit].  *of_pod*: it is read from the definition of a pod."""

    whose = "a group has only [Slice] and [Unit]"
    elsewhere = {
        "Container": "each container has a definition of its own, and joins with [Container] Slice=",
        "Pod": "a group that shares namespaces as well is defined in NAME.pod.nsunit",
        "Service": "limits of the group belong in [Slice], those of one container in its own definition",
        "Timer": "a timer starts a container, and belongs in its definition",
        "Install": "a group is there as soon as one of its containers runs",
    }

    has_network = False

    def __init__(self, name: str, host: Host, *, of_pod: bool = False) -> None:
        super().__init__(check_any_name(name), host)
        self.of_pod = of_pod
        unit = group_slice(name)
        own = {"n": unit, "N": unit.removesuffix(GROUP_SUFFIX), "p": name.removesuffix(GROUP_SUFFIX)}
        self.values = {**self.values, **own}

    def assign(self, section: str, key: str, text: str, path: str, line: int) -> None:
        """Take one assignment."""
        if section != "Pod" or not self.of_pod:  # else it says nothing about the slice
            super().assign(section, key, text, path, line)

    def _check_container(self, container: Container, service: tuple[Property, ...], source: str) -> None:
        """There is none."""


def load_group(name: str, search: SearchPath, host: Host, more: Sequence[Given] = ()) -> Definition:
    """Read the definition of group *name*, `shop.slice`: its file, all drop-ins, and after them *more*.

    Raises:
        UsageError: *name* is not a group's name.
        NotFoundError: there is no such definition.
        DefinitionError: it has mistakes or cannot be read; the error lists every one of them.
    """
    found = find_group(name, search)
    loader = GroupLoader(name, host, of_pod=found.main.endswith(POD_SUFFIX + SUFFIX))
    sources = (found.main, *found.drop_ins, *unit_drop_ins((group_slice(name),), search))
    read_all(loader, sources)
    loader.add(more)
    return loader.finish(sources)


def group_of_text(name: str, text: str, path: str, host: Host, more: Sequence[Given] = ()) -> Definition:
    """`load_text` for a group."""
    return take_text(GroupLoader(name, host), text, path, more)


def group_or_empty(name: str, search: SearchPath, host: Host) -> Definition:
    """`load_group`, or for a group that nobody has defined a definition without limits, as systemd would have it."""
    try:
        return load_group(name, search, host)
    except NotFoundError:
        return Definition(name, Container(()), (), (), ("the containers in it",))


load, of_text = load_group, group_of_text
