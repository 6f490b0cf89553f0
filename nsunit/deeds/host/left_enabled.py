"""What `enable`, `disable` and `rename` leave where they are killed, or where their files were taken away by hand."""

from __future__ import annotations

import os

from nsunit.core.findings import Leftover
from nsunit.core.install import UNFINISHED, renaming, unlink
from nsunit.core.listeners import LINK_DIRECTORIES, links
from nsunit.deeds.enable import take_away_files
from nsunit.deeds.rename import rename
from nsunit.definition import read_regular
from nsunit.dropins import files as unit_directory
from nsunit.features import hooks, kinds_of
from nsunit.names import is_pod, is_valid_name, service_name
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.core.findings import Owners

_HEADLINE = "# Container "
_MADE = "# Made by nsunit from "
_UNIT_FILE_MAX = 1 << 20  # bytes


def of_enabled(owners: Owners) -> Iterator[Leftover]:
    """What was to be started at boot, and is not whole."""
    context = owners.context
    paths, units = context.paths, context.search.units
    there = files.list_directory(units)
    states = files.list_directory(paths.states)  # where there is none at all, it may not be mounted
    for name in states:
        if is_valid_name(name) and renaming(context, name) and owners.is_idle(name):
            yield Leftover("rename", paths.state_of(name), "'rename' was killed", name)
            continue
        if not is_valid_name(name) or is_pod(name) or not paths.is_enabled(name) or not owners.is_idle(name):
            continue
        if os.path.lexists(f"{paths.boot_of(name)}/{UNFINISHED}"):
            yield Leftover("enable", paths.boot_of(name), "'enable' or 'disable' was killed", name)
        elif service_name(name) not in there:
            yield Leftover("enable", paths.boot_of(name), "it has no unit file any more", name)
    for unit in there:
        name = _made_for(f"{units}/{unit}") if unit.startswith("nsunit-") else ""
        if name and (owners.is_free(name) or (states and _has_lost_state(owners, name))):
            yield Leftover("unit file", f"{units}/{unit}", "its container is not enabled", name)
    for directory in (units, *(f"{units}/{entry}" for entry in there if entry.endswith(LINK_DIRECTORIES))):
        for entry in files.list_directory(directory):
            if _leads_nowhere(f"{directory}/{entry}", units):
                yield Leftover("link", f"{directory}/{entry}", "there is no such unit")


def _has_lost_state(owners: Owners, name: str) -> bool:
    """Whether what systemd would start *name* from at boot is gone, though a link still leads to its unit file."""
    return owners.is_idle(name) and not owners.context.paths.is_enabled(name)


def take_away_unit_file(context: Context, path: str, name: str) -> None:
    """Remove the unit file *path* of container *name*, and the links to it; *name* is empty for a link alone."""
    for link in links(context, name) if name and path.endswith(service_name(name)) else ():
        unlink(link)
    unit_directory.remove(path)
    context.bus.reload()


def _made_for(path: str) -> str:
    """The container that nsunit has made the unit file *path* for, empty for any other file."""
    try:
        lines = read_regular(path)[:_UNIT_FILE_MAX].decode("utf-8", "replace").split("\n", 2)
    except OSError:
        return ""  # a directory of drop-ins, or it is gone
    name = lines[0].removeprefix(_HEADLINE).partition(":")[0]
    ours = lines[0].startswith(_HEADLINE) and len(lines) > 1 and lines[1].startswith(_MADE)
    return name if ours and is_valid_name(name) else ""


def _leads_nowhere(path: str, units: str) -> bool:
    try:
        target = os.readlink(path)
    except OSError:
        return False
    return target.startswith(f"{units}/nsunit-") and not os.path.lexists(target)


def finish_rename(context: Context, name: str) -> None:
    """Do the rest of a `rename` that was at work on the state of *name*.

    Raises:
        NsunitError: it is refused.
    """
    if names := renaming(context, name):
        rename(context, *names)


def undo_enable(context: Context, name: str) -> None:
    """Take away what is there of an `enable` of *name*, whose lock is held."""
    for disable in hooks(kinds_of(name), "files.disable"):
        disable(context, name)
        return
    take_away_files(context, name)
