"""Groups of containers: slices around those of their members.

systemd makes a slice that is missing by itself, without limits and for ever.  So whoever starts a member makes the
missing slices of its group together with the container's own, and they go with the last member.
"""

from __future__ import annotations

import os
import time

from nsunit.bus.protocol import GROUP_LOST, TRANSACTION_IS_DESTRUCTIVE, UNIT_EXISTS
from nsunit.core.apart import check_apart
from nsunit.core.jobs import forget_failed, stop_what_is_left
from nsunit.definition.load import load, serialize
from nsunit.definition.search import find_group, is_defined, list_names
from nsunit.errors import BusError, DefinitionError, NotFoundError, NsunitError
from nsunit.features.groups.definition import group_of_text, group_or_empty, load_group
from nsunit.features.groups.plan import group_unit
from nsunit.names import (
    container_of_unit,
    group_slice,
    groups_above,
    groups_of_slice,
    is_slice_of,
)
from nsunit.record import plain
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.bus.protocol import Job
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.setup.operation import Operation
    from nsunit.units import Unit

_ATTEMPTS = 40
_PAUSE = 0.05  # s: a slice that is on its way out is gone after that
_STOP_TIMEOUT = 40.0
_UNSTABLE = (UNIT_EXISTS, TRANSACTION_IS_DESTRUCTIVE)


def start_member(context: Context, definition: Definition, start: Callable[[tuple[Unit, ...]], Job]) -> Job:
    """Call *start* with those slices of the groups of *definition* that have to be made with it.

    Raises:
        BusError: GROUP_LOST if a group went away meanwhile because its last member was just stopped; what was started
            is stopped again.
        NsunitError: a container or somebody else has the name of a slice.
    """
    group = definition.container.slice
    check_apart(context, definition)
    names = groups_above(group)
    with Lock(context.paths.locks, names[0]):
        for attempt in range(_ATTEMPTS):
            missing = [name for name in names if not _is_there(context, name)]
            wanted = [group_or_empty(name, context.search, context.host) for name in missing]
            for item in wanted:
                record(context, item.name, serialize(item))
            try:
                job = start(tuple(group_unit(item, context.host.systemd_version) for item in wanted))
            except BusError as error:
                if error.name not in _UNSTABLE or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE)
                continue
            lost = [name for name in names if not _fragment(context, name)]
            if not lost:
                return job
            # It went between the look and the call, and systemd has made one without limits for this container alone.
            stop_what_is_left(context, group_slice(lost[0]), _STOP_TIMEOUT)
            raise BusError(
                GROUP_LOST, f"{definition.name}: its group '{lost[0]}' has just gone away", hint="run it again"
            )
    raise AssertionError("the last attempt returns or raises")


def _is_there(context: Context, name: str) -> bool:
    """Whether the slice of group *name* is there with what it is defined to have, or systemd has a file to make it.

    Members that have failed keep it loaded without being there.  It is what it was then, or goes with them.
    """
    state = context.bus.get(group_slice(name), "ActiveState", "FragmentPath")
    fragment = str(state.get("FragmentPath", ""))
    if fragment and not fragment.startswith(context.transient):
        check_own_file(context, name, fragment)
        return True
    if not fragment or state.get("ActiveState") == "active":
        return bool(fragment)
    if stored_text(context, name) == serialize(group_or_empty(name, context.search, context.host)):
        return True
    for unit in context.bus.list_units(["nsunit-*.service"]):
        if unit.active_state == "failed" and is_in(context, unit.name, name):
            forget_failed(context, unit.name)
    return bool(_fragment(context, name))


def _fragment(context: Context, name: str) -> str:
    return str(context.bus.get(group_slice(name), "FragmentPath").get("FragmentPath", ""))


def check_own_file(context: Context, name: str, fragment: str) -> None:
    """Refuse a unit file that somebody else has made for group *name* where nsunit has a definition of it, too.

    Without a definition that unit file is the definition.
    """
    if fragment == f"{context.search.units}/{group_slice(name)}" and os.path.lexists(context.paths.group_of(name)):
        return
    try:
        main = find_group(name, context.search).main
    except NotFoundError:
        return
    raise NsunitError(
        f"{name}: '{group_slice(name)}' is there already and was not made by nsunit ('{fragment}')",
        hint=f"remove that unit file, or '{main}'",
    )


# What is known of a group


def record(context: Context, name: str, text: str) -> None:
    """Note the definition that the slice of group *name* has from now on, until it is gone."""
    files.make_private_directory(context.paths.groups)
    files.write_file(_record_path(context, name), text.encode())


