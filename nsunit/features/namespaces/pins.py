"""`ns pin` and `ns unpin`: namespaces that live on without a process."""

from __future__ import annotations

import os

from nsunit.core.running import check_alive, find_running, just_ended, open_pidfd, thread_of
from nsunit.errors import NotFoundError, NsunitError, UsageError
from nsunit.features.namespaces import nsfs
from nsunit.names import check_name, is_pod, printable
from nsunit.setup.main import read_plan
from nsunit.setup.root import Overlay
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from nsunit.core.context import Context

_LOCK = ".namespaces"


def pin(context: Context, name: str, kind: str, pin: str | None = None) -> str:
    """Keep the namespace of *kind* of the running container *name* as *pin*, and return the path of its mount.

    Doing it twice changes nothing.

    Raises:
        UsageError: it is a user's.
        NotFoundError: the container does not run.
        NsunitError: it has no such namespace of its own, the pin is taken, or pinning would do harm.
    """
    _check_user(context)
    nsfs.check_kind(kind)
    place = _check_pin(name if pin is None else pin)
    running = find_running(context, name)
    pidfd = open_pidfd(context, running)
    try:
        fd = os.open(f"{thread_of(running.pid)}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise just_ended(name) from None
    check_alive(running, pidfd)
    os.close(pidfd)
    try:
        if os.path.samestat(os.fstat(fd), os.stat(f"/proc/1/ns/{kind}")):
            raise NsunitError(f"{name}: it has no {kind} namespace of its own, but the host's")
        if kind == "mnt":
            _check_root(context, name)
        with Lock(context.paths.locks, _LOCK):
            return _attach(context.paths.namespaces, place, kind, fd, name)
    finally:
        os.close(fd)


def make_pins(directory: str, locks: str, found: Mapping[str, int]) -> None:
    """Keep the namespaces behind the descriptors *found*, by kind, in *directory*; one for each pod.

    Raises:
        NsunitError: the directory above is not to be trusted.
    """
    base, _, place = directory.rpartition("/")
    with Lock(locks, _LOCK):
        for kind, fd in found.items():
            _attach(base, place, kind, fd, place)


def remove_pins(directory: str, locks: str) -> None:
    """Let go of all that `make_pins` keeps in *directory*; done twice is done once."""
    base, _, place = directory.rpartition("/")
    with Lock(locks, _LOCK):
        if os.path.isdir(directory):
            _detach(base, place, tuple(item for item in os.listdir(directory) if not item.startswith(".")))


def empty_pins(context: Context) -> list[str]:
    """The pins by which nothing is mounted."""
    base = context.paths.namespaces
    return [pin for pin in files.list_directory(base) if _is_empty(f"{base}/{pin}")]


def remove_empty_pin(context: Context, pin: str) -> None:
    """Remove what is there of *pin* if nothing is mounted by it."""
    base = context.paths.namespaces
    with Lock(context.paths.locks, _LOCK):
        if _is_empty(f"{base}/{pin}"):
            for name in files.list_directory(f"{base}/{pin}"):
                os.unlink(f"{base}/{pin}/{name}")
            _detach(base, pin, ())


def _is_empty(directory: str) -> bool:
    return not any(_is_mounted(f"{directory}/{name}") for name in files.list_directory(directory))


def _check_user(context: Context) -> None:
    if context.user:
        hint = "a process keeps it as well, e.g. 'nsunit --user exec NAME sleep infinity'"
        raise UsageError("pins are for containers of the system: only root can mount them", hint=hint)


def _check_pin(name: str) -> str:
    if is_pod(name):
        raise NsunitError(f"the pin '{printable(name)}' is that of a pod", hint="it lasts until that is stopped")
    return check_name(name)


def _check_root(context: Context, name: str) -> None:
    plan = read_plan(context.paths.runtime_of(name))
    if any(isinstance(item, Overlay) and item.upper for item in plan):
        raise NsunitError(
            f"{name}: its upper layer would stay mounted, and the next start would mount it a second time",
            hint="the kernel leaves undefined what comes of that; only with Volatile=yes can 'mnt' be pinned",
        )


def _attach(base: str, place: str, kind: str, fd: int, name: str) -> str:
    directory, path = f"{base}/{place}", f"{base}/{place}/{kind}"
    files.make_private_directory(base)
    if not _is_mounted(base):
        nsfs.make_place(base)
    files.make_private_directory(directory)
    if os.path.exists(path):
        if os.path.samestat(os.stat(path), os.fstat(fd)):
            return path
        if _is_mounted(path):
            raise NsunitError(
                f"pin '{place}' has another {kind} namespace", hint=f"'nsunit ns unpin {place} {kind}' lets go of that"
            )
    try:
        files.write_file(f"{directory}/.{kind}", name.encode())
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400))
        nsfs.attach(fd, path)
    except BaseException:
        _detach(base, place, (kind,))
        raise
    return path


def unpin(context: Context, pin: str, kind: str | None = None) -> tuple[str, ...]:
    """Let go of *pin*, or of its *kind* only, and return the kinds it has had.

    Raises:
        UsageError: it would be a user's.
        NotFoundError: there is no such pin.
    """
    _check_user(context)
    base = context.paths.namespaces
    wanted = None if kind is None else nsfs.check_kind(kind)
    _check_pin(pin)
    with Lock(context.paths.locks, _LOCK):
        kinds = tuple(item for item in files.list_directory(f"{base}/{pin}") if not item.startswith("."))
        if not kinds:
            raise NotFoundError(f"there is no pin '{pin}'", hint="'nsunit ns list' shows those there are")
        if wanted is not None and wanted not in kinds:
            raise NotFoundError(f"pin '{pin}' has no {wanted} namespace", hint=f"it has {', '.join(kinds)}")
        gone = kinds if wanted is None else (wanted,)
        _detach(base, pin, gone)
        return gone


def _detach(base: str, place: str, kinds: tuple[str, ...]) -> None:
    directory = f"{base}/{place}"
    for kind in kinds:
        if os.path.lexists(f"{directory}/{kind}"):
            nsfs.detach(f"{directory}/{kind}")
        if os.path.lexists(f"{directory}/.{kind}"):
            os.unlink(f"{directory}/.{kind}")
    if not os.listdir(directory):
        os.rmdir(directory)
    if not os.listdir(base):
        nsfs.remove_place(base)


def _is_mounted(path: str) -> bool:
    return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev
