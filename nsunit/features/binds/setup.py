"""Steps for binds whose files become the container's; loaded where a plan has one."""

from __future__ import annotations

import os
import stat

from nsunit.setup import accounts, files, linux, namespaces
from nsunit.setup.build import Build
from nsunit.setup.mounts import Bind


class OneIdBind(Bind):
    """A bind in which what belongs to user and group *disk* on disk belongs to *inside*; all else is nobody's."""

    __slots__ = ("disk", "inside", "source", "target", "flags")
    keyword = "bind-one-id"
    disk: str
    inside: str

    def prepare(self, build: Build) -> None:
        """Map the clone, before it is attached anywhere."""
        super().prepare(build)
        clone = build.prepared.get(self, -1)
        if clone < 0:
            return  # optional, and not there
        entry = f"{self.disk} {build.userns_start + int(self.inside)} 1\n"
        namespace = namespaces.make_user_namespace(entry, entry)
        try:
            recursive = "norbind" not in self.flags
            linux.mount_setattr(clone, linux.MOUNT_ATTR_IDMAP, userns_fd=namespace, recursive=recursive)
        except OSError as error:
            if error.errno != 22:
                raise
            raise OSError(22, "its file system cannot id-map mounts") from error
        finally:
            os.close(namespace)


class OwnedBind(Bind):
    """A bind whose source becomes, on disk, *user*'s and *group*'s, the program's.

    Its top directory is changed last, so that it tells whether all is done: the next start looks at it alone.
    """

    __slots__ = ("user", "group", "source", "target", "flags")
    keyword = "bind-owned"
    user: str
    group: str

    def prepare(self, build: Build) -> None:
        """Change the owners, following no link and entering no other file system."""
        account = accounts.look_up(build.root_fd, self.user, self.group, ())
        owner = build.userns_start + account.uid, build.userns_group + account.gid
        try:
            source = files.open_source(self.source, follow=build.follows_links)
        except FileNotFoundError:
            if "optional" in self.flags:
                return
            raise
        status = os.fstat(source)
        if (status.st_uid, status.st_gid) != owner:
            if stat.S_ISDIR(status.st_mode):
                top = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                files.give_below(top, owner, status.st_dev)
            os.chown(f"/proc/self/fd/{source}", *owner)
        os.close(source)
        super().prepare(build)
