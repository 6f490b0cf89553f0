"""The step that brings a device of the host into a container."""

from __future__ import annotations

import os
import stat

from nsunit.setup import files, linux, namespaces
from nsunit.setup.mounts import Bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build

_ATTRIBUTES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NOEXEC
_PLACE = "device"


class Device(Bind):
    """Make a node of the container's own for the host's device *source* at *target*; *flags* can have `optional`.

    Its owner and mode are the host's, as the same numbers inside: devtmpfs cannot be id-mapped, and what is done to
    the owner of this node is not done to the host's.
    """

    __slots__ = ("source", "target", "flags")
    keyword = "device"

    def describe(self) -> str:
        """See Operation."""
        return f"make the device '{self.source}' at '{self.target}'"

    def prepare(self, build: Build) -> None:
        """Make it with the host's privileges, on a file system of the host's: others have no devices."""
        fd = files.open_wanted(self.source, self.flags, follow=build.follows_links)
        if fd < 0:
            return
        status = os.fstat(fd)
        if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
            raise OSError(22, "it is not a device", self.source)
        # Without root no node can be made, and root inside is a user who may open the host's or may not.
        clone = linux.clone_tree(fd) if build.own_users else _new_node(build, status)
        os.close(fd)
        linux.mount_setattr(clone, _ATTRIBUTES, propagation=linux.MS_PRIVATE)
        build.keep(self, clone)


def _new_node(build: Build, like: os.stat_result) -> int:
    """A detached mount of a new node of the device *like*, which belongs to the ids inside that are its own outside."""
    owner, group = _owner(build, like)
    # Linux 6.1 clones only attached mounts.
    os.mkdir(_PLACE)
    place = os.open(_PLACE, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    tmpfs = linux.new_mount("tmpfs", _ATTRIBUTES, (("mode", "0755"), ("size", "4k")))
    linux.move_mount(tmpfs, place)
    os.mknod("node", stat.S_IFMT(like.st_mode), like.st_rdev, dir_fd=tmpfs)
    os.chown("node", owner, group, dir_fd=tmpfs)
    os.chmod("node", stat.S_IMODE(like.st_mode), dir_fd=tmpfs)
    node = os.open("node", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=tmpfs)
    clone = linux.clone_tree(node)
    for fd in (node, tmpfs, place):
        os.close(fd)
    linux.umount2(_PLACE, linux.MNT_DETACH)
    os.rmdir(_PLACE)
    return clone


def _owner(build: Build, like: os.stat_result) -> tuple[int, int]:
    if build.userns_fd < 0:
        return like.st_uid, like.st_gid
    users, groups = namespaces.maps_of(build.userns_fd)
    return outside(users, like.st_uid), outside(groups, like.st_gid)


def outside(entries: list[tuple[int, int, int]], inside: int) -> int:
    """What the id *inside* is outside by the map *entries*, or root's where the container has no such id.

    Raises:
        OSError: there is no root.
    """
    for wanted in (inside, 0):
        for first, start, count in entries:
            if first <= wanted < first + count:
                return start + wanted - first
    raise OSError(22, "its id 0 is not mapped")
