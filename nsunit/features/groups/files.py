"""Unit files of groups, which the enabled containers in them share."""

from __future__ import annotations

import os

from nsunit.core.install import forget_runtime_changes
from nsunit.definition.load import load_text, serialize
from nsunit.dropins import files as unit_directory
from nsunit.dropins.render import render_unit
from nsunit.errors import NsunitError
from nsunit.features.groups.deeds import check_own_file, groups_around, is_active, record, stored_group
from nsunit.features.groups.definition import group_or_empty, load_group
from nsunit.features.groups.plan import group_directives, group_unit
from nsunit.names import GROUP_SUFFIX, group_slice, groups_above, is_pod, pod_name, service_name
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition


def unit_files(context: Context, name: str) -> dict[str, str]:
    """The slice of group *name* as a unit file."""
    return dict([group_file(context, load_group(name, context.search, context.host))])


def files_around(context: Context, definition: Definition) -> dict[str, str]:
    """Those of the groups around *definition*."""
    return dict(group_file(context, group) for group in reversed(groups_around(context, definition)))


def group_file(context: Context, definition: Definition) -> tuple[str, str]:
    """The slice of a group as a unit file: name and text."""
    title = f"Group {definition.name}: the slice that its containers share."
    version = context.host.systemd_version
    text = render_unit(title, definition, group_directives(definition, version), ("Unit", "Slice"), version)
    return group_slice(definition.name), text


def write_around(context: Context, definition: Definition, undo: Undo) -> bool:
    """Write the unit files of the groups around *definition* where they differ; tells whether one did.

    A unit file that somebody else has made for a group that nsunit has no definition of is left alone.

    Raises:
        NsunitError: there is one, and a definition as well.
    """
    changed = False
    for name in groups_above(definition.container.slice):
        group = group_or_empty(name, context.search, context.host)
        unit, text = group_file(context, group)
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
        files.write_file(note, serialize(group).encode())
        unit_directory.write(path, text.encode())
        changed = True
    return changed


def forget_set_for_a_run(context: Context, definition: Definition) -> bool:
    """Forget what was set for a run of those groups around *definition* that have no members; True if there was any."""
    idle = [name for name in groups_above(definition.container.slice) if not is_active(context, name)]
    for name in idle:
        files.discard(_changed_record(context, name))
    return forget_runtime_changes(context, [group_slice(name) for name in idle])


def remove_around(context: Context, group: str) -> Callable[[], None]:
    """Remove the unit files of *group* and of those around it that no enabled container needs any more.

    Returns what is to be called after systemd has reloaded: groups that have members that are not enabled go on with
    their limits.
    """
    living = []
    for name in reversed(groups_above(group)):
        unit = group_slice(name)
        if is_needed(context, name):
            break
        if files.read_file(context.paths.group_of(name)) is None:
            continue  # somebody else's
        path = f"{context.search.units}/{unit}"
        if is_active(context, name) and context.bus.get(unit, "FragmentPath").get("FragmentPath") == path:
            living.append(stored_group(context, name))
        unit_directory.remove(path)
        files.discard(context.paths.group_of(name))
        files.discard(_changed_record(context, name))

    def go_on() -> None:
        for definition in reversed(living):
            record(context, definition.name, serialize(definition))
            context.bus.wait(context.bus.start_transient(group_unit(definition, context.host.systemd_version)), 30.0)

    return go_on


def is_needed(context: Context, name: str) -> bool:
    """Whether a container, a group or a pod that has unit files is in group *name*."""
    prefix = group_slice(name).removesuffix(".slice") + "-"
    others = files.list_directory(context.search.units)
    if any(other.startswith(prefix) and other.endswith(".slice") for other in others):
        return True
    return service_name(pod_name(name.removesuffix(GROUP_SUFFIX))) in others


def enabled_members(context: Context, name: str) -> list[str]:
    """The enabled containers in pod or group *name*, by their definitions as they were enabled.

    One whose definition nobody can read any more goes by the line alone, and is told of: the others do not wait for it.
    """
    found = []
    for other in sorted(files.list_directory(context.paths.states)):
        text = files.read_file(context.paths.boot_of(other) + "/definition") or b""
        if b"\nPod=" not in text and b"\nSlice=" not in text:
            continue
        error = None
        try:
            container = load_text(other, text.decode(), other, context.host).container
            pod, group = str(container.extra("pods", "")), container.slice
        except (NsunitError, UnicodeDecodeError) as caught:
            error = caught
            pod, group = (_last_said(text, key) for key in (b"Pod=", b"Slice="))
        around = ((pod_name(pod),) if pod else ()) if is_pod(name) else groups_above(group)
        if name in around:
            found.append(other)
            if error:
                why = str(error).splitlines()[0]
                what = f"what it was enabled as cannot be read ({why}); 'nsunit enable {other}' writes it anew"
                context.warn(f"warning: {other}: {what}")
    return found


def _last_said(text: bytes, key: bytes) -> str:
    lines = [line for line in text.splitlines() if line.startswith(key)]
    return lines[-1].removeprefix(key).decode("utf-8", "replace").strip() if lines else ""


def _changed_record(context: Context, name: str) -> str:
    return f"{context.paths.groups}/{name}.enabled"


def _restore(path: str, content: bytes | None) -> None:
    if content is None:
        files.discard(path)
    else:
        files.write_file(path, content)
