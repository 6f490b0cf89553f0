"""The ledger of namespaces: from what /proc shows of processes, open files and mounts to who has what, and why.

A namespace lives as long as a process is in it, a file of it is open, a bind mount of such a file exists, or another
namespace hangs below it (namespaces(7)): of user namespaces those they own, of PID namespaces those made inside.
"""

from __future__ import annotations

from nsunit.formats import disks
from nsunit.names import container_of_unit, is_valid_name, unescape, unescape_octal
from nsunit.record import Record
from nsunit.setup.namespaces import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE, MOUNT, COPY, PIN = "file", "mount", "copy", "pin"
HOST, USED, PINNED, LEFT = "host", "used", "pinned", "left"
_NAMED = 3  # so many processes are named, the others counted


class Process(Record):
    """A process: `container` is empty outside of all, `namespaces` has the inode of each kind.

    `children` are the namespaces of its future children, where these are others: pid and time.
    """

    pid: int
    command: str
    container: str
    namespaces: dict[str, int]
    children: dict[str, int]


class Handle(Record):
    """Something other than a process that keeps a namespace alive: `how` is "file", "mount", "pin" or "copy" of one.

    `where` is the process that has the file open, the place of the mount, or the pin's name.  `container` is whose
    process or mount namespace it is, of a pin where the namespace came from; empty outside of all.
    """

    kind: str
    inode: int
    how: str
    where: str
    container: str = ""


class Row(Record):
    """A namespace of a container.

    `owner` is the inode of the user namespace it belongs to, of a user namespace its parent's; None if unknown.
    `processes` is the number of those in it, `pins` the names of its pins.  `state` is "used" by the container, "host"
    for the host's own, "pinned" if only a pin keeps it, "left" if something else does.  `kept_by` says what.
    """

    container: str
    kind: str
    inode: int
    owner: int | None
    processes: int
    pins: tuple[str, ...]
    state: str
    kept_by: tuple[str, ...]


class Comparison(Record):
    """Whether two things are in the same namespace of a kind."""

    kind: str
    same: bool
    inodes: tuple[int, int]


class Scan(Record):
    """All that was found.  Inodes of namespaces are unique over all kinds.

    `parents` has the owner of each namespace, of PID namespaces the parent as well; `origins` the container that one
    without any process of a container was found to come from.
    """

    host: dict[str, int]
    processes: tuple[Process, ...]
    handles: tuple[Handle, ...]
    owners: dict[int, int]
    parents: dict[int, int]
    origins: dict[int, str]


def container_of_cgroup(path: str) -> str:
    """The container to which a process in cgroup *path* belongs; empty if it is in none."""
    first, *rest = path.strip("/").split("/")
    if first != "nsunit.slice":
        return ""
    unit = next((part for part in rest if not part.endswith(".slice")), "")
    if unit.endswith(".scope"):
        name = unescape(unit.removeprefix("nsunit-").partition("-")[0])
        return name if is_valid_name(name) else ""
    return container_of_unit(unit) or ""


def attribute(scan: Scan) -> dict[int, set[str]]:
    """Whose each namespace is, by inode: by its processes, else by what else holds it; those of nobody are left out."""
    owned: dict[int, set[str]] = {}
    for process in scan.processes:
        if process.container:
            for inode in (*process.namespaces.values(), *process.children.values()):
                owned.setdefault(inode, set()).add(process.container)
    sure = set(owned)
    host = set(scan.host.values())
    for handle in scan.handles:
        if handle.container and handle.inode not in sure | host:
            owned.setdefault(handle.inode, set()).add(handle.container)
    for inode, name in scan.origins.items():
        if inode not in owned and inode not in host:
            owned[inode] = {name}
    for inode, names in list(owned.items()):
        # What owns a container's namespace is its own too, where no process says whose it is.
        owner = scan.owners.get(inode)
        while owner is not None and owner not in host and owner not in sure:
            owned.setdefault(owner, set()).update(names)
            owner = scan.owners.get(owner)
    return owned


def rows(scan: Scan) -> list[Row]:
    """The ledger, by container and kind."""
    owned = attribute(scan)
    kinds = _kinds(scan)
    members, used = _members(scan)
    handles: dict[int, list[Handle]] = {}
    for handle in scan.handles:
        handles.setdefault(handle.inode, []).append(handle)
    below: dict[int, list[int]] = {}
    for relation in (scan.owners, scan.parents):
        for inode, upper in relation.items():
            if inode not in below.setdefault(upper, []):
                below[upper].append(inode)
    running = {process.container for process in scan.processes}
    found: dict[tuple[str, int], Row] = {}
    for inode, names in owned.items():
        kind = kinds.get(inode, "user")
        held = handles.get(inode, [])
        for name in names:
            lower = [(kinds.get(item, "user"), item) for item in below.get(inode, [])]
            is_host = scan.host.get(kind) == inode
            found[name, inode] = Row(
                container=name,
                kind=kind,
                inode=inode,
                owner=scan.host["user"] if is_host and kind != "user" else scan.owners.get(inode),
                processes=len(members.get(inode, [])),
                pins=tuple(sorted({item.where for item in held if item.how == PIN})),
                state=_state(scan, name, inode, kind, held, used, running),
                kept_by=("the host",) if is_host else _reasons(members.get(inode, []), held, lower),
            )
    _pass_down(found, below, handles)
    order = list(KINDS)
    return sorted(found.values(), key=lambda row: (row.container, order.index(row.kind), row.state == LEFT, row.inode))


