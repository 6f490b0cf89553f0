"""cgroup directories: made, filled, frozen, killed and removed by their files."""

from __future__ import annotations

import errno
import select
import time

from nsunit.oci.errors import OciError
from nsunit.setup import CGROUP_ROOT, read_file, write_file
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from nsunit.oci.spec.limits.resources import Write

_SECONDS = 10.0
_GONE = (errno.ENOENT, errno.ENODEV)  # the second where it went while a file of it was open: systemd removes scopes


def make(path: str) -> None:
    """Make the cgroup *path* and those above it, and hand down the controllers there are."""
    made = ""
    for name in path.strip("/").split("/"):
        _hand_down(CGROUP_ROOT + made)
        made += "/" + name
        try:
            os.mkdir(CGROUP_ROOT + made, 0o755)
        except FileExistsError:
            pass


def refuse_taken(path: str) -> None:
    """Refuse a cgroup that has processes: they are another container's, or nobody's to kill.

    Raises:
        OciError: it has.
    """
    try:
        taken = bool(path) and "populated 1" in read_file(f"{CGROUP_ROOT}{path}/cgroup.events")
    except OSError:
        return  # there is none
    if taken:
        raise OciError(f"container's cgroup is not empty: {path}")


def _hand_down(directory: str) -> None:
    try:
        wanted = read_file(f"{directory}/cgroup.controllers").split()
        present = read_file(f"{directory}/cgroup.subtree_control").split() if wanted else ()
    except OSError:
        return  # it is another's
    for controller in wanted:
        if controller not in present:
            _enable(directory, controller)


def _enable(directory: str, controller: str) -> None:
    try:
        write_file(f"{directory}/cgroup.subtree_control", f"+{controller}")
    except OSError:
        pass  # it has processes, or is another's: what is missing for a limit is told when that is written


def hand_down(path: str, controllers: Sequence[str]) -> None:
    """Have *controllers* in the cgroup *path*, as far as its parents let them; for those that systemd leaves alone."""
    directory = CGROUP_ROOT
    for name in path.strip("/").split("/"):
        try:
            present = read_file(f"{directory}/cgroup.subtree_control").split() if controllers else ()
        except OSError:
            present = ()
        for controller in controllers:
            if controller not in present:
                _enable(directory, controller)
        directory += f"/{name}"


def write(path: str, files: Sequence[Write]) -> None:
    """Write limits into the cgroup *path*.

    Raises:
        OciError: the kernel has no such file, or does not take the value.
    """
    for item in files:
        name, text = item.file, item.text
        if item.instead and not os.exists(f"{CGROUP_ROOT}{path}/{name}"):
            name, text = item.instead
        try:
            write_file(f"{CGROUP_ROOT}{path}/{name}", text)
        except OSError as error:
            if error.errno == errno.ENOENT and not item.needed:
                continue
            reason = error.strerror or str(error)
            if error.errno == errno.ENOENT:
                reason = f"the controller '{name.partition('.')[0]}' is not available there"
            raise OciError(f"failed to write '{text}' to {name} of the cgroup {path}: {reason}") from None


def memory_in_use(path: str) -> int:
    """The bytes that the cgroup *path* uses; 0 where nobody counts."""
    try:
        return int(read_file(f"{CGROUP_ROOT}{path}/memory.current"))
    except FileNotFoundError:
        return 0


def directory(path: str) -> str:
    """Where the cgroup *path* is in the file system."""
    return CGROUP_ROOT + path


def opened(path: str) -> int:
    """A descriptor of the cgroup *path*, to fork into; -1 if there is none."""
    try:
        return os.open(CGROUP_ROOT + path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


def enter(path: str, pid: int) -> None:
    """Move process *pid* there."""
    write_file(f"{CGROUP_ROOT}{path}/cgroup.procs", str(pid))


def processes(path: str) -> list[int]:
    """All processes there and below."""
    found = _processes_in(CGROUP_ROOT + path)
    if _has_others(path):
        for _, directory in _tree().below(CGROUP_ROOT + path):
            found += _processes_in(directory)
    return sorted(found)


def _processes_in(directory: str) -> list[int]:
    try:
        return [int(pid) for pid in read_file(f"{directory}/cgroup.procs").split()]
    except OSError as error:
        if error.errno not in (*_GONE, errno.EOPNOTSUPP):  # a threaded one does not tell either
            raise
        return []


def _has_others(path: str) -> bool:
    """Whether there are cgroups below, which few containers make."""
    try:
        with os.scandir(CGROUP_ROOT + path) as entries:
            return any(entry.is_dir(follow_symlinks=False) for entry in entries)
    except FileNotFoundError:
        return False


def _tree() -> ModuleType:
    from nsunit.storage import tree  # it imports os

    return tree


def exists(path: str) -> bool:
    """Whether there is such a cgroup, and it is not that of all."""
    return bool(path.strip("/")) and os.isdir(CGROUP_ROOT + path)


def kill(path: str) -> None:
    """Kill all processes there and below: frozen ones, too."""
    try:
        write_file(f"{CGROUP_ROOT}{path}/cgroup.kill", "1")
    except OSError as error:
        if error.errno not in _GONE:
            raise


def is_frozen(path: str) -> bool:
    """Whether it is frozen by its own file."""
    try:
        return read_file(f"{CGROUP_ROOT}{path}/cgroup.freeze").strip() == "1"
    except OSError:
        return False


def freeze(path: str, *, frozen: bool) -> None:
    """Freeze or thaw all processes there, and wait until they are."""
    write_file(f"{CGROUP_ROOT}{path}/cgroup.freeze", "1" if frozen else "0")
    if not _wait_for(path, "frozen", frozen):
        if frozen:
            write_file(f"{CGROUP_ROOT}{path}/cgroup.freeze", "0")
        raise OciError(f"the cgroup {path} was not {'frozen' if frozen else 'thawed'} after {_SECONDS:g} s")


def _wait_for(path: str, event: str, value: bool) -> bool:
    """Wait until cgroup.events says so; a cgroup that is gone says whatever is wanted."""
    wanted = f"{event} {int(value)}"
    deadline = time.monotonic() + _SECONDS
    try:
        fd = os.open(f"{CGROUP_ROOT}{path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    try:
        while True:
            if wanted in os.pread(fd, 4096, 0).decode().splitlines():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            poll.poll(left * 1000)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return True
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Remove the cgroup and what was made in it; its processes must have ended, or be about to.

    Raises:
        OciError: some process does not end.
    """
    if not exists(path):
        return
    if not _wait_for(path, "populated", False):
        raise OciError(f"unable to remove the cgroup {path}: it has processes after {_SECONDS:g} s")
    if _has_others(path):
        _tree().remove_below(CGROUP_ROOT + path)
    try:
        os.rmdir(CGROUP_ROOT + path)
    except FileNotFoundError:
        pass
