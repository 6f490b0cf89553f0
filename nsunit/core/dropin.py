"""Drop-ins for the units of a container: what `set --persist` and `dropin` change for good.

They are files as `systemctl edit` makes them, so systemd itself applies them to whatever unit has the name.  nsunit
reads them as the last drop-ins of the definition, so that every start and comparison knows of them.
"""

from __future__ import annotations

import os

from nsunit.definition.load import unit_text_value
from nsunit.definition.setting import lookup
from nsunit.definition.syntax import parse
from nsunit.dropins import files
from nsunit.errors import NsunitError
from nsunit.names import escape, former_unit, former_units, group_slice, is_group, service_name, slice_name
from nsunit.plan.change import texts_by_key
from nsunit.plan.units import may_be_ignored
from nsunit.storage.files import list_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition


def headline(name: str) -> str:
    """The first line of the drop-ins of container *name*; whose they are is told by it, not by the unit's name."""
    if is_group(name):
        return f"Limits of group {name} that were set for good."
    return f"Limits of container {name} that were set for good."


def dropped_in(context: Context, definition: Definition) -> Iterator[tuple[tuple[str, str], str]]:
    """Each `(section, key)` that a drop-in of nsunit sets for *definition*'s units, with the file's path."""
    for path in drop_ins_of(context, definition):
        for section, key, _text, _line in parse(path, files.read(path) or b"")[0]:
            yield (section, key), path


def drop_ins_of(context: Context, definition: Definition) -> tuple[str, ...]:
    """Where the drop-ins of *definition*'s slice and service are, if there are any; a group has a slice only."""
    name = definition.name
    own = (slice_name(name, definition.container.slice), service_name(name))
    units = (group_slice(name),) if is_group(name) else own
    return tuple(files.drop_in_path(context.search.units, _with_drop_ins(context, unit)) for unit in units)


def check_not_outdone(context: Context, definition: Definition, keys: Iterable[tuple[str, str]]) -> None:
    """See that what is set for *keys* of *definition* counts: systemd takes the drop-in whose name comes last.

    Raises:
        NsunitError: somebody else's, such as the override.conf of `systemctl edit`, says something for one of them.
    """
    wanted = set(keys)
    for own in drop_ins_of(context, definition):
        directory, unit = os.path.dirname(own), os.path.basename(os.path.dirname(own)).removesuffix(".d")
        loaded = context.bus.get(unit, "DropInPaths").get("DropInPaths") or ()
        listed = _files_in(directory)
        for path in dict.fromkeys((*listed, *(loaded if isinstance(loaded, (list, tuple)) else ()))):
            if os.path.basename(path) <= files.DROP_IN:
                continue
            for section, key, *_ in _said_in(path):
                if (section, key) in wanted:
                    raise NsunitError(
                        f"{definition.name}: [{section}] {key}= is said in '{path}' as well, which counts more",
                        hint=f"change it there: systemctl{' --user' if context.user else ''} edit {unit}",
                    )


def _files_in(directory: str) -> list[str]:
    try:
        return [f"{directory}/{entry}" for entry in list_directory(directory) if entry.endswith(".conf")]
    except OSError:
        return []  # who writes there tells what it is


def _said_in(path: str) -> list[tuple[str, str, str, int]]:
    try:
        return parse(path, files.read(path) or b"")[0]
    except OSError:
        return []  # a link to /dev/null, by which one of another directory does not count


def _with_drop_ins(context: Context, unit: str) -> str:
    """*unit*, or its former name where that has the drop-ins still."""
    former = former_unit(unit)
    return former if former and os.path.lexists(f"{context.search.units}/{former}.d") else unit


def write_drop_ins(
    context: Context, definition: Definition, keys: Iterable[tuple[str, str]], undo: Undo
) -> tuple[str, ...]:
    """Have the drop-ins say what *definition* says for *keys*, beside what they say already; returns those written.

    systemd reads them before this returns.  *undo* gets what brings back the former files.

    Raises:
        NsunitError: a drop-in of others counts more.
    """
    from nsunit.dropins.render import render_drop_in  # loads Jinja2

    keys = tuple(keys)
    check_not_outdone(context, definition, keys)
    if may_be_ignored(definition):
        from nsunit.core.limits import check_files  # few limits can be left out

        check_files(context, definition)
    texts = texts_by_key(definition.assignments)
    written = []
    undo.append(context.bus.reload)
    for section, path in zip(("Slice", "Service"), drop_ins_of(context, definition), strict=False):
        touched = [key for place, key in keys if place == section]
        if not touched:
            continue
        before = files.read(path)
        known = [key for place, key, _, _ in parse(path, before or b"")[0] if place == section]
        lines = [
            line
            for key in dict.fromkeys((*known, *touched))
            for line in _lines(section, key, texts.get((section, key)))
        ]
        sources = tuple(source for source in definition.sources if source != path)
        text = render_drop_in(headline(definition.name), definition.name, sources, section, lines)
        undo.append(lambda path=path, before=before: files.restore(path, before))  # type: ignore[misc]
        files.write(path, text.encode())
        written.append(path)
    context.bus.reload()
    return tuple(written)


def _lines(section: str, key: str, texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """The lines that give *key* these *texts* whatever was said before."""
    setting = lookup(section, key)
    assert setting is not None, f"a checked definition has the unknown key {key}"
    reset = [(key, "")] if setting.adds or not texts else []
    return reset + [(key, unit_text_value(setting, text)) for text in texts or ()]


def forget_drop_ins(context: Context, name: str, undo: Undo | None = None) -> tuple[str, ...]:
    """Remove nsunit's drop-ins of container *name*, wherever its slice was; returns their paths."""
    removed = []
    for path in _all_of(context, name):
        before = files.read(path)
        if undo is not None:
            undo.append(lambda path=path, before=before: files.restore(path, before))  # type: ignore[misc]
        if files.remove(path):
            removed.append(path)
    return tuple(removed)


def copy_drop_ins(context: Context, definition: Definition, new: str, undo: Undo) -> bool:
    """Give container *new* the drop-ins that *definition*'s has; tells whether there are any."""
    lines = headline(definition.name).encode(), headline(new).encode()
    pairs = zip(drop_ins_of(context, definition), drop_ins_of(context, definition.replace(name=new)), strict=True)
    copied = False
    for source, target in pairs:
        text = files.read(source)
        if text is not None:
            undo.append(lambda target=target: files.restore(target, None))  # type: ignore[misc]
            files.write(target, text.replace(*lines, 1))
            copied = True
    return copied


def _all_of(context: Context, name: str) -> list[str]:
    """The drop-ins that say that they are container *name*'s, of its service or of its slice in any group."""
    directory = context.search.units
    first = f"# {headline(name)}\n".encode()
    own = (f"-{escape(name)}.slice.d", *(f"{unit}.d" for unit in (service_name(name), *former_units(name))))
    endings = (f"{group_slice(name)}.d",) if is_group(name) else own
    try:
        entries = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    paths = [
        f"{directory}/{entry}/{files.DROP_IN}"
        for entry in entries
        if entry.startswith("nsunit-") and entry.endswith(endings)
    ]
    return [path for path in paths if (files.read(path) or b"").startswith(first)]