def _kinds(scan: Scan) -> dict[int, str]:
    kinds = {inode: kind for kind, inode in scan.host.items()}
    for process in scan.processes:
        for where in (process.namespaces, process.children):
            for kind, inode in where.items():
                kinds[inode] = kind
    for handle in scan.handles:
        kinds[handle.inode] = handle.kind
    return kinds


def _members(scan: Scan) -> tuple[dict[int, list[Process]], set[tuple[str, int]]]:
    """The processes in each namespace, and which containers are in it."""
    members: dict[int, list[Process]] = {}
    used: set[tuple[str, int]] = set()
    for process in scan.processes:
        for inode in process.namespaces.values():
            members.setdefault(inode, []).append(process)
        if process.container:
            for inode in (*process.namespaces.values(), *process.children.values()):
                used.add((process.container, inode))
    return members, used


def _state(
    scan: Scan,
    name: str,
    inode: int,
    kind: str,
    held: Sequence[Handle],
    used: set[tuple[str, int]],
    running: set[str],
) -> str:
    if scan.host.get(kind) == inode:
        return HOST
    if (name, inode) in used:
        return USED
    if name in running and any(handle.container == name and handle.how != PIN for handle in held):
        return USED  # as a namespace that `ip netns add` inside of it has made
    return PINNED if any(handle.how == PIN for handle in held) else LEFT


def _pass_down(
    found: dict[tuple[str, int], Row], below: Mapping[int, Sequence[int]], handles: Mapping[int, object]
) -> None:
    """Give what only keeps other namespaces of the container alive their state: the owner of what is pinned."""
    rank = (USED, PINNED)
    changed = True
    while changed:
        changed = False
        for (name, inode), row in found.items():
            if row.state != LEFT or row.processes or inode in handles:
                continue
            states = {found[name, item].state for item in below.get(inode, ()) if (name, item) in found}
            best = next((state for state in rank if state in states), None)
            if best:
                found[name, inode] = row.replace(state=best)
                changed = True


def _reasons(members: Sequence[Process], held: Sequence[Handle], below: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    reasons = []
    inside = sum(1 for process in members if process.container)
    if inside:
        reasons.append("1 process" if inside == 1 else f"{inside} processes")
    outside = [process for process in members if not process.container]
    reasons += [f"process {process.pid} ({process.command})" for process in outside[:_NAMED]]
    if len(outside) > _NAMED:
        reasons.append(f"{len(outside) - _NAMED} more processes of the host")
    is_pinned = any(handle.how == PIN for handle in held)
    telling = [handle for handle in held if not (is_pinned and handle.how == COPY)]  # a copy goes with its pin
    texts = dict.fromkeys(_WORDS[handle.how].format(handle.where) for handle in sorted(telling, key=_by_how))
    reasons += list(texts)[: _NAMED * 2]
    if below and not members:
        shown = [f"{kind} {inode}" for kind, inode in below[: 2 * _NAMED]]
        more = f" and {len(below) - len(shown)} more" if len(below) > len(shown) else ""
        reasons.append(f"namespaces below it: {', '.join(shown)}{more}")
    return tuple(reasons)


_WORDS = {PIN: "pin {}", MOUNT: "a mount at {}", COPY: "a copy of a pin at {}", FILE: "a file that is open in {}"}


def _by_how(handle: Handle) -> tuple[int, str]:
    return list(_WORDS).index(handle.how), handle.where


def compare(
    left: Mapping[str, tuple[int, int]], right: Mapping[str, tuple[int, int]], kinds: Iterable[str]
) -> list[Comparison]:
    """Compare two sides kind by kind, each a device and inode number; a kind that one of them lacks is left out."""
    return [
        Comparison(kind, left[kind] == right[kind], (left[kind][1], right[kind][1]))
        for kind in kinds
        if kind in left and kind in right
    ]


def leftovers(found: Iterable[Row]) -> list[Row]:
    """Those that something other than their container or a pin keeps alive."""
    return [row for row in found if row.state == LEFT]


def mounts_of_namespaces(mountinfo: str) -> list[tuple[str, int, str]]:
    """Kind, inode and mount point of each bind mount of a namespace in *mountinfo*, proc_pid_mountinfo(5)."""
    found = []
    for line in disks.lines_of(mountinfo):
        fields, dash, rest = line.partition(" - ")
        if not dash or not rest.startswith("nsfs "):
            continue
        words = fields.split(" ")
        parsed = parse_link(words[3])
        if parsed:
            found.append((*parsed, unescape_octal(words[4])))
    return found


def parse_link(text: str) -> tuple[str, int] | None:
    """Kind and inode of what a link in /proc/PID/ns or /proc/PID/fd says, `net:[4026531840]`; None for another."""
    kind, mark, rest = text.partition(":[")
    if not mark or kind not in KINDS or not rest.endswith("]") or not rest[:-1].isdigit():
        return None
    return kind, int(rest[:-1])
