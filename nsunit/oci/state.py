"""What the runtime keeps of a container: a directory under --root.

    ROOT/ID/state.json    what `Container` has; written anew as a whole
    ROOT/ID/config.json   as it was at create
    ROOT/ID/start         a FIFO: who writes to it starts the container; executable if nothing else is to be done
    ROOT/ID/reply         a FIFO: "." when the container has taken it, what is wrong, and the end with execve(2)
    ROOT/ID/started       whose `start` it is, is who has made this file: a PID; it counts while that is at it
    ROOT/ID/failed        what was wrong, where packaging/debian/nsunit-oci has started it: `start` tells it
    ROOT/ID/checkpoint    it has ended by a checkpoint, and `restore` may take its place

The directory is made first and removed last, and before something is made its place is written down: whatever step the
runtime is killed at, `delete --force` finds it.
"""

from __future__ import annotations

import errno
import fcntl
import time

from nsunit.jsontext import dumps, loads
from nsunit.oci.cgroup.fs import is_frozen
from nsunit.oci.cgroup.place import Place
from nsunit.oci.errors import OciError
from nsunit.record import Record
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")
_NAME_MAX = 1024
START, REPLY, STARTED, FAILED, CHECKPOINT = "start", "reply", "started", "failed", "checkpoint"
_CLAIM_SECONDS = 0.05  # between the two steps of a claim in shell: to make the file, and to write into it
CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"


class Container(Record):
    """A container; *pid* 0 before it has a process, *began* the time of its begin in the kernel's ticks.

    It *keeps_keyring* of the session of whoever has made it, and so do those that `exec` adds of theirs.
    """

    id: str
    bundle: str
    rootfs: str
    created: str
    maker: int
    maker_began: int
    place: Place
    annotations: dict[str, str]
    version: str
    owner: int = 0
    pid: int = 0
    began: int = 0
    keeps_keyring: bool = False


def check_id(identity: str) -> None:
    """Refuse what is no name of a container.

    Raises:
        OciError: it is none.
    """
    if not identity:
        raise OciError("container id cannot be empty")
    if not _NAME.issuperset(identity) or identity in (".", "..") or len(identity) > _NAME_MAX:
        raise OciError("invalid container ID format")


