"""The nodes and links in /dev, and the terminal."""

from __future__ import annotations

import _stat
import errno
import fcntl
import struct

from nsunit.setup import files, linux
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.oci import calls
from nsunit.setup.oci.mounts import attach
from nsunit.setup.oci.step import Box, Step

TIOCSPTLCK, TIOCGPTPEER, TIOCSCTTY, TIOCSWINSZ = 0x40045431, 0x5441, 0x540E, 0x5414  # ioctl_tty(2)
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_KINDS = {"c": _stat.S_IFCHR, "u": _stat.S_IFCHR, "b": _stat.S_IFBLK, "p": _stat.S_IFIFO}


class Device(Step):
    """Make the node *path*: *kind* one of `c u b p`; *bound* from the host's, where a user namespace makes none."""

    __slots__ = ("path", "kind", "major", "minor", "mode", "uid", "gid", "bound")
    keyword = "oci-device"
    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    bound: bool

    def describe(self) -> str:
        """See Operation."""
        return f"make the device '{self.path}'"

    def prepare(self, build: Build) -> None:
        """Clone the host's node."""
        if self.bound and self.kind != "p":
            fd = os.open(self.path, os.O_PATH | os.O_CLOEXEC)
            clone = linux.clone_tree(fd)
            os.close(fd)
            calls.mount_setattr(clone, propagation=linux.MS_PRIVATE)
            build.keep(id(self), clone)

    def execute(self, build: Build) -> None:
        """mknod(2) unless it is there, or attach the clone."""
        clone = build.take(id(self))
        if clone >= 0:
            attach(build, clone, self.path, directory=False)
            os.close(clone)
            return
        directory, _, name = self.path.rpartition("/")
        parent = files.open_directory(build.root_fd, directory or "/")
        try:
            os.mknod(name, _KINDS[self.kind] | self.mode, os.makedev(self.major, self.minor), dir_fd=parent)
        except FileExistsError:
            pass  # the one that is wanted, or it is refused below
        # Whoever else writes to this root may have put another there meanwhile: it is one node from here on.
        node = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        self._refuse_other(os.fstat(node))
        os.chmod(f"/proc/self/fd/{node}", self.mode)
        os.chown(f"/proc/self/fd/{node}", self.uid, self.gid)
        os.close(node)
        os.close(parent)

    def _refuse_other(self, status: os.stat_result) -> None:
        same = _stat.S_IFMT(status.st_mode) == _KINDS[self.kind]
        if not same or (self.kind != "p" and status.st_rdev != os.makedev(self.major, self.minor)):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)


class Links(Step):
    """Make the links that Linux programs look for in /dev."""

    keyword = "oci-links"

    def describe(self) -> str:
        """See Operation."""
        return "make the links in /dev"

    def execute(self, build: Build) -> None:
        """symlink(2); what is there of them stays."""
        dev = files.open_directory(build.root_fd, "/dev")
        for name, target in LINKS.items():
            _link(target, name, dev)
        if os.exists("/proc/kcore"):
            _link("/proc/kcore", "core", dev)
        try:
            if not _stat.S_ISLNK(os.stat("ptmx", dir_fd=dev, follow_symlinks=False).st_mode):
                os.unlink("ptmx", dir_fd=dev)
        except FileNotFoundError:
            pass
        _link("pts/ptmx", "ptmx", dev)
        os.close(dev)


def _link(target: str, name: str, directory: int) -> None:
    try:
        os.symlink(target, name, dir_fd=directory)
    except FileExistsError:
        pass


class Terminal(Step):
    """Give the payload a terminal of its own, bound on /dev/console if it *has_root*, and its master to the socket.

    *size* is the rows and columns, or nothing.
    """

    __slots__ = ("has_root", "size", "uid")
    keyword = "oci-terminal"
    has_root: bool
    size: tuple[int, int] | tuple[()]
    uid: int

    def describe(self) -> str:
        """See Operation."""
        return "open a terminal"

    def execute(self, build: Build) -> None:
        """Take a pair of the container's own devpts."""
        assert isinstance(build, Box)
        master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        if os.fstat(master).st_rdev != os.makedev(5, 2) or not _stat.S_ISCHR(os.fstat(master).st_mode):
            raise OSError(22, "it is no terminal multiplexer", "/dev/ptmx")
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        peer = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        if self.size:
            fcntl.ioctl(master, TIOCSWINSZ, struct.pack("HHHH", *self.size, 0, 0))
        os.fchown(peer, self.uid, -1)
        if self.has_root:
            place = self._console()
            clone = linux.clone_tree(peer)
            linux.move_mount(clone, place)
            os.close(clone)
            os.close(place)
        send_master(build.console_fd, master)
        os.close(master)
        fcntl.ioctl(peer, TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(peer, fd)
        if peer > 2:
            os.close(peer)

    def _console(self) -> int:
        try:
            return os.open("/dev/console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            os.mknod("/dev/console", _stat.S_IFREG | 0o666)
            return os.open("/dev/console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)


def send_master(socket_fd: int, master: int) -> None:
    """Hand the *master* of a terminal to who listens on a console socket, and close that."""
    import _socket  # the C half of socket, the Python half imports enum; loaded before by the channel

    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, socket_fd)
    socket.sendmsg([b"/dev/ptmx"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", master))])
    socket.close()
