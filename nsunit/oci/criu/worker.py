"""One run of criu: a process `criu swrk`, which is asked over a socket pair and tells what it is about to do."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import os
import struct

from nsunit.jsontext import loads
from nsunit.oci.criu import mounts, request, wire
from nsunit.oci.errors import OciError
from nsunit.oci.rootless import is_users
from nsunit.oci.state import read
from nsunit.setup import files, linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.oci.spec.fields import Json

_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ABSENT = 'exec: "criu": executable file not found in $PATH: there is no checkpoint and restore without criu(8)'
_MAX = 1 << 20
# Beside the image, for its restore: the standard streams, as runc and crun have them, and what is mounted of the host.
DESCRIPTORS, MOUNTS = "descriptors.json", "nsunit-mounts.json"


def find() -> str:
    """The program.

    Raises:
        OciError: it is not installed, or the caller is a user.
    """
    if is_users():
        raise OciError("criu needs the privileges of root: there is no checkpoint and restore of a user's containers")
    for place in os.environ.get("PATH", _DEFAULT).split(":"):
        if place.startswith("/") and os.access(f"{place}/criu", os.X_OK):
            return f"{place}/criu"
    raise OciError(_ABSENT)


def is_there() -> bool:
    """Whether it is there for the caller."""
    try:
        find()
    except OciError:
        return False
    return True


class Directories:
    """The directories of an image and of the work on it, open; *log* is the name of the file that criu writes."""

    def __init__(self, images: str, work: str, log: str) -> None:
        self.images = images
        self.work = work or images
        self.log = log
        self.images_fd = _directory(images)
        self.work_fd = _directory(self.work)

    @property
    def inherited(self) -> tuple[int, int]:
        """The descriptors for criu."""
        return self.images_fd, self.work_fd

    def open_to_all(self) -> None:
        """Let the root of a user namespace have the image, in a mount namespace that is the caller's own.

        Its directory is root's, and criu opens some files of it before there are maps, by which others would be root's.
        """
        top = linux.new_mount("tmpfs", 0, (("mode", "711"),))
        linux.move_mount(top, self.images_fd)
        for name in os.listdir(self.images_fd):
            if os.path.islink(f"{self.images}/{name}"):
                os.symlink(os.readlink(f"{self.images}/{name}"), name, dir_fd=top)
                continue
            source = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=self.images_fd)
            clone = linux.clone_tree(source)
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, dir_fd=top))
            target = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=top)
            linux.move_mount(clone, target)
            for fd in (source, clone, target):
                os.close(fd)
        os.close(self.images_fd)
        self.images_fd = top

    def sources(self, config: Json, bundle: str, rootfs: str) -> list[tuple[str, str]]:
        """What was mounted of the host, with what is there for it in *config*, paths both.

        Where another runtime has written the image, it is all that *config* has.
        """
        behind = mounts.sources(config, bundle, rootfs)
        if kept := self._kept():
            found = [mounts.Outside(*words) for words in kept["outside"]]
        else:
            found = [mounts.Outside(name, name, "") for name in behind if name not in ("", mounts.ROOT)]
        for mount in found:
            if mount.destination not in behind:
                raise OciError(f"the image has a mount at {mount.destination} that config.json has not")
        # criu opens what is there without following links; nothing stands for the host's root.
        real = {name: os.path.realpath(path) if path else "" for name, path in behind.items()}
        return [(mount.point, real[mount.destination] + mount.below) for mount in found]

    def make_points(self, root_fd: int) -> None:
        """Make the mount points in a root that is another than the one there was."""
        for point, is_directory in self._kept().get("points", ()):
            os.close((files.open_directory if is_directory else files.open_file)(root_fd, point))

    def _kept(self) -> Json:
        try:
            kept: Json = loads(read(f"{self.images}/{MOUNTS}"))
        except FileNotFoundError:
            return {}
        return kept

    def why(self, message: str) -> str:
        """Why it failed, in one line, and where there is more."""
        path = f"{self.work}/{self.log}"
        try:
            text = request.reason(read(path).decode("utf-8", "replace"))
        except FileNotFoundError:
            text = ""
        return f"{text or message or 'it says nothing'} (see {path})"


def _directory(path: str) -> int:
    os.makedirs(path, 0o700, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class Worker:
    """A criu that waits for what it is asked for."""

    def __init__(self, inherited: Sequence[int]) -> None:
        path = find()
        mine, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        for fd in (other.fileno(), *inherited):
            os.set_inheritable(fd, True)
        self.pid = os.posix_spawn(path, ["criu", "swrk", str(other.fileno())], os.environ)
        other.close()
        self.socket = mine

    def ask(self, kind: int, fields: Sequence[request.Field], notified: Callable[[str, int, int], None]) -> wire.Answer:
        """Have it do *kind*; *notified* is told what it is about, of which process, with a descriptor or -1.

        Raises:
            OciError: criu has ended without a word, or what it has said cannot be read.
        """
        options = [(2, list(fields))] if fields else []  # none at all: older ones have fields that must be there
        self.socket.send(wire.encode([(1, kind), *options]))
        while True:
            message, rights, _, _ = self.socket.recvmsg(_MAX, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
            if not message:
                raise OciError("criu has ended without an answer")
            try:
                answer = wire.answer(message)
            except ValueError as error:
                raise OciError(f"criu has answered with no message of its own: {error}") from None
            if answer.kind != wire.NOTIFY:
                return answer
            fd = struct.unpack("i", rights[0][2][:4])[0] if rights else -1
            try:
                notified(answer.script, answer.pid, fd)
            finally:
                if fd >= 0:
                    os.close(fd)
            self.socket.send(wire.encode([(1, wire.NOTIFY), (3, True)]))

    def end(self) -> None:
        """Let it go, and wait until it has."""
        self.socket.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


def version() -> tuple[int, int]:
    """The first two numbers of criu's version.

    Raises:
        OciError: see `Worker.ask`.
    """
    worker = Worker(())
    try:
        return worker.ask(wire.VERSION, (), lambda script, pid, fd: None).version
    finally:
        worker.end()
