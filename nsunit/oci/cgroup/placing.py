"""Putting a container into its cgroup, and changing the limits there: for `create`, `run` and `update`."""

from __future__ import annotations

from nsunit.bytecode import preload
from nsunit.oci.cgroup import fs
from nsunit.oci.cgroup.place import CGROUPFS, DISABLED, SYSTEMD, Place
from nsunit.oci.devices import restrict
from nsunit.oci.errors import OciError
from nsunit.oci.rootless import is_in_user_namespace, is_users
from nsunit.oci.spec.limits import devices
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from nsunit.bus.systemd import Systemd
    from nsunit.oci.spec.fields import Json
    from nsunit.oci.spec.limits.resources import Limits


def connection(place: Place) -> Systemd | None:
    """A connection for `fill`, if *place* is a scope, which is made when it is used."""
    if place.manager != SYSTEMD:
        return None
    client: Systemd = _scope().connect()
    return client


def prepare(place: Place, config: Json, warn: Callable[[str], None]) -> Place:
    """Make a cgroup that is a directory, with its limits; a scope of systemd's is not before it has a process.

    Returns the place, which is another where a user can have none.  *warn* is told what there is no limit for.

    Raises:
        OciError: it cannot be made, or a limit cannot be had.
    """
    if place.manager != CGROUPFS:
        return place
    linux: Json = config.get("linux") or {}
    resources: Json = linux.get("resources") or {}
    limits = _for_cgroup(resources)
    try:
        fs.make(place.path)
    except PermissionError:
        if not is_users() or (limits and limits.files) or linux.get("cgroupsPath"):
            raise
        return place.replace(manager=DISABLED)  # nothing was asked for, and a user has no place for it
    if limits:
        fs.write(place.path, limits.files)
    _restrict(place, devices.rules_of(resources.get("devices") or ()), warn)
    _tell_without(limits, warn)
    return place


def fill(
    place: Place, identity: str, pid: int, config: Json, warn: Callable[[str], None], client: Systemd | None
) -> Place:
    """Put process *pid* into the cgroup that was prepared, or make the scope of it; returns the place with its path.

    *client* is what `connection` gave, and is closed.

    Raises:
        OciError, BusError: it cannot be there, or a limit cannot be had.
    """
    if place.manager == CGROUPFS:
        fs.enter(place.path, pid)
    if client is None:
        return place
    resources: Json = (config.get("linux") or {}).get("resources") or {}
    rules = devices.rules_of(resources.get("devices") or ())
    properties, annotations = devices.properties_of(rules), config.get("annotations") or {}
    path, limits = _scope().make(client, place, identity, pid, resources, properties, annotations)
    place = place.replace(path=path)
    fs.hand_down(path, limits.controllers())
    fs.write(path, limits.files)
    if devices.needs_program(rules):
        _restrict(place, rules, warn)
    _tell_without(limits, warn)
    return place


def _restrict(place: Place, rules: devices.Rules | None, warn: Callable[[str], None]) -> None:
    if rules is None or (rules.allowed and not rules.exceptions):
        return
    try:
        restrict(fs.directory(place.path), devices.program_of(rules))
    except OSError as error:
        if os.geteuid() == 0 and not is_in_user_namespace():
            raise OciError(f"linux.resources.devices: no rules can be had: {error.strerror}") from None
        # What a user has no right to the user's container has not either.
        warn("linux.resources.devices: a user cannot have rules about devices; they are left out")


def change(place: Place, resources: Json, warn: Callable[[str], None]) -> None:
    """Set limits of the container anew, as far as *resources* speak of them.

    Raises:
        OciError, BusError: one cannot be had.
    """
    if place.manager == DISABLED or not fs.exists(place.path):
        raise OciError("the container has no cgroup of its own: there are no limits to change")
    if (resources.get("memory") or {}).get("checkBeforeUpdate"):
        _resources().refuse_memory(resources, fs.memory_in_use(place.path))
    limits = _scope().change(place, resources) if place.manager == SYSTEMD else _for_cgroup(resources)
    if limits:
        fs.hand_down(place.path, limits.controllers())
        fs.write(place.path, limits.files)
    _tell_without(limits, warn)


def _for_cgroup(resources: Json) -> Limits | None:
    if not resources.keys() - {"devices"}:
        return None
    limits: Limits = _resources().for_cgroup(resources)
    return limits


def _tell_without(limits: Limits | None, warn: Callable[[str], None]) -> None:
    for name in limits.without if limits else ():
        warn(f"{name}: cgroup version 2 has nothing for it; it is left out")


def _scope() -> ModuleType:
    preload("oci.scope")
    from nsunit.oci.cgroup import scope  # it loads sd-bus

    return scope


def _resources() -> ModuleType:
    from nsunit.oci.spec.limits import resources  # what has no limits is not to load it

    return resources
