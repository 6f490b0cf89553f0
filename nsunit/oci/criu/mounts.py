"""Which mounts of a container the host has, so that criu binds them again in place of making them.  Pure."""

from __future__ import annotations

from nsunit.names import unescape_octal
from nsunit.oci.errors import SpecError
from nsunit.oci.spec import mounts as options
from nsunit.oci.spec.fields import Json, take, wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = "/"


class Mount(Record):
    """A line of mountinfo: its id and its parent's, the device of its file system, its place, and the kind of that."""

    id: int
    parent: int
    device: str
    point: str
    kind: str


class Outside(Record):
    """A mount at *point* in a container: *below* the source of the mount that config.json has at *destination*.

    ROOT is the container's root, an empty one that of the host.
    """

    point: str
    destination: str
    below: str


def parse(text: str) -> list[Mount]:
    """The mounts of a mountinfo file."""
    found = []
    for line in filter(None, text.split("\n")):  # names may have all other ends of lines as they are
        before, _, after = line.partition(" - ")
        words = before.split(" ")
        found.append(Mount(int(words[0]), int(words[1]), words[2], unescape_octal(words[4]), after.split(" ")[0]))
    return found


def on_root(found: Sequence[Mount]) -> list[Mount]:
    """Those of a container's mounts that lie on its root, where their mount points must be."""
    root = next((mount.id for mount in found if mount.point == ROOT), -1)
    return [mount for mount in found if mount.parent == root]


def sources(config: Json, bundle: str, rootfs: str) -> dict[str, str]:
    """The path of the host behind each destination that has one.

    Raises:
        SpecError: criu would bring one back as another.
    """
    found = {ROOT: rootfs, "": ""}
    for number, entry in enumerate(take(config, "mounts", list)):
        said = options.parse(take(entry, "options", list))
        if said.idmap or entry.get("uidMappings"):
            raise wrong(f"mounts[{number}]", "criu knows no id-mapped mounts: the owners would be others")
        kind, source = take(entry, "type", str), take(entry, "source", str)
        destination: str = take(entry, "destination", str)
        found.pop(destination, None)  # the last one is what is seen
        if said.bind or kind in ("", "none", "bind", "rbind"):
            found[destination] = source if source.startswith("/") else f"{bundle}/{source}"
    return found


def outside(
    behind: Mapping[str, str],
    points: Mapping[str, str],
    masked: Sequence[str],
    found: Sequence[Mount],
    host: Sequence[Mount],
    *,
    users: bool = False,
) -> list[Outside]:
    """Those of *found*, a container's mounts, that are of the host, whose own ones are *host*.

    *behind* is of `sources`, with real paths; *points* is where the destinations of all mounts of config.json are;
    *masked* where its masks are; *users* whether it has a user namespace.

    Raises:
        SpecError: criu cannot bring one back.
    """
    devices = {mount.point: mount.device for mount in host}
    result = []
    for mount in found:
        if mount.point == ROOT:
            continue
        if mount.kind == "devtmpfs":  # a node: a user namespace makes none
            result.append(Outside(mount.point, "", "/dev/null" if mount.point in masked else mount.point))
            continue
        covering = [name for name, point in points.items() if f"{mount.point}/".startswith(f"{point.rstrip('/')}/")]
        destination = max(covering, key=lambda name: len(points[name]), default=ROOT)
        source = behind.get(destination)
        below = mount.point[len(points.get(destination, "")) :]
        if source is None or mount.point in masked:
            continue
        # What the container has mounted there itself is its own.
        if not below or devices.get(source + below) == mount.device:
            if destination == ROOT and users:
                raise SpecError(f"{mount.point} is a mount below root.path: criu cannot restore it in a user namespace")
            result.append(Outside(mount.point, destination, below))
    return result
