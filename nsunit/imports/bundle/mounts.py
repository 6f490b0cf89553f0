"""mounts: what is mounted on the root, as mount(8) would."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.podman import mounts as podman
from nsunit.imports.text import path as part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.podman.target import Target

# What is there anyway.
_ANYWAY = {
    "/dev": ("tmpfs",),
    "/dev/mqueue": ("mqueue",),
    "/dev/pts": ("devpts",),
    "/proc": ("proc",),
    "/sys": ("sysfs",),
    "/sys/fs/cgroup": ("cgroup", "cgroup2"),
}
_SHM_SIZES = ("65536k", "64m", "67108864")
_SAME = frozenset("nosuid nodev noexec suid dev exec rw relatime noatime strictatime async rprivate private".split())


def mounts(target: Target, values: Any) -> None:
    """Each one of the list."""
    for item in values:
        try:
            _mount(target, item)
        except NotCarried as lost:
            target.remark(f"{item['destination']}: {lost.reason}", lost.instead)


def _mount(target: Target, item: dict[str, Any]) -> None:
    where = "/" + str(item["destination"]).strip("/")
    kind = str(item.get("type", "") or "")
    options = [str(option) for option in item.get("options") or ()]
    if kind in _ANYWAY.get(where, ()):
        return
    if "bind" in options or "rbind" in options or kind in ("bind", "none", ""):
        kept = [option for option in options if option not in _SAME]
        if "bind" in kept and "rbind" not in kept:
            kept = [option for option in kept if option != "bind"] + ["norbind"]
        podman.bind(target, target.path(str(item["source"])), where, kept)
        if item.get("uidMappings") or item.get("gidMappings"):
            target.remark(f"{where} has a map of ids of its own", "use idmap, or idmap=DISK-INSIDE for one id")
    elif kind == "tmpfs":
        if where == "/dev/shm":
            for option in options:
                name, _, value = option.partition("=")
                if name == "size" and value.lower() not in _SHM_SIZES:
                    target.say("ShmSize", value.upper())
            return
        kept = [option for option in options if option not in _SAME]
        podman.tmpfs(target, ":".join([part(where), *([",".join(kept)] if kept else [])]))
    elif kind == "overlay":
        raise NotCarried("nothing lies over a directory to take what is written", "use Layer= for the root, or Bind=")
    else:
        raise NotCarried(f"nsunit has no mounts of type '{kind}'", "mount it on the host, and use Bind=")
