"""Read from /proc what the ledger of namespaces is made of, in one pass over all processes."""

from __future__ import annotations

import os

from nsunit.features.namespaces import nsfs
from nsunit.features.namespaces.ledger import (
    COPY,
    FILE,
    MOUNT,
    PIN,
    Handle,
    Process,
    Scan,
    container_of_cgroup,
    mounts_of_namespaces,
    parse_link,
)
from nsunit.setup.namespaces import KINDS, maps_of
from nsunit.storage import files, ranges
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.storage.paths import Paths

_GONE = (2, 3)  # ENOENT, ESRCH
_DENIED = (1, 13)  # EPERM, EACCES
REMOVED = "(removed)"
_LINKS = (*KINDS, "pid_for_children", "time_for_children")


class _Pass:
    """What one pass over /proc collects."""

    def __init__(self, paths: Paths, base: str) -> None:
        self.paths = paths
        self.base = base + "/"
        self.first = "self" if base else "1"  # a process with the host's namespaces
        self.unseen = (*_GONE, *_DENIED) if base else _GONE
        self.host = {kind: _link(f"/proc/{self.first}/ns/{kind}") for kind in KINDS}
        self.processes: list[Process] = []
        self.handles: list[Handle] = []
        self.places: dict[int, tuple[str, str]] = {}  # inode -> its kind, and a path it can be opened by

    def processes_and_files(self) -> None:
        """Look at every process but this one."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                process = self._process(int(entry))
                self.processes.append(process)
                self._files(process)
            except OSError as error:
                if error.errno not in self.unseen:
                    raise

    def _process(self, pid: int) -> Process:
        cgroup = read_kernel_file(f"/proc/{pid}/cgroup")
        command = read_kernel_file(f"/proc/{pid}/comm")
        if cgroup is None or command is None:
            raise FileNotFoundError(2, "it has ended")
        own: dict[str, int] = {}
        children: dict[str, int] = {}
        for name in _LINKS:
            path = f"/proc/{pid}/ns/{name}"
            kind, _, for_children = name.partition("_")
            try:
                inode = _link(path)
            except FileNotFoundError:
                continue  # a zombie has none, and a process whose first child is still to come none for children
            if not for_children:
                own[kind] = inode
            elif inode != own.get(kind):
                children[kind] = inode
            self.places.setdefault(inode, (kind, path))
        path = next((line[3:] for line in cgroup.split("\n") if line.startswith("0::")), "")
        container = container_of_cgroup(path.removeprefix(self.base)) if path.startswith(self.base) else ""
        return Process(pid, command.rstrip("\n"), container, own, children)

    def _files(self, process: Process) -> None:
        directory = f"/proc/{process.pid}/fd"
        for name in os.listdir(directory):
            try:
                found = parse_link(os.readlink(f"{directory}/{name}"))
            except FileNotFoundError:
                continue  # closed meanwhile
            if found and found[1] != self.host[found[0]]:
                where = f"{process.pid} ({process.command})"
                self.handles.append(Handle(*found, FILE, where, process.container))
                self.places.setdefault(found[1], (found[0], f"{directory}/{name}"))

    def mounts(self) -> None:
        """Look at one process of each mount namespace."""
        host = self.host["mnt"]
        seen: dict[int, Process] = {}
        for process in self.processes:
            if "mnt" in process.namespaces:
                seen.setdefault(process.namespaces["mnt"], process)
        self._mounts_of(self.first, "", "")
        for inode, process in seen.items():
            if inode != host:
                whose = f" in the mount namespace of {process.pid} ({process.command})"
                self._mounts_of(str(process.pid), whose, process.container)

    def _mounts_of(self, pid: str, whose: str, container: str) -> None:
        content = read_kernel_file(f"/proc/{pid}/mountinfo")
        if content is None or " - nsfs " not in content:
            return
        pins = self.paths.namespaces + "/"
        for kind, inode, place in mounts_of_namespaces(content):
            if inode == self.host[kind]:
                continue
            if not whose:
                self.places.setdefault(inode, (kind, place))
            if not whose and place.startswith(pins):
                name = place.removeprefix(pins).partition("/")[0]
                self.handles.append(Handle(kind, inode, PIN, name, pinned_from(self.paths, name, kind)))
            else:
                how = COPY if place.startswith(pins) else MOUNT
                self.handles.append(Handle(kind, inode, how, f"'{place}'{whose}", container))

    def relations(self) -> tuple[dict[int, int], dict[int, int]]:
        """The owner of each namespace that is not the host's, and the parent of each PID namespace.

        Owners that nothing else has led to are found as well, up to the host's.
        """
        owners: dict[int, int] = {}
        parents: dict[int, int] = {}
        host = set(self.host.values())
        for inode, (kind, path) in self.places.items():
            if inode not in host and (fd := open_namespace(path, inode)) >= 0:
                self._climb(fd, kind, inode, owners, parents)
        return owners, parents

    def _climb(self, fd: int, kind: str, inode: int, owners: dict[int, int], parents: dict[int, int]) -> None:
        host = set(self.host.values())
        if kind == "pid" and (parent := nsfs.parent_of(fd)) >= 0:
            parents[inode] = os.fstat(parent).st_ino
            os.close(parent)
        while inode not in owners and inode not in host:
            owner = nsfs.owner_of(fd)
            os.close(fd)
            if owner < 0:
                return
            owners[inode] = os.fstat(owner).st_ino
            fd, inode = owner, owners[inode]
        os.close(fd)


def scan(paths: Paths, base: str = "") -> Scan:
    """Look at all processes, their open files, and the mounts of each mount namespace.

    With *base*, the cgroup of a user's systemd, it is about what that user may look at.

    Raises:
        PermissionError: the caller is not root.
    """
    work = _Pass(paths, base)
    work.processes_and_files()
    work.mounts()
    owners, parents = work.relations()
    origins = _origins(work, owners)
    return Scan(work.host, tuple(work.processes), tuple(work.handles), owners, parents, origins)


def pinned_from(paths: Paths, name: str, kind: str) -> str:
    """The container that the namespace of *kind* in pin *name* came from; empty if that is not noted."""
    return (files.read_file(f"{paths.namespaces}/{name}/.{kind}") or b"").decode("utf-8", "replace").strip()


def _origins(work: _Pass, owners: dict[int, int]) -> dict[int, str]:
    """Which container those namespaces come from that no process of a container is in, by the ids they were given.

    The user namespace around each is asked for its map.  A range of ours that nobody remembers belonged to a container
    that has been removed since, unless somebody else's processes are there.
    """
    inhabited: dict[int, str] = {}
    used: set[int] = set()
    for process in work.processes:
        user = process.namespaces.get("user")
        if user is not None and not inhabited.get(user):
            inhabited[user] = process.container
        if process.container:
            used.update(process.namespaces.values())
    host = set(work.host.values())
    found: dict[int, str] = {}
    asked: dict[int, str] = {}
    names: dict[int, str] | None = None
    for inode, owner in owners.items():
        kind, path = work.places.get(inode, ("", ""))
        user = inode if kind == "user" else owner
        if inode in used or user in host:
            continue
        if user not in asked:
            names = _remembered(work.paths) if names is None else names
            start = _start_of(path, inode, kind)
            unknown = REMOVED if start is not None and _is_ours(start) and user not in inhabited else ""
            asked[user] = inhabited.get(user) or names.get(-1 if start is None else start, unknown)
        if asked[user]:
            found[inode] = asked[user]
    return found


def _is_ours(start: int) -> bool:
    return ranges.FIRST <= start <= ranges.LAST and (start - ranges.FIRST) % ranges.COUNT == 0


def _start_of(path: str, inode: int, kind: str) -> int | None:
    """The first host id of the user namespace around the one at *path*; None if that is gone, or not of our making."""
    fd = open_namespace(path, inode)
    if fd < 0:
        return None
    user = fd if kind == "user" else nsfs.owner_of(fd)
    try:
        mapping = maps_of(user)[0] if user >= 0 else []
        return mapping[0][1] if len(mapping) == 1 and mapping[0][0] == 0 else None
    except PermissionError:
        return None  # nobody may join it
    finally:
        for item in {fd, user}:
            if item >= 0:
                os.close(item)


def open_namespace(path: str, inode: int) -> int:
    """A descriptor of the namespace *inode* at *path*, -1 if something else, or nothing, is there by now."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _GONE:
            return -1
        raise
    if os.fstat(fd).st_ino == inode:
        return fd
    os.close(fd)
    return -1


def _remembered(paths: Paths) -> dict[int, str]:
    found: dict[int, str] = {}
    for base in (paths.runtimes, paths.states):
        for name in files.list_directory(base):
            known = ranges.remembered(f"{base}/{name}")
            if known:
                found[known[0]] = name
    return found


def _link(path: str) -> int:
    """The inode that a link in /proc/PID/ns names."""
    found = parse_link(os.readlink(path))
    if found is None:
        raise FileNotFoundError(2, "this kernel has no such namespace", path)
    return found[1]
