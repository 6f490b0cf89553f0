"""`linux.namespaces` and what belongs to them: maps, offsets."""

from __future__ import annotations

from nsunit.oci.errors import SpecError
from nsunit.oci.spec.fields import Json, take, wrong
from nsunit.oci.spec.process import CLONE_KINDS
from nsunit.record import Record

ALL_IDS = 0xFFFFFFFF


class Namespaces(Record):
    """Kinds (of `nsunit.setup.namespaces.KINDS`) to be made, and those to be joined with their paths; maps as /proc
    takes them; the content of timens_offsets.
    """

    made: tuple[str, ...] = ()
    joined: tuple[tuple[str, str], ...] = ()
    uid_map: str = ""
    gid_map: str = ""
    offsets: str = ""

    def has(self, kind: str) -> bool:
        """Whether the container has one of *kind* that is not the runtime's."""
        return kind in self.made or any(kind == joined for joined, _ in self.joined)


def parse(linux: Json) -> Namespaces:
    """The namespaces of the object `linux`.

    Raises:
        SpecError: one is unknown, or there twice, or a map is missing or too much.
    """
    made: list[str] = []
    joined: list[tuple[str, str]] = []
    for number, entry in enumerate(take(linux, "namespaces", list)):
        name, path = take(entry, "type", str), take(entry, "path", str)
        kind = CLONE_KINDS.get(name)
        if kind is None:
            raise wrong(f"linux.namespaces[{number}]", f"namespace type '{name}' does not exist")
        if kind in made or any(kind == other for other, _ in joined):
            raise SpecError(f"duplicated ns {name}")
        if path and not path.startswith("/"):
            raise wrong(f"linux.namespaces[{number}]", f"path '{path}' is not absolute")
        joined.append((kind, path)) if path else made.append(kind)
    uid_map, gid_map = (id_map(linux, f"{word}Mappings", "linux.") for word in ("uid", "gid"))
    if "user" in made and not (uid_map and gid_map):
        raise SpecError("user namespaces enabled, but no uid and gid mappings found in config.json")
    if (uid_map or gid_map) and "user" not in made and not any(kind == "user" for kind, _ in joined):
        raise SpecError("user namespace mappings specified, but user namespace isn't enabled in the config")
    return Namespaces(tuple(made), tuple(joined), uid_map, gid_map, _offsets(linux, made))


def id_map(parent: Json, name: str, where: str) -> str:
    """The lines of a map, `CONTAINER HOST SIZE` each."""
    lines = []
    for number, entry in enumerate(take(parent, name, list)):
        found = [take(entry, key, int) for key in ("containerID", "hostID", "size")]
        if any(not 0 <= value <= ALL_IDS for value in found) or found[2] == 0:
            raise wrong(f"{where}{name}[{number}]", "an id or the size is out of range")
        lines.append("{} {} {}\n".format(*found))
    return "".join(lines)


def has_hosts_root(namespaces: Namespaces) -> bool:
    """Whether the host's root may be among the ids of the container; what is joined by a path is not looked into."""
    if "user" in namespaces.made:
        return any(line.split()[1] == "0" for line in namespaces.uid_map.splitlines())
    return True


def _offsets(linux: Json, made: list[str]) -> str:
    lines = []
    offsets: Json = take(linux, "timeOffsets", dict)
    for clock, offset in offsets.items():
        if clock not in ("monotonic", "boottime"):
            raise wrong("linux.timeOffsets", f"'{clock}' is neither monotonic nor boottime")
        lines.append(f"{clock} {take(offset, 'secs', int)} {take(offset, 'nanosecs', int)}\n")
    if lines and "time" not in made:
        raise SpecError("time namespace offsets are set, but there is no new time namespace in the config")
    return "".join(lines)
