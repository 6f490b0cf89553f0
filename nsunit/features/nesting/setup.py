"""The step that mounts whole file systems of the kernel, for user namespaces that are made inside."""

from __future__ import annotations

import os

from nsunit.setup import files, linux
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build

_ATTRIBUTES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC


class Whole(Operation):
    """Mount *fstype*, proc or sysfs, on *target*, where nothing will cover parts of it.

    The kernel lets a user namespace mount one of its own only if it sees one that is whole (mount_too_revealing()), and
    of that on /proc and /sys parts are masked.  Nor is it read-only: mount(8) makes one so only once it is there.
    """

    __slots__ = ("fstype", "target")
    keyword = "whole"
    fstype: str
    target: str

    def describe(self) -> str:
        """See Operation."""
        return f"mount a whole {self.fstype} on '{self.target}'"

    def execute(self, build: Build) -> None:
        """Mount it; the host's root could do harm there, and is not inside."""
        if build.has_hosts_root or (build.userns_fd < 0 and not build.own_users):
            raise OSError(1, "the host's root is inside")
        fd = linux.new_mount(self.fstype, _ATTRIBUTES)
        place = files.open_directory(build.root_fd, self.target)
        linux.move_mount(fd, place)
        os.close(place)
        os.close(fd)
