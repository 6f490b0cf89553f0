"""The steps that fill and mount volumes.

    DIRECTORY/data   what is mounted; its owners are those inside, whatever ids a container has outside
    DIRECTORY/new    what becomes that once all was copied that the root has at its place
    DIRECTORY/about  what was said when it was made; few have it

Who fills one holds a lock on DIRECTORY, flock(2), from before it is mounted until it has its name: others wait for
that.  It is copied as the container's root, which is also who could write into the volume afterwards.  Where the root
has nothing, the place that is made for it is the program's, and so is what it is filled with: what is root's the
program could not write to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from nsunit.setup import accounts, files, linux
from nsunit.setup.mounts import Bind
from nsunit.setup.operation import Operation
from nsunit.setup.root import clone_mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build

DATA, NEW, OLD, ABOUT = "data", "new", ".old-", "about"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTRIBUTES = ("user.", "security.capability", "system.posix_acl_")
_FILL, _OWN = "fill", "own"
_ROOT = ("", "0", "root")


class Volumes(Operation):
    """Have the volumes in the directories *paths* there; those that nobody has filled yet are this start's to fill."""

    __slots__ = ("paths",)
    keyword = "volumes"
    rest = "paths"
    paths: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "take the volumes"

    def prepare(self, build: Build) -> None:
        """Take them in the order of their names, so that no two starts wait for each other."""
        for path in sorted(self.paths):
            directory = _take(path)
            if directory >= 0:
                build.keep((NEW, path), directory)

    def attach(self, _payload: int, build: Build) -> None:
        """Give what was filled its name, once it is on its disk, and let others have it."""
        for path in self.paths:
            directory = build.take((NEW, path))
            if directory >= 0:
                finish(directory)
                os.close(directory)  # with which the lock is gone


def _take(path: str) -> int:
    """A locked descriptor of the directory *path* where it has no volume yet, with an empty one; -1 where it has."""
    while True:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass  # as it mostly is
        directory = os.open(path, _DIRECTORY)
        if not is_filled(directory):
            fcntl.flock(directory, fcntl.LOCK_EX)
            if not is_current(path, directory):
                os.close(directory)  # it was removed meanwhile
                continue
        if is_filled(directory):
            os.close(directory)
            return -1
        begin(directory)
        return directory


