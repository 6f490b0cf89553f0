"""Unit files of nsunit's making, the links that [Install] asks for, and how systemd gets to read them."""

from __future__ import annotations

import os
import time

from nsunit.core.listeners import LINK_DIRECTORIES, links
from nsunit.core.running import not_own
from nsunit.dropins import files as unit_directory
from nsunit.errors import NsunitError
from nsunit.names import former_units, is_valid_name
from nsunit.plan.units import entry_of, install_links
from nsunit.storage import files
from nsunit.units import DOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition

UNFINISHED = "unfinished"  # in what `enable` makes for the boot, while not all of it is there
RENAMING = "renaming"  # in the state of an enabled container, while `rename` has it not enabled
_PATIENCE = 40
_PAUSE = 0.05  # s: systemd drops what nobody refers to between two messages


def check_own(context: Context, name: str, units: Sequence[str]) -> None:
    """Refuse to overwrite one of *units* of *name* that nsunit has not made.

    Raises:
        NsunitError: there is one.
    """
    for unit in units:
        path = str(context.bus.get(unit, "FragmentPath").get("FragmentPath", ""))
        path = path if path and not path.startswith(context.transient) else f"{context.search.units}/{unit}"
        if os.path.lexists(path):
            raise not_own(context, name, unit, path)


def begin(context: Context, name: str) -> bool:
    """Note that what *name* is started with at boot is not whole, from here on; False if that is noted already."""
    path = f"{context.paths.boot_of(name)}/{UNFINISHED}"
    if os.path.lexists(path):
        return False
    files.write_file(path, b"")
    return True


def finish(context: Context, name: str) -> None:
    """Note that all is there that *name* is started with at boot."""
    path = f"{context.paths.boot_of(name)}/{UNFINISHED}"
    if os.path.lexists(path):
        os.unlink(path)
    forget_renaming(context, name)


def note_renaming(context: Context, old: str, new: str) -> None:
    """Note that *old*, which is enabled, is to be enabled as *new*; the note goes along with the state."""
    files.write_file(_note_of_renaming(context, old), f"{old} {new}".encode())


def renaming(context: Context, name: str) -> tuple[str, str] | None:
    """Which name was to become which one when `rename` was at work on *name*, if it was not done with that."""
    old, _, new = (files.read_file(_note_of_renaming(context, name)) or b"").decode("utf-8", "replace").partition(" ")
    return (old, new) if name in (old, new) and is_valid_name(old) and is_valid_name(new) else None


def forget_renaming(context: Context, name: str) -> None:
    """Whether *name* is enabled has been said anew."""
    files.discard(_note_of_renaming(context, name))


def _note_of_renaming(context: Context, name: str) -> str:
    return f"{context.paths.state_of(name)}/{RENAMING}"


def runs_from_files(context: Context, name: str) -> NsunitError:
    """The refusal to take away the unit files that *name* runs from.

    They have its limits and say how it ends.  `systemctl disable` takes away no more than the links, and so can be had.
    """
    hint = f"stop it first, or do both with 'nsunit disable --now {name}'"
    if units := sorted({os.path.basename(os.readlink(path)) for path in links(context, name)}):
        disable = f"systemctl{' --user' if context.user else ''} disable {' '.join(units)}"
        hint += f"; '{disable}' lets it run, and keeps it from starting at the next boot"
    return NsunitError(f"{name}: it runs from the unit files that would be removed", hint=hint)


def write_contents(boot: str, contents: Mapping[str, bytes], undo: Undo) -> None:
    """Write files, by name, into the directory *boot* where they differ; they are there for good when this returns."""
    for file, content in contents.items():
        path = f"{boot}/{file}"
        before = files.read_file(path)
        if before != content:
            if before is not None:  # else the whole directory goes
                undo.append(lambda path=path, before=before: files.write_file(path, before))  # type: ignore[misc]
            files.write_file(path, content)
    for directory in (boot, os.path.dirname(boot), os.path.dirname(os.path.dirname(boot))):
        files.sync_directory(directory)  # before the unit files that need them, which may be on another disk


def write_unit(context: Context, unit: str, text: str, undo: Undo) -> bool:
    """Write a unit file, or remove it if *text* is empty; tells whether there was a difference."""
    path = f"{context.search.units}/{unit}"
    old = unit_directory.read(path)
    if old == text.encode():
        return False
    undo.append(lambda: unit_directory.restore(path, old))
    unit_directory.write(path, text.encode()) if text else unit_directory.remove(path)
    return True