class Store:
    """The containers under one root directory."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, identity: str, name: str = "") -> str:
        """The directory of a container, or a file in it."""
        check_id(identity)
        return f"{self.root}/{identity}/{name}" if name else f"{self.root}/{identity}"

    def check_owner(self, identity: str = "") -> None:
        """Refuse what another user has made: it says which hooks are executed, and what is killed.

        Raises:
            OciError: this is not root's or the caller's; or of a container, not the caller's.
            FileNotFoundError: it is not there.
        """
        own = os.geteuid()
        places = [(self.root, (0, own)), *([(self.path(identity), (own,))] if identity else [])]
        for path, owners in places:
            uid = os.stat(path).st_uid
            if uid not in owners:
                raise OciError(f"{path} belongs to user {uid}, who alone can use it")

    def add(self, identity: str) -> None:
        """Make the directory of a container that there is not yet.

        Raises:
            OciError: the id is taken, or the place is another user's.
        """
        path = self.path(identity)
        try:
            self.check_owner()
            os.mkdir(path, 0o711)
        except FileNotFoundError:
            _make_root(self.root)
            os.mkdir(path, 0o711)
        except FileExistsError:
            raise OciError("container with given ID already exists") from None

    def lock(self, identity: str) -> int:
        """Lock a container's directory; the descriptor's end unlocks it.

        Raises:
            OciError: there is none, or no more when whoever had the lock is done.
        """
        try:
            self.check_owner(identity)
            fd = os.open(self.path(identity), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise absent() from None
        fcntl.flock(fd, fcntl.LOCK_EX)
        if not os.fstat(fd).st_nlink:  # what has the name by now is another container's
            os.close(fd)
            raise absent()
        return fd

    def save(self, container: Container) -> None:
        """Write down what is known of *container*."""
        values = {name: getattr(container, name) for name in container._fields}
        values["place"] = {name: getattr(container.place, name) for name in container.place._fields}
        self.write(container.id, "state.json", dumps(values).encode())

    def write(self, identity: str, name: str, content: bytes) -> None:
        """Write a file as a whole, for its owner only: the environment of a program has secrets."""
        write_whole(self.path(identity, name), content, 0o600)

    def load(self, identity: str) -> Container:
        """What is known of a container.

        Raises:
            OciError: there is none, it is another user's, or its file is damaged.
        """
        try:
            self.check_owner(identity)
            values: Any = loads(read(self.path(identity, "state.json")))
            return Container(**values | {"place": Place(**values["place"])})
        except (FileNotFoundError, NotADirectoryError):
            raise absent() from None
        except (ValueError, TypeError, KeyError) as error:
            raise OciError(f"the state of container '{identity}' is damaged: {error}") from None

    def config(self, identity: str) -> Any:
        """The config.json that it was made of."""
        return loads(read(self.path(identity, "config.json")))

    def names(self) -> list[str]:
        """The ids of all containers.

        Raises:
            OciError: they are another user's.
        """
        try:
            self.check_owner()
            return sorted(name for name in os.listdir(self.root) if os.isdir(f"{self.root}/{name}"))
        except FileNotFoundError:
            return []

    def matching(self, pattern: str) -> list[str]:
        """The ids that the regular expression *pattern* matches anywhere, as crun has it.

        Raises:
            OciError: it is none, or matches nothing.
        """
        import re  # heavy, and engines never ask for it

        try:
            matches = re.compile(pattern).search
        except re.error as error:
            raise OciError(f"--regex: '{pattern}': {error}") from None
        found = [name for name in self.names() if matches(name)]
        if not found:
            raise OciError(f"--regex: no container's id matches '{pattern}'")
        return found

    def status(self, container: Container) -> str:
        """What the specification calls the state of *container*."""
        if not container.pid:
            return CREATING if began_of(container.maker) == container.maker_began else STOPPED
        if not is_alive(container):
            return STOPPED
        if self._waits(container.id):
            return CREATED
        return PAUSED if is_frozen(container.place.path) else RUNNING

    def _waits(self, identity: str) -> bool:
        """Whether the process of a container waits for `start`, which may have been killed before it sent the byte.

        It has its FIFO open for as long, and so has who is about to send that.
        """
        if not os.exists(self.path(identity, STARTED)):
            return os.exists(self.path(identity, START))
        try:
            os.close(os.open(self.path(identity, START), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            return False
        return True

    def claim_start(self, identity: str) -> bool:
        """Make the file that says whose `start` it is, or take over what a killed one has left; the lock is held."""
        path = self.path(identity, STARTED)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            if not (said := read(path).strip()):
                time.sleep(_CLAIM_SECONDS)
                said = read(path).strip()
            if said.isdigit() and int(said) != os.getpid() and began_of(int(said)):
                return False
            fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        os.write(fd, b"%d" % os.getpid())
        os.close(fd)
        return True

    def remove(self, identity: str) -> None:
        """Remove all that is kept of a container; state.json goes last."""
        path = self.path(identity)
        try:
            names = os.listdir(path)
        except FileNotFoundError:
            return
        for name in sorted(names, key="state.json".__eq__):
            _unlink(f"{path}/{name}")
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            self.remove(identity)  # the command's own `start` knows no lock


def absent() -> OciError:
    """What is said where there is no such container."""
    return OciError("container does not exist")


def _make_root(path: str) -> None:
    parent = os.dirname(path)
    if parent and not os.isdir(parent):
        _make_root(parent)
    try:
        os.mkdir(path, 0o711)
    except FileExistsError:
        pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def read(path: str) -> bytes:
    """The content of a file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return file.read()


def write_whole(path: str, content: bytes, mode: int = 0o644) -> None:
    """Put a file with *content* in place of whatever is there, as a whole, or leave that as it is.

    It is the caller's own: an engine's --pid-file may be where others can make files.
    """
    temporary = f"{path}.{os.getpid()}"
    _unlink(temporary)  # of one that was killed and had this number
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(fd, "wb") as file:  # on a full disk os.write() takes a part and is content
            file.write(content)
        os.rename(temporary, path)
    except OSError:
        _unlink(temporary)
        raise


def began_of(pid: int) -> int:
    """When process *pid* began, in ticks since the boot: field 22 of proc_pid_stat(5); 0 where there is none.

    One that has ended and waits to be waited for is none.  One whose first thread has ended alone, by pthread_exit(3),
    says "Z" too, and goes on: the number of threads (field 20) tells.
    """
    try:
        text = read(f"/proc/{pid}/stat")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH):
            raise
        return 0
    fields = text.rpartition(b")")[2].split()
    ended = fields[0] == b"X" or (fields[0] == b"Z" and int(fields[17]) < 2)
    return 0 if ended else int(fields[19])


def is_alive(container: Container) -> bool:
    """Whether its process is there, and not another that has got the number."""
    return container.pid > 0 and began_of(container.pid) == container.began


def now() -> str:
    """The time as RFC 3339 has it."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e9):09d}Z"
