"""The root, the mounts and the devices of config.json, as steps."""

from __future__ import annotations

from nsunit.oci.errors import SpecError
from nsunit.oci.spec import mounts as options
from nsunit.oci.spec.fields import Json, take, wrong
from nsunit.oci.spec.namespaces import Namespaces, id_map
from nsunit.setup import linux as kernel
from nsunit.setup import system as os
from nsunit.setup.oci.devices import Device, Links
from nsunit.setup.oci.mounts import Bind, Cgroup, MaskedPaths, Mount, ReadOnly, ReadOnlyPaths, Root, RootPropagation
from nsunit.setup.root import Pivot, ReadOnlyRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.setup.operation import Operation

DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))


def root_path(config: Json, bundle: str) -> str:
    """The path of the root.

    Raises:
        SpecError: there is none.
    """
    path: str = take(take(config, "root", dict), "path", str)
    if not path:
        raise SpecError("root.path must be given in config.json")
    return path if path.startswith("/") else f"{bundle}/{path}"


def before_pivot(config: Json, bundle: str, namespaces: Namespaces, *, binds_devices: bool) -> list[Operation]:
    """The root itself, what is mounted and made in it, as long as the host can be seen.

    With *binds_devices* nodes are bound from the host: in a user namespace none can be made.
    """
    linux: Json = take(config, "linux", dict)
    flags = options.root_propagation(take(linux, "rootfsPropagation", str))
    inherited = flags & ~kernel.MS_REC or kernel.MS_SLAVE
    steps: list[Operation] = [Root(root_path(config, bundle), inherited)]
    mounted_dev = ""
    for number, entry in enumerate(take(config, "mounts", list)):
        step = _mount(entry, f"mounts[{number}].", bundle, namespaces, inherited)
        steps.append(step)
        if getattr(step, "target", "").rstrip("/") == "/dev":
            mounted_dev = step.keyword
    if mounted_dev != Bind.keyword:  # the host's own is not touched
        steps += _devices(linux, binds_devices)
        steps.append(Links())
    return steps


def read_only(steps: Sequence[Operation]) -> list[Operation]:
    """What makes read-only which of the mounts in *steps* are to be so in the end."""
    return [ReadOnly(step) for step in steps if isinstance(step, Mount) and step.kept]


def pivot(config: Json) -> list[Operation]:
    """Become the root."""
    linux: Json = take(config, "linux", dict)
    flags = options.root_propagation(take(linux, "rootfsPropagation", str))
    read_only: bool = take(take(config, "root", dict), "readonly", bool)
    steps: list[Operation] = [ReadOnlyRoot()] if read_only else []
    steps.append(Pivot())
    if flags & (kernel.MS_SHARED | options.MS_UNBINDABLE | kernel.MS_PRIVATE):
        steps.append(RootPropagation((flags,)))
    return steps


def hidden(config: Json) -> list[Operation]:
    """What is read-only or not to be seen."""
    linux: Json = take(config, "linux", dict)
    steps: list[Operation] = []
    if paths := take(linux, "readonlyPaths", list):
        steps.append(ReadOnlyPaths(tuple(paths)))
    if paths := take(linux, "maskedPaths", list):
        steps.append(MaskedPaths(tuple(dict.fromkeys(paths))))
    return steps


def _mount(entry: Json, where: str, bundle: str, namespaces: Namespaces, inherited: int) -> Operation:
    said_target: str = take(entry, "destination", str)
    if not said_target:
        raise wrong(f"{where}destination", "it must be given")
    target = os.normpath(f"/{said_target.lstrip('/')}")  # a `..` is taken away as text, whatever is there: as runc
    if target == "/":  # it would be below the root, and nobody would see it
        raise wrong(f"{where}destination", f"'{said_target}' is the root: root.path says what that is")
    kind, source = take(entry, "type", str), take(entry, "source", str)
    said = options.parse(take(entry, "options", list))
    if kind in ("cgroup", "cgroup2"):
        return Cgroup(target, said.set | said.set_all, namespaces.has("cgroup"), said.propagation)
    if kind in ("bind", "rbind") or said.bind or kind in ("", "none"):
        if not source:
            raise wrong(f"{where}source", "a bind mount has one")
        path = source if source.startswith("/") else f"{bundle}/{source}"
        maps, maps_all = _id_maps(entry, where, said.idmap, namespaces)
        recursive = said.recursive or kind == "rbind"
        attributes = (said.set, said.clear, said.set_all, said.clear_all)
        return Bind(path, target, recursive, *attributes, inherited, said.propagation, maps, maps_all)
    if said.idmap or entry.get("uidMappings") or entry.get("gidMappings"):
        raise wrong(f"{where}options", "only bind mounts can be id-mapped")
    # A file system in memory begins empty: what is mounted or made in it is so before it is read-only.
    kept = kind == "tmpfs" and bool(said.set & kernel.MOUNT_ATTR_RDONLY)
    set_ = said.set & ~kernel.MOUNT_ATTR_RDONLY if kept else said.set
    attributes = (set_, said.clear, said.set_all, said.clear_all)
    copy_up = said.copy_up and kind == "tmpfs"
    return Mount(kind, source, target, said.data, *attributes, said.propagation, copy_up, kept)


def _id_maps(entry: Json, where: str, idmap: str, namespaces: Namespaces) -> tuple[tuple[str, str] | tuple[()], bool]:
    uid, gid = id_map(entry, "uidMappings", where), id_map(entry, "gidMappings", where)
    if bool(uid) != bool(gid):
        raise wrong(where.rstrip("."), "it needs both uidMappings and gidMappings")
    if not uid and not idmap:
        return (), False
    if not uid:
        uid, gid = namespaces.uid_map, namespaces.gid_map
        if not uid:
            raise wrong(f"{where}options", f"'{idmap}' needs uidMappings and gidMappings, of the mount or of linux")
    return (uid, gid), idmap == "ridmap"


def _devices(linux: Json, bound: bool) -> list[Operation]:
    steps: dict[str, Operation] = {}
    for name, major, minor in DEVICES:
        steps[f"/dev/{name}"] = Device(f"/dev/{name}", "c", major, minor, 0o666, 0, 0, bound)
    for number, entry in enumerate(take(linux, "devices", list)):
        where = f"linux.devices[{number}]."
        path, kind = take(entry, "path", str), take(entry, "type", str)
        if kind not in ("c", "u", "b", "p"):
            raise wrong(f"{where}type", f"'{kind}' is none of c, u, b, p")
        if not path.startswith("/"):
            raise wrong(f"{where}path", f"'{path}' is not absolute")
        mode = entry.get("fileMode")
        steps[path] = Device(
            *(path, kind, take(entry, "major", int), take(entry, "minor", int)),
            *(0o666 if mode is None else mode & 0o7777, take(entry, "uid", int), take(entry, "gid", int)),
            bound,
        )
    return list(steps.values())