def is_filled(directory: int) -> bool:
    """Whether a volume is there, behind the descriptor of its directory."""
    try:
        return stat.S_ISDIR(os.stat(DATA, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def is_current(path: str, directory: int) -> bool:
    """Whether *path* still leads to the directory behind the descriptor."""
    try:
        return os.path.samestat(os.fstat(directory), os.lstat(path))
    except FileNotFoundError:
        return False


def begin(directory: int) -> None:
    """Make a new, empty volume without a name yet.  What was left half-filled is put aside for commands to remove."""
    try:
        os.rename(NEW, OLD + os.urandom(6).hex(), src_dir_fd=directory, dst_dir_fd=directory)
    except FileNotFoundError:
        pass  # as it mostly is not there
    os.mkdir(NEW, 0o755, dir_fd=directory)


def finish(directory: int) -> None:
    """Give the new volume its name."""
    linux.syncfs(directory)
    os.rename(NEW, DATA, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


class Volume(Bind):
    """Mount the volume in the directory *source*, or a tmpfs where that is empty; *flags*: ro, nocopy, noexec, U.

    `user=USER` and `group=GROUP` are the program's; with U all that is in the volume becomes theirs.  Of a tmpfs,
    `size=BYTES` as well; how much a directory can hold is its file system's.
    """

    __slots__ = ("source", "target", "flags")
    keyword = "volume"

    def describe(self) -> str:
        """See Operation."""
        return f"mount a volume at '{self.target}'" if not self.source else super().describe()

    @property
    def path(self) -> str:
        """See Bind."""
        return f"{self.source}/{DATA}"

    @property
    def has_ids_inside(self) -> bool:
        """See Bind."""
        return True

    @property
    def attributes(self) -> int:
        """Those of the mount."""
        found = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
        found |= linux.MOUNT_ATTR_RDONLY if "ro" in self.flags else 0
        return found | (linux.MOUNT_ATTR_NOEXEC if "noexec" in self.flags else 0)

    def prepare(self, build: Build) -> None:
        """Clone its mount, id-mapped; if it is to be filled, a second one, which can be written to in any case."""
        if not self.source:
            return
        lock = build.prepared.get((NEW, self.source), -1)
        directory = os.open(self.source, _PLACE)
        fd = os.open(DATA if lock < 0 else NEW, _PLACE, dir_fd=directory)
        os.close(directory)
        build.keep(self, clone_mapped(build, fd, self.attributes))
        # The first mount of a volume that has several fills it.
        if lock >= 0 and (_FILL, self.source) not in build.prepared:
            build.keep((_FILL, self.source), clone_mapped(build, fd, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV))
        if "U" in self.flags:
            build.keep((_OWN, self.target), clone_mapped(build, fd, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV))
        os.close(fd)

    def execute(self, build: Build) -> None:
        """Fill it with what the root has there, if that was not done before, and attach it."""
        filled = build.take((_FILL, self.source))
        if not self.source:
            # Its files are no devices either, and it is the container's own.
            sizes = (("size", flag.removeprefix("size=")) for flag in self.flags if flag.startswith("size="))
            options = (("mode", "0755"), *sizes)
            filled = linux.new_mount("tmpfs", linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV, options)
            build.keep(self, os.dup(filled))
            if "U" in self.flags:
                build.keep((_OWN, self.target), os.dup(filled))
        if filled >= 0:
            self._fill(build, filled)
        owned = build.take((_OWN, self.target))
        if owned >= 0:
            self._give(build, owned)
            os.close(owned)
        if not self.source:
            linux.mount_setattr(filled, self.attributes)
        if filled >= 0:
            os.close(filled)
        super().execute(build)

    def _fill(self, build: Build, target: int) -> None:
        place, is_made = self._place(build)
        files.refuse_kernel_file_systems(place, self.target)
        source = os.open(".", _DIRECTORY, dir_fd=place)
        os.close(place)
        fd = os.open(".", _DIRECTORY, dir_fd=target)
        try:
            if is_made and (owner := self._owner(build)):
                os.fchown(source, *owner)
                os.fchown(fd, *owner)
            if "nocopy" not in self.flags:
                Copy(fd).tree(source, fd)
        finally:
            os.close(source)
            os.close(fd)

    def _place(self, build: Build) -> tuple[int, bool]:
        """What the root has at its target, and whether that had to be made."""
        try:
            return files.open_in_root(build.root_fd, self.target, os.O_PATH | os.O_DIRECTORY), False
        except FileNotFoundError:
            return files.open_directory(build.root_fd, self.target), True

    def _owner(self, build: Build) -> tuple[int, int] | None:
        """The program's user and group inside; None for root, whose everything is in any case."""
        said = dict(flag.partition("=")[::2] for flag in self.flags if "=" in flag)
        user, group = said.get("user", ""), said.get("group", "")
        if user in _ROOT and group in _ROOT:
            return None
        account = accounts.look_up(build.root_fd, user, group, ())
        return account.uid, account.gid

    def _give(self, build: Build, mount: int) -> None:
        """Give all in it to the program; its top directory comes last, which tells later starts that it is done."""
        owner = self._owner(build) or (0, 0)
        top = os.open(".", _DIRECTORY, dir_fd=mount)
        try:
            status = os.fstat(top)
            if (status.st_uid, status.st_gid) != owner:
                files.give_below(os.dup(top), owner, status.st_dev)
                os.fchown(top, *owner)
        finally:
            os.close(top)


class Copy:
    """Copies a tree into the empty directory *top*: types, owners, modes, times, attributes, hard links, holes.

    Nothing but this process writes to either.  Devices are left out: nothing could open one in a volume.
    """

    def __init__(self, top: int) -> None:
        self.top = top
        self.links: dict[tuple[int, int], str] = {}  # device and inode → where its first name is below *top*

    def tree(self, source: int, target: int) -> None:
        """Copy the directory behind *source* to the one behind *target*, however deep: no more than two are open."""
        here = os.dup(source), os.dup(target)
        left, where = [os.listdir(source)], [""]
        try:
            while left:
                if left[-1]:
                    name = left[-1].pop()
                    if not self._entry(name, *here, where[-1]):
                        continue
                    other = _opened(name, here)
                    left.append(os.listdir(other[0]))
                    where.append(f"{where[-1]}{name}/")
                else:
                    other = _opened("..", here) if len(left) > 1 else (os.dup(source), os.dup(target))
                    _describe(os.fstat(here[0]), *here)
                    left.pop()
                    where.pop()
                _close(here)
                here = other
        finally:
            _close(here)

    def _entry(self, name: str, source: int, target: int, where: str) -> bool:
        """Copy what is called so; of a directory, it is only made, and the answer is yes."""
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind, path = stat.S_IFMT(status.st_mode), where + name
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=target)
            return True
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            return False
        first = self.links.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        if first != path:
            os.link(first, name, src_dir_fd=self.top, dst_dir_fd=target, follow_symlinks=False)
        elif kind == stat.S_IFREG:
            _copy_file(name, source, target)
        else:
            if kind == stat.S_IFLNK:
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            else:
                os.mknod(name, status.st_mode, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
            if kind != stat.S_IFLNK:
                os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
        return False


def _opened(name: str, here: tuple[int, int]) -> tuple[int, int]:
    source = os.open(name, _DIRECTORY, dir_fd=here[0])
    try:
        return source, os.open(name, _DIRECTORY, dir_fd=here[1])
    except BaseException:
        os.close(source)
        raise


def _close(pair: tuple[int, int]) -> None:
    for fd in pair:
        os.close(fd)


def _copy_file(name: str, source: int, target: int) -> None:
    read = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    written = os.open(name, flags, 0o600, dir_fd=target)
    try:
        status = os.fstat(read)
        _copy_data(read, written, status.st_size)
        _describe(status, read, written)
    finally:
        os.close(read)
        os.close(written)


def _copy_data(source: int, target: int, size: int) -> None:
    os.ftruncate(target, size)
    position = 0
    while position < size:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # a hole up to the end
        end = os.lseek(source, position, os.SEEK_HOLE)
        os.lseek(target, position, os.SEEK_SET)
        while position < end:
            sent = os.sendfile(target, source, position, end - position)
            if not sent:
                raise OSError(errno.EIO, "a file has become shorter while it was copied")
            position += sent


def _describe(status: os.stat_result, source: int, target: int) -> None:
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        if not name.startswith(_ATTRIBUTES):
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise  # a file system that has none, such as an older tmpfs, goes without
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
