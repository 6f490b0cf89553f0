"""What a unit file with limits of disks comes after, so that systemd finds them when it sets the limits at boot."""

from __future__ import annotations

from nsunit.names import mount_unit
from nsunit.plan.units import OF_DISKS, UNIT_NAME_MAX, relation, requires_mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.definition.model import Definition
    from nsunit.plan.units import Directive

_DEVICES = "/dev/"


def disk_directives(definition: Definition, sections: Sequence[str]) -> Iterator[Directive]:
    """Relations of [Unit] for the unit that has *sections* of *definition*.

    systemd sets a unit's limits once, when it starts, and leaves out that of a disk that is not there; udev brings the
    disks of modules, and all links below /dev/disk.  A path on a file system not yet mounted would be on another disk.
    """
    paths = [
        path
        for section in ("Slice", "Service")
        if section in sections
        for item in definition.properties_of(section)
        if item.signature == OF_DISKS
        for path, _limit in item.value  # type: ignore[attr-defined]
    ]
    units = dict.fromkeys(mount_unit(path, "device") for path in paths if path.startswith(_DEVICES))
    devices = tuple(unit for unit in units if len(unit) <= UNIT_NAME_MAX)
    for key in ("Wants", "After") if devices else ():
        yield relation(key, devices)
    yield from requires_mounts(path for path in paths if not path.startswith(_DEVICES))
