"""lxc.rootfs: where the root is, and lxc.idmap, whose it is."""

from __future__ import annotations

from nsunit.imports.ids import take as take_ids
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lxc.config import Config
    from nsunit.imports.podman.target import Target

_OVERLAYS = ("overlay", "overlayfs", "aufs")
_DEVICES = ("lvm", "loop", "nbd", "rbd", "zfs")


def choose(target: Target, config: Config) -> str:
    """Say what the root is; returns its path.

    Raises:
        NotCarried: there is none that a container can have.
    """
    item = config.item("lxc.rootfs.path")
    if item is None:
        raise NotCarried("it has no root of its own", "add lxc.rootfs.path, or use MountNamespace=host")
    target.origin = item.origin
    kind, colon, path = item.value.partition(":")
    if not colon or item.value.startswith("/"):
        kind, path = "dir", item.value
    is_memory = config.last("lxc.ephemeral") == "1"
    if kind in _OVERLAYS:
        lower, _, upper = path.rpartition(":")
        target.plain("Layer", lower or upper)
        if lower:
            target.remark("what was written stays there", f"put Layer={upper} in front, to have that below")
        path = lower or upper
    elif kind in _DEVICES or path.startswith("/dev/"):
        raise NotCarried(
            f"its root is on a device, '{item.value}'", "mount it, and name the directory: lxc.rootfs.path = dir:PATH"
        )
    elif path == "/":
        raise NotCarried("its root is that of the host", "use a tree of its own, see 'nsunit create'")
    else:
        target.plain("Layer" if is_memory else "Rootfs", target.path(path))
    if is_memory:
        ephemeral = config.item("lxc.ephemeral")
        target.origin = ephemeral.origin if ephemeral else target.origin
        target.say("Volatile", "yes")
    return path


def ids(target: Target, config: Config) -> None:
    """lxc.idmap: `u|g|b INSIDE OUTSIDE COUNT`, several of each."""
    maps: dict[str, list[str]] = {"u": [], "g": []}
    items = [item for item in config.said if item.key == "lxc.idmap"]
    for item in items:
        kind, *numbers = item.value.split()
        target.origin = item.origin
        if kind not in ("u", "g", "b") or len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
            target.remark(f"'{item.value}' is no map of ids", "use UIDMap=INSIDE OUTSIDE COUNT")
            continue
        for one in ("u", "g") if kind == "b" else (kind,):
            maps[one].append(" ".join(numbers))
    if maps["u"]:
        take_ids(target, maps["u"], maps["g"], is_shown="idmap=" in config.last("lxc.rootfs.options"))


def options(target: Target, _config: Config, text: str) -> None:
    """lxc.rootfs.options: those of mount(8)."""
    for option in text.split(","):
        if option == "ro":
            target.say("ReadOnly", "yes")
        elif option.partition("=")[0] not in ("rw", "idmap", "", "defaults", "bind", "rbind"):
            target.remark(f"'{option}' is no option of a root", "leave it out")