def forget_runtime_changes(context: Context, units: Sequence[str]) -> bool:
    """Remove what SetUnitProperties has left for *units* until the next boot; True if there was anything."""
    removed = [files.remove_tree(f"{context.runtime_control}/{unit}.d") for unit in units]
    return any(removed)


def link(context: Context, definition: Definition, undo: Undo) -> bool:
    """Make the links that [Install] asks for, as systemctl enable would, and remove those it no longer asks for."""
    entry, _ = entry_of(definition, context.boot_target)
    target = f"{context.search.units}/{entry}"
    wanted = {f"{context.search.units}/{link}" for link in install_links(definition, context.boot_target)}
    present = set(links(context, definition.name))
    for path in sorted(wanted - present):
        if os.path.lexists(path):
            raise NsunitError(
                f"{definition.name}: '{path}' is there already", hint="remove it, or leave out the Alias="
            )
        undo.append(lambda path=path: _restore_link("", path))  # type: ignore[misc]
        symlink(target, path)
    for path in sorted(present - wanted):
        former = os.readlink(path)
        undo.append(lambda path=path, former=former: _restore_link(former, path))  # type: ignore[misc]
        unlink(path)
    return wanted != present


def former_files(context: Context, name: str) -> list[str]:
    """The unit files of *name* by former names that may be removed: while one is up, its file says how it ends."""
    there = [unit for unit in former_units(name) if os.path.lexists(f"{context.search.units}/{unit}")]
    return [unit for unit in there if context.bus.get(unit, "ActiveState").get("ActiveState") in DOWN]


def let_read(context: Context, names: Sequence[str], units: Sequence[str], *, required: bool = True) -> bool:
    """Have systemd read the files of those *units*, which do not run, that it still has as they ran last.

    They are those of the first of *names*, whose lock is held; links to the others may keep them, too.

    Whatever was started as a transient unit, systemd forgets only when nothing refers to it, and the links that were
    made meanwhile do.  So they are away for a moment.  Returns whether there was any.

    Raises:
        NsunitError: something else refers to one, and it is *required*.
    """
    stale = [unit for unit in units if _is_transient(context, unit)]
    if not stale:
        return False
    found = [(path, os.readlink(path)) for name in names for path in links(context, name)]
    marked = context.paths.is_enabled(names[0]) and begin(context, names[0])  # if this is killed
    try:
        for path, _ in found:
            unlink(path)
        context.bus.reload()
        left = _PATIENCE
        while left and any(_is_transient(context, unit) for unit in stale):
            time.sleep(_PAUSE)
            left -= 1
    finally:
        for path, target in found:
            _restore_link(target, path)  # an interrupt, or an error, may have left some
        if marked:
            finish(context, names[0])
        context.bus.reload()
    for unit in stale:
        if required and _is_transient(context, unit):
            raise NsunitError(
                f"{names[0]}: systemd still has '{unit}' as it was before it was enabled, as another unit refers to it",
                hint=f"stop those that need it: systemctl show --property=WantedBy,RequiredBy,BoundBy '{unit}'",
            )
    return True


def _is_transient(context: Context, unit: str) -> bool:
    return str(context.bus.get(unit, "FragmentPath").get("FragmentPath", "")).startswith(context.transient)


def symlink(target: str, path: str) -> None:
    """Make the link *path*, and its directory where that is missing."""
    unit_directory.make_directory(os.path.dirname(path))
    try:
        os.symlink(target, path)
    except FileNotFoundError:  # a command on another container has removed the directory, which was empty
        unit_directory.make_directory(os.path.dirname(path))
        os.symlink(target, path)


def _restore_link(former: str, path: str) -> None:
    """Have the link *path* lead to *former* again, or be gone where that is empty, as far as it is another one now."""
    if bool(former) != os.path.lexists(path):
        symlink(former, path) if former else unlink(path)


def unlink(path: str) -> None:
    """Remove the link *path*, and its directory if nothing else is in it."""
    os.unlink(path)
    directory = os.path.dirname(path)
    if directory.endswith(LINK_DIRECTORIES):
        unit_directory.remove_empty(directory)
