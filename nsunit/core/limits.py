"""Limits that systemd would take and then leave out, with a line in the journal at most.

A path of an IO limit that leads to no disk, filters for which systemd was built without the means, and what it has no
more.  Imported only where a definition has a key of that kind.
"""

from __future__ import annotations

import os
import stat

from nsunit.definition.setting import keys_of, lookup
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.formats.disks import mount_of
from nsunit.plan.units import GONE_LATER, NEED_BPF, OF_DISKS, Units
from nsunit.storage.files import read_kernel_file
from nsunit.units import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition

    Places = list[tuple[str, str]]

_DEPTH = 4  # of overlays on overlays
_IO_MAX = ("IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax")


def made_effective(context: Context, definition: Definition, units: Units) -> Units:
    """*units* with each IO limit for an overlay on the disks below it.

    Raises:
        DefinitionError: a path leads to no disk, or systemd ignores a key; it has all of them.
    """
    problems: list[Problem] = []
    changed = units.replace(
        slice=_on_disks(definition, "Slice", units.slice, problems),
        service=_on_disks(definition, "Service", units.service, problems),
    )
    problems += _ignored(context, definition)
    if problems:
        raise DefinitionError(problems)
    return changed


def check(context: Context, definition: Definition) -> tuple[Units, Units]:
    """The limits of *definition* as it says them, and as `made_effective` has them.

    Raises:
        DefinitionError: a path leads to no disk, or systemd ignores a key.
    """
    service, slice_ = (Unit(section, definition.properties_of(section)) for section in ("Service", "Slice"))
    units = Units(service, slice_, (), ())
    return units, made_effective(context, definition, units)


def check_files(context: Context, definition: Definition) -> None:
    """Like `made_effective` for the text of unit files, where one line cannot become several.

    Raises:
        DefinitionError: a path leads to no disk, or systemd ignores a key.
        NsunitError: a path is on an overlay.
    """
    units, changed = check(context, definition)
    for before, after in ((units.slice, changed.slice), (units.service, changed.service)):
        for item, other in zip(before.properties, after.properties, strict=True):
            if item != other:
                disks = ", ".join(path for path, _ in other.value)  # type: ignore[attr-defined]
                raise NsunitError(
                    f"{definition.name}: a path of {item.name} is on an overlay, where systemd finds no disk",
                    hint=f"name what is below it: {disks}",
                )


def device_number(path: str) -> str:
    """The whole disk behind a device node or a file, as `major:minor`, as systemd finds it; empty if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    number = found.st_rdev if found.st_rdev else found.st_dev
    entry = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
    if os.path.exists(f"{entry}/partition"):
        return (read_kernel_file(f"{os.path.realpath(entry)}/../dev") or "").strip()
    return f"{os.major(number)}:{os.minor(number)}"


def _on_disks(definition: Definition, section: str, unit: Unit, problems: list[Problem]) -> Unit:
    properties = []
    named: dict[tuple[str, str], str] = {}
    for item in unit.properties:
        if item.signature == OF_DISKS:
            values: dict[str, object] = {}
            key = next(key for key in keys_of(section) if _property_of(section, key) == item.name)
            for path, limit in item.value:  # type: ignore[attr-defined]
                disks = _disks_below(path, 0)
                if not disks:
                    reason = "is on no disk" if os.path.exists(path) else "does not exist"
                    hint = "name a block device, or a file or directory on one"
                    problems.append(Problem(definition.name, 0, f"[{section}] {key}: '{path}' {reason}", hint))
                for disk in disks:
                    values[disk] = limit
                    # For each path systemd writes all four limits to io.max: only the last one's would count.
                    file = "io.max" if item.name in _IO_MAX else item.name
                    other = named.setdefault((file, device_number(disk)), disk)
                    if other != disk:
                        message = f"[{section}] {key}: '{disk}' is on the same disk as '{other}'"
                        hint = f"name it by one path, '{other}': systemd keeps the limits of the last path only"
                        problems.append(Problem(definition.name, 0, message, hint))
            item = item.replace(value=tuple(values.items()))  # noqa: PLW2901
        properties.append(item)
    return unit.replace(properties=tuple(properties))


def _property_of(section: str, key: str) -> str:
    found = lookup(section, key)
    return found.property if found else ""


def _disks_below(path: str, depth: int) -> tuple[str, ...]:
    """The paths by which systemd finds the disks that *path* is on, one for each file system; none without a disk."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    if stat.S_ISBLK(status.st_mode):
        return (path,)
    mount = mount_of(os.path.realpath(path), read_kernel_file("/proc/self/mountinfo") or "")
    if mount.type == "overlay" and depth < _DEPTH:
        return tuple(_one_each(disk for layer in mount.layers for disk in _disks_below(layer, depth + 1)))
    return (path,) if mount.has_disk and not stat.S_ISCHR(status.st_mode) else ()


def _one_each(paths: Iterable[str]) -> Iterator[str]:
    seen = set()
    for path in paths:
        status = os.stat(path)
        device = status.st_rdev if stat.S_ISBLK(status.st_mode) else status.st_dev
        if device not in seen:
            seen.add(device)
            yield path


def _ignored(context: Context, definition: Definition) -> list[Problem]:
    used = [(section, item.name) for section in ("Slice", "Service") for item in definition.properties_of(section)]
    why = {
        **dict.fromkeys(_without_bpf(context, used), "was built without BPF_FRAMEWORK"),
        **dict.fromkeys(_gone(context, used), "has it no more"),
    }
    message = "[{}] {}= would be ignored: this systemd {}"
    return [
        Problem(definition.name, 0, message.format(section, key, why[key]), "leave it out")
        for section, key in used
        if key in why
    ]


def _without_bpf(context: Context, used: Places) -> tuple[str, ...]:
    if not any(key in NEED_BPF for _, key in used) or "-BPF_FRAMEWORK" not in context.bus.features():
        return ()
    return NEED_BPF


def _gone(context: Context, used: Places) -> list[str]:
    """Those that are listed no more among the properties of a slice; systemd takes them, and tells 0, all the same."""
    asked = [key for key in GONE_LATER if any(key == name for _, name in used)]
    had = context.bus.properties("-.slice") if asked else {}
    return [key for key in asked if key not in had]