def stored_group(context: Context, name: str) -> Definition:
    """The definition that group *name* runs with; one without limits if nsunit has not made its slice."""
    return group_of_text(name, stored_text(context, name), name, context.host)


def stored_text(context: Context, name: str) -> str:
    """The text of `stored_group`."""
    fragment = _fragment(context, name)
    stored = None
    if fragment.startswith(context.transient):
        stored = files.read_file(f"{context.paths.groups}/{name}")
    elif fragment == f"{context.search.units}/{group_slice(name)}":
        changed = files.read_file(f"{context.paths.groups}/{name}.enabled")
        stored = changed or files.read_file(context.paths.group_of(name))
    return (stored or b"").decode()


def _record_path(context: Context, name: str) -> str:
    fragment = _fragment(context, name)
    enabled = fragment and not fragment.startswith(context.transient)
    return f"{context.paths.groups}/{name}" + (".enabled" if enabled else "")


def record_path(context: Context, name: str) -> str:
    """Where the definition that group *name* runs with is to be noted; its directory is there."""
    files.make_private_directory(context.paths.groups)
    return _record_path(context, name)


def is_active(context: Context, name: str) -> bool:
    """Whether the slice of group *name* is there."""
    return context.bus.get(group_slice(name), "ActiveState").get("ActiveState") == "active"


def members(context: Context, name: str, *, running: bool) -> list[str]:
    """The containers in group *name*, and in those within it: those that run, or those that are defined.

    Raises:
        NotFoundError: there is no such group.
    """
    found = set()
    if running:
        for unit in context.bus.list_units(["nsunit-*.service", "nsunit-*-run-*.scope"]):
            container = container_of_unit(unit.name)
            if not container or unit.active_state in ("inactive", "failed"):
                continue
            if is_in(context, unit.name, name):
                found.add(container)
    else:
        for container in list_names(context.search):
            try:
                group = load(container, context.search, context.host).container.slice
            except (DefinitionError, NotFoundError):  # it cannot be read, or has just gone
                continue
            if group and name in groups_above(group):
                found.add(container)
    if not found and not is_active(context, name):
        load_group(name, context.search, context.host)  # an unknown name is an error
    return sorted(found)


def failed_members(context: Context, name: str) -> list[str]:
    """The containers in group *name*, and in those within it, that have failed and are defined."""
    failed = [unit.name for unit in context.bus.list_units(["nsunit-*.service"]) if unit.active_state == "failed"]
    found = {container_of_unit(unit) or "": unit for unit in failed}
    return sorted(item for item in found if is_defined(item, context.search) and is_in(context, found[item], name))


def is_in(context: Context, unit: str, name: str) -> bool:
    """Whether *unit* is that of a container in group *name*."""
    slice_ = str(context.bus.get(unit, "Slice").get("Slice", ""))
    return is_slice_of(slice_, container_of_unit(unit) or "") and name in groups_of_slice(slice_)


def groups_around(context: Context, definition: Definition) -> tuple[Definition, ...]:
    """The definitions of the groups that *definition* is in, the innermost first."""
    names = reversed(groups_above(definition.container.slice))
    return tuple(group_or_empty(name, context.search, context.host) for name in names)


def units_around(context: Context, definition: Definition) -> list[Unit]:
    """Their units."""
    return [group_unit(group, context.host.systemd_version) for group in groups_around(context, definition)]


def render(context: Context, name: str) -> tuple[Definition, list[Unit], list[Operation]]:
    """What `render` shows of group *name*: its definition, its unit, and no operations."""
    definition = load_group(name, context.search, context.host)
    return definition, [group_unit(definition, context.host.systemd_version)], []


def running_members(context: Context, name: str) -> list[str]:
    """Those of its `members` that run."""
    return members(context, name, running=True)


def inspect(context: Context, name: str) -> dict[str, object]:
    """Everything about group *name*, `shop.slice`, as plain JSON values.

    Raises:
        NotFoundError: it is neither defined nor there.
    """
    active = is_active(context, name)
    if not active:
        find_group(name, context.search)
    definition = group_or_empty(name, context.search, context.host)
    unit = group_slice(name)
    return {
        "name": name,
        "active_state": "active" if active else "inactive",
        "slice": unit,
        "sources": list(definition.sources),
        "members": members(context, name, running=False),
        "running": members(context, name, running=True),
        "definition": [
            {"section": item.section, "key": item.key, "value": item.text} for item in definition.assignments
        ],
        "properties": {unit: plain(context.bus.properties(unit))},
    }
