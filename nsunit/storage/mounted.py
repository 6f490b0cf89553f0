"""What is mounted on this host, and where it must not be."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.formats.disks import mounts_at, points_of
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.storage.paths import Paths


def mounts() -> dict[str, list[int]]:
    """The ids of the host's mounts at each mount point, the topmost last: see `mounts_at`."""
    return mounts_at(_mountinfo())


def points() -> list[str]:
    """The host's mount points in the order in which they were mounted, each once for each mount."""
    return [point for point, _ in points_of(_mountinfo())]


def _mountinfo() -> str:
    return read_kernel_file("/proc/self/mountinfo") or ""


def refuse_mounted_state(paths: Paths, name: str, *, below: bool = True) -> None:
    """See that nothing is mounted at the state of container *name*, nor *below*: what that holds is not to go with it.

    Raises:
        NsunitError: something is.
    """
    state = os.path.realpath(paths.state_of(name))
    for point in mounts():
        if point == state or (below and point.startswith(f"{state}/")):
            raise NsunitError(
                f"{name}: something is mounted at '{point}', where its state is", hint=f"'umount {point}' first"
            )
