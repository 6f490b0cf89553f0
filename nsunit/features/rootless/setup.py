"""A container without root: the helper enters a user namespace of its own before anything else.

There it has the capabilities that it has on the host otherwise, over everything that belongs to the namespace; the rest
of a set-up does not know the difference.  Nothing can be id-mapped: the map itself makes the user's files root's.
"""

from __future__ import annotations

import errno
import os

from nsunit.setup import files, linux, root, spawn
from nsunit.setup.build import Build
from nsunit.setup.mounts import Bind
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class OwnUsers(Operation):
    """Enter a user namespace with these maps, each `INSIDE:OUTSIDE:COUNT,…` of user_namespaces(7).

    *tools* is the directory of newuidmap(1) and newgidmap(1), which may map subordinate ids; without it the maps have
    one id each, the caller's own, which anybody may map.
    """

    __slots__ = ("tools", "uid_map", "gid_map")
    keyword = "own-users"
    tools: str
    uid_map: str
    gid_map: str

    def clone_flags(self) -> int:
        """That of user namespaces."""
        return linux.CLONE_NEWUSER

    def describe(self) -> str:
        """See Operation."""
        return f"make a user namespace without root, of {self.count} ids"

    @property
    def count(self) -> int:
        """How many user ids there are inside."""
        return sum(int(entry.rpartition(":")[2]) for entry in self.uid_map.split(","))

    @property
    def keeps_groups(self) -> bool:
        """Whether setgroups(2) is forbidden inside, as the kernel demands where no privilege made the map."""
        return not self.tools

    def enter(self, operations: Sequence[Operation], build: Build) -> None:
        """Enter it; a child that has stayed outside has the maps written.

        Raises:
            spawn.SetupError: a source cannot be used.
            OSError: the kernel, or newuidmap(1), refused it.
        """
        for operation in operations:
            try:
                _resolve(operation)
            except OSError as error:
                raise spawn.explain(operation, error) from error
        reader, writer = os.pipe()
        parent = os.getpid()
        child = os.fork() if self.tools else 0
        if self.tools and child == 0:
            os.close(writer)
            self._map_from_outside(reader, parent)
        try:
            linux.unshare(linux.CLONE_NEWUSER)
            os.write(writer, b".")
        finally:
            os.close(reader)
            os.close(writer)
            status = os.waitpid(child, 0)[1] if child else 0
        if status:
            raise OSError(
                errno.EPERM, f"{self.tools}/newuidmap or newgidmap refused it, see /etc/subuid and /etc/subgid"
            )
        if not self.tools:
            _write("setgroups", "deny")
            _write("uid_map", _lines(self.uid_map))
            _write("gid_map", _lines(self.gid_map))
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        if not self.keeps_groups:
            os.setgroups([])
        build.own_users, build.keeps_groups, build.userns_count = True, self.keeps_groups, self.count

    def _map_from_outside(self, reader: int, pid: int) -> None:
        status = 1
        try:
            if os.read(reader, 1):
                ends = []
                for program, entries in (("newuidmap", self.uid_map), ("newgidmap", self.gid_map)):
                    argv = [program, str(pid), *entries.replace(",", ":").split(":")]
                    ends.append(os.waitpid(os.posix_spawn(f"{self.tools}/{program}", argv, {}), 0)[1])
                status = int(any(ends))
        finally:
            os._exit(status)


def _lines(entries: str) -> str:
    return entries.replace(":", " ").replace(",", "\n") + "\n"


def _write(name: str, text: str) -> None:
    fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _resolve(operation: Operation) -> None:
    """Resolve root's symbolic links in a source while root can still be told from anybody else who is not mapped.

    A link that belongs to the user is none of root's, since it may be a container's: their root is the user.
    """
    if isinstance(operation, root.Directory):
        operation.path = files.resolve_source(operation.path)
    elif isinstance(operation, root.Overlay):
        operation.lowers = tuple(files.resolve_source(path) for path in operation.lowers)
    elif isinstance(operation, Bind):
        operation.source = files.resolve_source(operation.source)
