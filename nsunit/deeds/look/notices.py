"""Being told when a file of a cgroup changes: poll(2) says POLLPRI, admin-guide/cgroup-v2.rst, so nothing is polled."""

from __future__ import annotations

import os
import select

from nsunit.storage.files import read_kernel_file
from nsunit.storage.processes import groups_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16
_GONE = 19  # ENODEV: the cgroup has been removed
_OOMD_KILLS, _DIGITS_MAX = "user.oomd_ooms", 9


class Notices:
    """Files that are watched, each with what is called with its new content.

    `fileno` can be waited for with the rest of an event loop; `deliver` then does the calls.  A cgroup of the same
    name that was made anew is another file: `watch` notices.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._files: dict[str, tuple[int, Callable[[str], None]]] = {}
        self._paths: dict[int, str] = {}

    def fileno(self) -> int:
        """The descriptor that is readable while there is something to deliver."""
        return self._epoll.fileno()

    def watch(self, path: str, changed: Callable[[str], None]) -> str | None:
        """Call *changed* from now on; returns the content now, None if the file is not there or watched already."""
        if path in self._files:
            if _is_same(self._files[path][0], path):
                return None
            self.forget(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        content = _content(descriptor)
        if content is None:
            os.close(descriptor)
            return None
        self._files[path] = (descriptor, changed)
        self._paths[descriptor] = path
        self._epoll.register(descriptor, select.EPOLLPRI)
        return content

    def forget(self, prefix: str) -> None:
        """Do not watch the file *prefix*, nor what is below that directory."""
        for path in [path for path in self._files if path == prefix or path.startswith(f"{prefix}/")]:
            descriptor, _changed = self._files.pop(path)
            del self._paths[descriptor]
            self._epoll.unregister(descriptor)
            os.close(descriptor)

    def deliver(self) -> None:
        """Call for what has changed."""
        for descriptor, _events in self._epoll.poll(0):
            path = self._paths.get(descriptor)
            if path is None:
                continue
            content = _content(descriptor)
            if content is None:
                self.forget(path)
            else:
                self._files[path][1](content)

    def close(self) -> None:
        """Watch nothing any more."""
        for path in list(self._files):
            self.forget(path)
        self._epoll.close()


def _content(descriptor: int) -> str | None:
    # Reading is what makes the kernel wait for the next change.
    try:
        return os.pread(descriptor, _CHUNK, 0).decode("ascii")
    except OSError as error:
        if error.errno == _GONE:
            return None
        raise


def _is_same(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def managed_kills(directory: str) -> int:
    """How often systemd-oomd has killed in the cgroups from *directory* on: it notes that in an attribute of each."""
    total = 0
    for _, path in groups_in(directory):
        try:
            count = os.getxattr(path, _OOMD_KILLS)
        except OSError:  # it has none, or is gone
            continue
        # Who has a group of its own can write anything there.
        total += int(count) if count.isdigit() and len(count) <= _DIGITS_MAX else 0
    return total


def subtree_kills(directory: str) -> dict[str, int]:
    """How often the kernel has killed for lack of memory in each cgroup from *directory* on, by the path below it."""
    found = {}
    for names, path in groups_in(directory):
        content = read_kernel_file(f"{path}/memory.events.local")
        for line in (content or "").splitlines():
            if line.startswith("oom_kill "):
                found["/".join(names)] = int(line.split()[1])
    return found
