"""What a container's life cycle asks of its cgroup, whoever has made that."""

from __future__ import annotations

from nsunit.bytecode import preload
from nsunit.oci.cgroup import fs
from nsunit.oci.cgroup.place import CGROUPFS, DISABLED, SYSTEMD, Place


def remove(place: Place) -> None:
    """Kill what is left in it, and remove it; none is no error."""
    if place.manager == DISABLED:
        return
    if fs.exists(place.path):
        fs.kill(place.path)
    if place.manager == CGROUPFS:
        fs.remove(place.path)
    elif place.unit and (not place.path or fs.exists(place.path)):
        preload("oci.scope")
        from nsunit.oci.cgroup import scope  # it loads sd-bus

        scope.stop(place)


def is_own(place: Place) -> bool:
    """Whether all in the cgroup is of the container."""
    return place.manager in (SYSTEMD, CGROUPFS) and bool(place.path) and fs.exists(place.path)
