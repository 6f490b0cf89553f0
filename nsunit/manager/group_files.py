"""Unit files of groups, which the enabled containers in them share.

Imported only where an enabled container is in a group.
"""

from __future__ import annotations

import os

from nsunit.definition.group import group_or_empty
from nsunit.definition.load import load_text
from nsunit.definition.text import serialize
from nsunit.dropins import files as unit_directory
from nsunit.manager.group import check_own_file, is_active, record, stored_group
from nsunit.manager.render import group_file
from nsunit.names import GROUP_SUFFIX, group_slice, groups_above, is_pod, pod_name, service_name
from nsunit.plan.group import group_unit
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.manager.context import Context

    Undo = list[Callable[[], object]]


def write_group_files(context: Context, group: str, undo: Undo) -> bool:
    """Write the unit files of *group* and of those around it where they differ; tells whether one did.

    A unit file that somebody else has made for a group that nsunit has no definition of is left alone.

    Raises:
        NsunitError: there is one, and a definition as well.
    """
    changed = False
    for name in groups_above(group):
        definition = group_or_empty(name, context.search, context.host)
        unit, text = group_file(definition)
        path, note = f"{context.search.units}/{unit}", context.paths.group_of(name)
        old, noted = unit_directory.read(path), files.read_file(note)
        if old is not None and noted is None:
            check_own_file(context, name, path)
            continue
        if old == text.encode():
            continue
        undo.append(lambda path=path, old=old: unit_directory.restore(path, old))  # type: ignore[misc]
        undo.append(lambda note=note, noted=noted: _restore(note, noted))  # type: ignore[misc]
        files.make_private_directory(os.path.dirname(note))
        files.write_file(note, serialize(definition).encode())
        unit_directory.write(path, text.encode())
        changed = True
    return changed


def forget_set_for_a_run(context: Context, group: str, forget: Callable[[Context, list[str]], bool]) -> bool:
    """Have *forget* forget what was set for a run of those groups that have no members; True if there was anything."""
    idle = [name for name in groups_above(group) if not is_active(context, name)]
    for name in idle:
        _remove(_changed_record(context, name))
    return forget(context, [group_slice(name) for name in idle])


def remove_group_files(context: Context, group: str) -> Callable[[], None]:
    """Remove the unit files of *group* and of those around it that no enabled container needs any more.

    Returns what is to be called after systemd has reloaded: groups that have members that are not enabled go on with
    their limits.
    """
    living = []
    for name in reversed(groups_above(group)):
        unit = group_slice(name)
        prefix = unit.removesuffix(".slice") + "-"
        others = files.list_directory(context.search.units)
        if any(other.startswith(prefix) and other.endswith(".slice") for other in others):
            break
        if service_name(pod_name(name.removesuffix(GROUP_SUFFIX))) in others:
            break
        if files.read_file(context.paths.group_of(name)) is None:
            continue  # somebody else's
        path = f"{context.search.units}/{unit}"
        if is_active(context, name) and context.bus.get(unit, "FragmentPath").get("FragmentPath") == path:
            living.append(stored_group(context, name))
        unit_directory.remove(path)
        _remove(context.paths.group_of(name))
        _remove(_changed_record(context, name))

    def go_on() -> None:
        for definition in reversed(living):
            record(context, definition.name, serialize(definition))
            context.bus.wait(context.bus.start_transient(group_unit(definition)), 30.0)

    return go_on


def enabled_members(context: Context, name: str) -> list[str]:
    """The enabled containers in pod or group *name*, by their definitions as they were enabled."""
    found = []
    for other in sorted(files.list_directory(context.paths.states)):
        text = files.read_file(context.paths.boot_of(other) + "/definition") or b""
        if b"\nPod=" not in text and b"\nSlice=" not in text:
            continue
        container = load_text(other, text.decode(), other, context.host).container
        around = (pod_name(container.pod),) if is_pod(name) else groups_above(container.slice)
        if name in around:
            found.append(other)
    return found


def _changed_record(context: Context, name: str) -> str:
    return f"{context.paths.groups}/{name}.enabled"


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _restore(path: str, content: bytes | None) -> None:
    if content is None:
        _remove(path)
    else:
        files.write_file(path, content)
