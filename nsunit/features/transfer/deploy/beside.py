"""The definitions of networks and groups that a container names: they go along, and are taken where there are none."""

from __future__ import annotations

import os

from nsunit.definition.search import SUFFIX, SearchPath, find_group, find_network, list_networks
from nsunit.dropins.definitions import texts_of, write_all
from nsunit.errors import DefinitionError, NotFoundError
from nsunit.features import hooks, kinds_of
from nsunit.features.transfer import bundle
from nsunit.names import GROUP_SUFFIX, NETWORK_SUFFIX, is_group, is_network, is_valid_group, is_valid_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.features.transfer.deploy.offer import Offer

    Texts = tuple[tuple[str, str], ...]


def beside_of(context: Context, definition: Definition) -> Texts:
    """The texts of the networks and groups of *definition* that are defined here, called as in /etc/nsunit."""
    networks = list_networks(context.search)
    found: dict[str, bytes] = {}
    for need in bundle.needs_of(definition):
        name = need.value.partition(":")[0]
        if need.key == "Network" and name in networks:
            found |= _texts(context, name + NETWORK_SUFFIX)
        for group in _groups(name) if need.key == "Slice" else ():
            if _is_there(context, group):
                found |= _texts(context, group)
    return tuple((path, text.decode("utf-8", "surrogateescape")) for path, text in found.items())


def _is_there(context: Context, name: str) -> bool:
    """Whether anything says what *name* is, or that it is to be nothing, by a link to /dev/null."""
    return any(os.path.lexists(f"{directory}/{name}{SUFFIX}") for directory in context.search.directories)


def _texts(context: Context, name: str) -> dict[str, bytes]:
    try:
        if is_network(name):
            return texts_of(find_network(name.removesuffix(NETWORK_SUFFIX), context.search))
        return texts_of(find_group(name, context.search))
    except NotFoundError:
        return {}  # that link


def _groups(name: str) -> Iterator[str]:
    """The groups around and with *name*, which dashes nest."""
    parts = name.split("-")
    if is_valid_group(name):
        yield from (f"{'-'.join(parts[:count])}{GROUP_SUFFIX}" for count in range(1, len(parts) + 1))


def definition_of(path: str) -> str:
    """Whose file of a definition *path* is, `shop.network` or `shop.slice`; empty for what is neither's.  Pure."""
    first, slash, entry = path.partition("/")
    main = first.removesuffix(".d") if slash else first
    name = main.removesuffix(SUFFIX)
    if name + SUFFIX != main or (slash and (main == first or "/" in entry or not entry.endswith(".conf"))):
        return ""
    stem = name.rpartition(".")[0]
    return name if is_network(name) and is_valid_network(stem) or is_group(name) and is_valid_group(stem) else ""


def lacking(context: Context, offer: Offer) -> dict[str, bytes]:
    """Those of *offer* that are not defined here; context.warn is told which are, and are something else."""
    found: dict[str, dict[str, bytes]] = {}
    for path, text in offer.beside:
        found.setdefault(definition_of(path), {})[path] = text.encode("utf-8", "surrogateescape")
    wanted: dict[str, bytes] = {}
    for name, texts in found.items():
        if not _is_there(context, name):
            wanted |= texts
        elif _texts(context, name) != texts:
            context.warn(f"warning: {offer.name}: '{name}' is there, and is not what it is here; that one is used")
    return wanted


def with_them(context: Context, texts: Mapping[str, bytes], directory: str) -> Context:
    """A context that knows *texts* as well, which are written to *directory*.

    Raises:
        DefinitionError: they cannot be used here, e.g. since a subnet is another network's.
    """
    write_all(directory, texts, [])
    found = context.with_bus(context.bus)
    found.search = SearchPath((*context.search.directories, directory), context.search.units)
    problems = [
        problem
        for name in _names(texts)
        for verify in hooks(kinds_of(name), "networks.verify_kind")
        for problem in verify(found, name)
    ]
    if problems:
        raise DefinitionError([item.replace(path=item.path.removeprefix(f"{directory}/")) for item in problems])
    return found


def _names(texts: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(map(definition_of, texts))


def place(context: Context, offer: Offer, undo: Undo) -> None:
    """Write those of *offer* that are not defined here; *undo* takes them away."""
    quiet = context.with_bus(context.bus)
    quiet.warn = lambda _text: None  # it was told
    write_all(context.search.directories[0], lacking(quiet, offer), undo)
