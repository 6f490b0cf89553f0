"""`linux.resources` to properties of systemd's and files of cgroupfs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.spec.fields import Json
    from nsunit.units import Property


def cgroup_files(resources: Json) -> list[tuple[str, str]]:
    """The files of the container's cgroup and what is written to them, in this order.

    Raises:
        SpecError: a value cannot be.
    """
    return []


def properties(resources: Json, systemd: int) -> tuple[list[Property], list[tuple[str, str]]]:
    """Properties of the scope on this version of *systemd*, and files for what it has no property for.

    Raises:
        SpecError: a value cannot be.
    """
    return [], []
