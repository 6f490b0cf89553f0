"""All files that a container's units come from: the definition, its drop-ins, and those of systemd's for the units."""

from __future__ import annotations

import os

from nsunit.core.running import slice_of
from nsunit.definition.search import find, find_group, find_network
from nsunit.errors import BusError
from nsunit.names import NETWORK_SUFFIX, former_unit, group_slice, is_group, is_network, service_name
from nsunit.storage.files import list_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.core.context import Context


def files_of(context: Context, name: str) -> tuple[str, ...]:
    """The definition of *name*, of whatever kind, and all drop-ins that count, in the order in which they do.

    Raises:
        NotFoundError: it is not defined.
    """
    if is_network(name):
        found = find_network(name.removesuffix(NETWORK_SUFFIX), context.search)
        return (found.main, *found.drop_ins)
    found = (find_group if is_group(name) else find)(name, context.search)
    own = (*filter(None, (former_unit(service_name(name)),)), service_name(name))
    units = (group_slice(name),) if is_group(name) else (slice_of(context, name), *own)
    try:
        # What `set` has changed for this run is no file of anybody's.
        directories = [path for path in context.bus.unit_paths() if f"{path}/" != context.transient]
    except BusError:  # nothing can run either
        directories = [context.search.units]
    return (found.main, *found.drop_ins, *drop_ins(units, directories))


def drop_ins(units: Sequence[str], directories: Sequence[str]) -> tuple[str, ...]:
    """The drop-ins that systemd applies to *units*, but for those of all units of a type: see systemd.unit(5).

    Of those with the same name the one in the more special directory counts, and then the one that comes first.
    """
    found: list[str] = []
    for unit in units:
        chosen: dict[str, str] = {}
        for folder in _folders(unit):
            for directory in directories:
                path = f"{directory}/{folder}"
                for entry in list_directory(path):
                    if entry.endswith(".conf"):
                        chosen.setdefault(entry, f"{path}/{entry}")
        found += [chosen[entry] for entry in sorted(chosen) if os.path.realpath(chosen[entry]) != "/dev/null"]
    return tuple(dict.fromkeys(found))


def _folders(unit: str) -> Iterator[str]:
    yield f"{unit}.d"
    stem, _, kind = unit.rpartition(".")
    prefix, is_instance, _ = stem.partition("@")
    if is_instance:
        yield f"{prefix}@.{kind}.d"
    while "-" in prefix.rstrip("-"):
        prefix = prefix.rstrip("-").rpartition("-")[0] + "-"
        yield f"{prefix}.{kind}.d"
