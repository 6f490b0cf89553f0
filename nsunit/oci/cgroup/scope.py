"""The transient scope of a container, made by systemd."""

from __future__ import annotations

from nsunit.bus.protocol import NO_SUCH_UNIT, UNIT_EXISTS
from nsunit.bus.systemd import Systemd
from nsunit.errors import BusError
from nsunit.oci.cgroup.place import Place
from nsunit.oci.errors import OciError
from nsunit.oci.rootless import is_users
from nsunit.oci.spec.annotations import wishes_of
from nsunit.oci.spec.limits.resources import for_scope, needs_version
from nsunit.setup import cgroup_of
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.spec.fields import Json
    from nsunit.oci.spec.limits.resources import Limits

_SECONDS = 30.0
_ACCOUNTING = ("CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting")


def unit_of(place: Place, identity: str, pid: int, properties: list[Property], annotations: Json) -> Unit:
    """The scope of container *identity* with process *pid*: pure."""
    said = wishes_of(annotations).properties
    named = {item.name for item in (*properties, *said)}
    fixed = [
        Property("Description", "s", f"OCI container {identity}"),
        Property("Slice", "s", place.slice),
        Property("Delegate", "b", True),
        Property("DefaultDependencies", "b", False),
        Property("CollectMode", "s", "inactive-or-failed"),
        *(Property(name, "b", True) for name in _ACCOUNTING),
    ]
    mine = [item for item in fixed if item.name not in named]
    return Unit(place.unit, (*mine, *properties, *said, Property("PIDs", "au", (pid,))))


def make(
    client: Systemd,
    place: Place,
    identity: str,
    pid: int,
    resources: Json,
    devices: tuple[Property, ...],
    annotations: Json,
) -> tuple[str, Limits]:
    """Make the scope with process *pid* in it; returns its cgroup, and the limits with files for what is no property.

    Raises:
        OciError, BusError: systemd refused it.
    """
    try:
        limits = _limits(resources, client)
        unit = unit_of(place, identity, pid, [*limits.properties, *devices], annotations)
        try:
            job = client.start_transient(unit)
        except BusError as error:
            if error.name != UNIT_EXISTS:
                raise
            client.reset_failed(place.unit)
            job = client.start_transient(unit)
        result = client.wait(job, _SECONDS)
        if result != "done":
            raise OciError(f"unable to start unit '{place.unit}': the job's result is '{result}'")
    finally:
        client.close()
    return cgroup_of(str(pid)), limits


def _limits(resources: Json, client: Systemd) -> Limits:
    return for_scope(resources, client.version() if needs_version(resources) else 0)


def change(place: Place, resources: Json) -> Limits:
    """Set the properties of the scope anew, as far as *resources* speak of them; returns the limits, with files.

    Raises:
        OciError, BusError: systemd refused it.
    """
    client = connect()
    try:
        limits = _limits(resources, client)
        if limits.properties:
            client.set_properties(place.unit, True, limits.properties)
        return limits
    finally:
        client.close()


def stop(place: Place) -> None:
    """Have systemd forget the scope."""
    client = connect()
    try:
        client.wait(client.stop(place.unit), _SECONDS)
        client.reset_failed(place.unit)
    except BusError as error:
        if error.name != NO_SUCH_UNIT:
            raise
    finally:
        client.close()


def connect() -> Systemd:
    """A connection to the caller's manager, which is made when it is used."""
    return Systemd(user=is_users())
