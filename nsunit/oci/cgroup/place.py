"""`linux.cgroupsPath` to a place: pure."""

from __future__ import annotations

from nsunit.oci.errors import SpecError
from nsunit.record import Record

SYSTEMD, CGROUPFS, DISABLED = "systemd", "cgroupfs", "disabled"
MANAGERS = (SYSTEMD, CGROUPFS, DISABLED)
_PREFIX = "nsunit-oci"


class Place(Record):
    """Where a container's cgroup is: *path* below the mount point, and with systemd the *unit* in its *slice*."""

    manager: str
    path: str = ""
    unit: str = ""
    slice: str = ""


def parse(manager: str, text: str, identity: str, own: str, *, user: bool) -> Place:
    """The place that `cgroupsPath` *text* names for container *identity*; *own* is the runtime's cgroup.

    A relative path, and none, is beside the runtime's own, as runc has it: what has processes takes no controllers.

    Raises:
        SpecError: the manager cannot use it.
    """
    if manager == DISABLED:
        return Place(DISABLED, own)
    if manager == SYSTEMD:
        slice_, prefix, name = _scope(text, identity, user)
        unit = name if name.endswith(".slice") else f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
        if "/" in unit or "/" in slice_ or "\0" in unit + slice_:
            raise SpecError(f"cgroupsPath '{text}' has a slash")
        return Place(SYSTEMD, "", unit, slice_)
    if ".." in text.split("/"):
        raise SpecError(f"cgroupsPath '{text}' has a '..'")
    if text.startswith("/"):
        return Place(CGROUPFS, "/" + text.strip("/"))
    parent = own.rpartition("/")[0]
    return Place(CGROUPFS, f"{parent}/{text.strip('/') or identity}")


def group_of(place: Place) -> str:
    """The path of the cgroup of *place*, also before the system's manager has made it; empty where it has none."""
    if place.manager != SYSTEMD:
        return place.path if place.manager == CGROUPFS else ""
    words = place.slice.removesuffix(".slice").split("-") if place.slice != "-.slice" else []
    slices = ["-".join(words[: count + 1]) + ".slice" for count in range(len(words))]
    return "/" + "/".join([*slices, place.unit])


def _scope(text: str, identity: str, user: bool) -> tuple[str, str, str]:
    default = "user.slice" if user else "system.slice"
    if not text:
        return default, _PREFIX, identity
    if ":" not in text and text.endswith(".slice"):  # a parent alone, as buildah has it
        return text.rsplit("/", 1)[-1], _PREFIX, identity
    parts = text.split(":")
    if len(parts) != 3 or not parts[2]:
        raise SpecError(
            f'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "{text}" instead'
        )
    return parts[0] or default, parts[1], parts[2]
