"""Which file systems and disks a path leads to, from /proc/self/mountinfo (proc_pid_mountinfo(5)): pure."""

from __future__ import annotations

from nsunit.names import unescape_octal
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# File systems without a block device, apart from which systemd finds one (btrfs among them).
_DISKLESS = frozenset(
    "tmpfs ramfs devtmpfs proc sysfs cgroup2 nfs nfs4 cifs smb3 9p virtiofs ceph fuse overlay devpts".split()
)


class Mount(Record):
    """What a path is on: the file system's type, and of an overlay the directories it merges."""

    point: str
    type: str
    layers: tuple[str, ...] = ()

    @property
    def has_disk(self) -> bool:
        """Whether systemd can find the disk below."""
        return self.type not in _DISKLESS and not self.type.startswith("fuse.")


def lines_of(mountinfo: str) -> Iterator[str]:
    """Its lines.  Of all that Python takes for the end of one, names may have each but the newline as it is."""
    return filter(None, mountinfo.split("\n"))


def mount_of(path: str, mountinfo: str) -> Mount:
    """The mount that the resolved, absolute *path* is on; the last one of those on the longest mount point."""
    found = Mount("", "")
    for line in lines_of(mountinfo):
        left, _, right = line.partition(" - ")
        point = unescape_octal(left.split(" ")[4])
        below = path == point or path.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(found.point):
            kind, _, options = right.split(" ", 2)
            found = Mount(point, kind, _layers(options) if kind == "overlay" else ())
    return found


def points_of(mountinfo: str) -> Iterator[tuple[str, int]]:
    """The mount point of each mount with the mount's id, in the order in which they were mounted."""
    for line in lines_of(mountinfo):
        number, _, _, _, point, _ = line.split(" ", 5)
        yield unescape_octal(point), int(number)


def mounts_at(mountinfo: str) -> dict[str, list[int]]:
    """The ids of the mounts at each mount point, the topmost last."""
    found: dict[str, list[int]] = {}
    for point, number in points_of(mountinfo):
        found.setdefault(point, []).append(number)
    return found


def _layers(options: str) -> tuple[str, ...]:
    """The directories of an overlay.  A comma or colon in a name stands behind a backslash, itself escaped."""
    found: list[str] = []
    for option in _split(unescape_octal(options), ","):
        name, _, value = option.partition("=")
        if name in ("lowerdir", "datadir"):
            found += [item for item in _split(value, ":") if item]
        elif name in ("lowerdir+", "datadir+", "upperdir"):
            found.append(value)
    return tuple(item.replace("\\", "") for item in found)


def _split(text: str, separator: str) -> list[str]:
    parts = [""]
    escaped = False
    for char in text:
        if char == separator and not escaped:
            parts.append("")
        else:
            parts[-1] += char
        escaped = char == "\\" and not escaped
    return parts
