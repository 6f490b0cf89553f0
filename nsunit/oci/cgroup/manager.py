"""What a container's life cycle asks of its cgroup, whoever has made that."""

from __future__ import annotations

from nsunit.oci.cgroup import fs
from nsunit.oci.cgroup.place import CGROUPFS, DISABLED, SYSTEMD, Place
from nsunit.oci.errors import OciError
from nsunit.oci.spec.limits import devices
from nsunit.oci.spec.limits.resources import for_cgroup, refuse_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.oci.spec.fields import Json


def put(place: Place, identity: str, pid: int, config: Json, warn: Callable[[str], None]) -> Place:
    """Make the cgroup with its limits and process *pid* in it; returns the place with its path.

    *warn* is told what there is no limit for.

    Raises:
        OciError, BusError: it cannot be made, or a limit cannot be had.
    """
    if place.manager == DISABLED:
        return place
    linux: Json = config.get("linux") or {}
    resources: Json = linux.get("resources") or {}
    rules = devices.rules_of(resources.get("devices") or ())
    if place.manager == SYSTEMD:
        from nsunit.oci.cgroup import scope  # it loads sd-bus

        properties = devices.properties_of(rules)
        path, limits = scope.make(place, identity, pid, resources, properties, config.get("annotations") or {})
        place = place.replace(path=path)
        fs.write(path, limits.files)
        if not devices.needs_program(rules):
            rules = None
    else:
        limits = for_cgroup(resources)
        fs.make(place.path)
        fs.write(place.path, limits.files)
        fs.enter(place.path, pid)
    if rules is not None and not (rules.allowed and not rules.exceptions):
        _restrict(place, rules, warn)
    for name in limits.without:
        warn(f"{name}: cgroup version 2 has nothing for it; it is left out")
    return place


def _restrict(place: Place, rules: devices.Rules, warn: Callable[[str], None]) -> None:
    from nsunit.oci.devices import restrict  # with systemd few need it

    try:
        restrict(fs.directory(place.path), devices.program_of(rules))
    except PermissionError:
        # A user cannot load one; what the user has no right to, the user's container has not either.
        warn("linux.resources.devices: a user cannot have rules about devices; they are left out")


def change(place: Place, resources: Json, warn: Callable[[str], None]) -> None:
    """Set limits of the container anew, as far as *resources* speak of them.

    Raises:
        OciError, BusError: one cannot be had.
    """
    if place.manager == DISABLED or not fs.exists(place.path):
        raise OciError("the container has no cgroup of its own: there are no limits to change")
    if (resources.get("memory") or {}).get("checkBeforeUpdate"):
        refuse_memory(resources, fs.memory_in_use(place.path))
    if place.manager == SYSTEMD:
        from nsunit.oci.cgroup import scope  # it loads sd-bus

        limits = scope.change(place, resources)
    else:
        limits = for_cgroup(resources)
    fs.write(place.path, limits.files)
    for name in limits.without:
        warn(f"{name}: cgroup version 2 has nothing for it; it is left out")


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
