"""What a container's life cycle asks of its cgroup, whoever has made that."""

from __future__ import annotations

from nsunit.oci.cgroup import fs
from nsunit.oci.cgroup.place import CGROUPFS, DISABLED, SYSTEMD, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.spec.fields import Json


def put(place: Place, identity: str, pid: int, resources: Json, annotations: Json) -> Place:
    """Make the cgroup with its limits and process *pid* in it; returns the place with its path.

    Raises:
        OciError, BusError: it cannot be made, or a limit cannot be had.
    """
    if place.manager == DISABLED:
        return place
    if place.manager == SYSTEMD:
        from nsunit.oci.cgroup import scope  # it loads sd-bus

        path, files = scope.make(place, identity, pid, resources, annotations)
        fs.write(path, files)
        return place.replace(path=path)
    from nsunit.oci.spec.resources import cgroup_files  # not with systemd

    fs.make(place.path)
    fs.write(place.path, cgroup_files(resources))
    fs.enter(place.path, pid)
    return place


def remove(place: Place) -> None:
    """Kill what is left in it, and remove it; none is no error."""
    if place.manager == DISABLED:
        return
    if fs.exists(place.path):
        fs.kill(place.path)
    if place.manager == CGROUPFS:
        fs.remove(place.path)
    elif place.unit and (not place.path or fs.exists(place.path)):
        from nsunit.oci.cgroup import scope  # it loads sd-bus

        scope.stop(place)


def is_own(place: Place) -> bool:
    """Whether all in the cgroup is of the container."""
    return place.manager in (SYSTEMD, CGROUPFS) and bool(place.path) and fs.exists(place.path)
