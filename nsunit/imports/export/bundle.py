"""A definition as config.json of an OCI bundle, runtime-spec 1.0.2 to 1.3."""

from __future__ import annotations

import json

from nsunit.definition.container import DEFAULT_CAPABILITIES
from nsunit.imports.bundle.table import HIDDEN, NAMESPACES, READ_ONLY
from nsunit.imports.export.options import bytes_or_max, number
from nsunit.imports.export.source import plain, words
from nsunit.imports.model import NotCarried
from nsunit.imports.podman.mounts import fields
from nsunit.imports.text import in_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.imports.export.source import Source
    from nsunit.imports.model import Line

_INFINITY = (1 << 64) - 1
_PERIOD = 100_000  # µs
_KINDS = {key: kind for kind, key in NAMESPACES.items()}
_MOUNTS = (
    ("/proc", "proc", ()),
    ("/dev", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")),
    ("/dev/mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/sys", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/sys/fs/cgroup", "cgroup", ("nosuid", "noexec", "nodev", "relatime", "ro")),
)
_LOST = {
    "Image": ("a bundle has a tree", "'nsunit mount' shows its path, or skopeo and umoci make a bundle of the image"),
    "PublishPort": ("a runtime connects nothing", "use what connects its network namespace"),
    "Pod": ("a bundle is one container", "name the pod's namespaces by their paths"),
    "Volume": ("a runtime has no volumes", "use Bind= for their directories, see 'nsunit volume inspect'"),
    "Secret": ("a runtime has no secrets", "use Bind= for files"),
    "EnvironmentFile": ("a runtime reads no files of variables", "use Environment="),
}
_OTHER = ("a bundle says nothing like it", "leave it out")


def files(source: Source) -> list[tuple[str, str]]:
    """The config.json of the bundle."""
    return [("config.json", json.dumps(_Bundle(source).config(), indent=2, ensure_ascii=False) + "\n")]


class _Bundle:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.top: dict[str, Any] = {}
        self.process: dict[str, Any] = {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": [], "noNewPrivileges": True}
        self.root: dict[str, Any] = {}
        self.mounts: list[dict[str, Any]] = []
        self.linux: dict[str, Any] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.namespaces = {"mount": "", "pid": "", "ipc": "", "uts": "", "network": "", "cgroup": ""}
        self.capabilities = set(DEFAULT_CAPABILITIES)
        self.words: dict[str, list[str]] = {}
        self.shm = "65536k"
        self.resources["pids"] = {"limit": 1024}
        source.each(self._handlers(), self._other)

    def config(self) -> dict[str, Any]:
        """The whole of it."""
        names = sorted(self.capabilities)
        self.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
        self.process["args"] = [*self.words.get("Entrypoint", []), *self.words.get("Exec", [])]
        shm = ("/dev/shm", "tmpfs", ("nosuid", "noexec", "nodev", "mode=1777", f"size={self.shm}"))
        mounts = [
            {"destination": where, "type": kind, "source": kind, "options": list(options)}
            for where, kind, options in (*_MOUNTS, shm)
        ]
        namespaces = [
            {"type": kind, **({"path": path} if path else {})}
            for kind, path in self.namespaces.items()
            if path != "host"
        ]
        linux = {
            **self.linux,
            "namespaces": namespaces,
            "resources": self.resources,
            "maskedPaths": sorted(HIDDEN),
            "readonlyPaths": sorted(READ_ONLY),
        }
        return {
            "ociVersion": "1.0.2",
            **self.top,
            "process": self.process,
            "root": {"path": "rootfs", **self.root},
            "mounts": mounts + self.mounts,
            "linux": linux,
        }

    def _handlers(self) -> dict[tuple[str, str], Callable[[Line], None]]:
        container: dict[str, Callable[[Line], None]] = {
            **dict.fromkeys(("Entrypoint", "Exec"), self._command),
            **dict.fromkeys(("Bind", "BindReadOnly"), self._bind),
            **dict.fromkeys(("UIDMap", "GIDMap"), self._map),
            **dict.fromkeys(_KINDS, self._namespace),
            "Capability": self._capability,
            "Domainname": lambda line: self.top.update(domainname=plain(line.value)),
            "Environment": lambda line: self.process["env"].extend(words(plain(line.value))),
            "Group": lambda line: self._id(line, "gid"),
            "Hostname": lambda line: self.top.update(hostname=plain(line.value)),
            "Layer": self._root,
            "Network": self._network,
            "NoNewPrivileges": lambda line: self.process.update(noNewPrivileges=self.source.is_true(line.key)),
            "PrivateUsers": self._users,
            "Propagation": lambda line: self.linux.update(rootfsPropagation=f"r{line.value}"),
            "ReadOnly": lambda line: self.root.update(readonly=self.source.is_true(line.key)),
            "Rootfs": self._root,
            "ShmSize": self._shm,
            "SupplementaryGroups": self._groups,
            "Sysctl": self._sysctl,
            "Tmpfs": self._tmpfs,
            "User": lambda line: self._id(line, "uid"),
            "WorkingDirectory": lambda line: self.process.update(cwd=plain(line.value)),
            "X-Annotation": self._annotation,
        }
        limits: dict[str, Callable[[Line], None]] = {
            "AllowedCPUs": lambda line: self._limit("cpu", cpus=line.value),
            "AllowedMemoryNodes": lambda line: self._limit("cpu", mems=line.value),
            "CPUQuota": self._quota,
            "CPUWeight": lambda line: self._limit("cpu", shares=round(number(line.value) * 1024 / 100)),
            "MemoryHigh": lambda line: self._limit("unified", **{"memory.high": bytes_or_max(line.value)}),
            "MemoryLow": lambda line: self._limit("memory", reservation=in_bytes(line.value)),
            "MemoryMax": self._memory,
            "MemoryMin": lambda line: self._limit("unified", **{"memory.min": bytes_or_max(line.value)}),
            "MemorySwapMax": self._swap,
            "TasksMax": self._tasks,
        }
        return {
            **{("Container", key): handler for key, handler in container.items()},
            **{("Slice", key): handler for key, handler in limits.items()},
            ("Service", "OOMScoreAdjust"): lambda line: self.process.update(oomScoreAdj=int(line.value)),
            ("Service", "UMask"): lambda line: self.process["user"].update(umask=int(line.value, 8)),
        }

    def _other(self, line: Line) -> None:
        if line.section == "Service" and line.key.startswith("Limit"):
            soft, _, hard = line.value.partition(":")
            values = {
                name: _INFINITY if text == "infinity" else number(text)
                for name, text in (("soft", soft), ("hard", hard or soft))
            }
            kind = f"RLIMIT_{line.key.removeprefix('Limit')}"
            self.process.setdefault("rlimits", []).append({"type": kind, **values})
        elif line.section in ("Unit", "Service", "Install"):
            raise NotCarried("only a unit of systemd's has it", "call the runtime in one")
        elif not line.key.startswith("X-"):
            raise NotCarried(*_LOST.get(line.key, _OTHER))

    def _limit(self, kind: str, **values: Any) -> None:
        self.resources.setdefault(kind, {}).update(values)

    def _command(self, line: Line) -> None:
        self.words[line.key] = words(plain(line.value))

    def _root(self, line: Line) -> None:
        if "path" in self.root:
            raise NotCarried("a bundle has one tree", "mount them over each other before")
        self.root["path"] = plain(line.value)
        if line.key == "Layer":
            self.source.remark(line, "what is written goes into the tree itself", "use ReadOnly=, or a copy")

    def _id(self, line: Line, kind: str) -> None:
        if not line.value.isdecimal():
            raise NotCarried("a bundle has no names of users", "write the number")
        self.process["user"][kind] = int(line.value)

    def _groups(self, line: Line) -> None:
        names = words(line.value)
        if not all(name.isdecimal() for name in names):
            raise NotCarried("a bundle has no names of groups", "write numbers")
        self.process["user"].setdefault("additionalGids", []).extend(int(name) for name in names)

    def _capability(self, line: Line) -> None:
        for item in line.value.split():
            name = item.lstrip("+-").upper().removeprefix("CAP_")
            if name == "ALL" and item[0] != "-":
                raise NotCarried("all capabilities have to be named", "name those that it needs")
            if name == "ALL":
                self.capabilities.clear()
            elif item[0] == "-":
                self.capabilities.discard(f"CAP_{name}")
            else:
                self.capabilities.add(f"CAP_{name}")

    def _bind(self, line: Line) -> None:
        for source, where, options in self.source.binds(line, plain(line.value)):
            for option in [option for option in options if option != "norbind"]:
                self.source.remark(line, f"'{option}' is no option of a mount there", "use ids that the host has")
            kept = ["bind" if "norbind" in options else "rbind", "ro" if line.key == "BindReadOnly" else "rw"]
            self.mounts.append({"destination": where, "type": "bind", "source": source, "options": kept})

    def _tmpfs(self, line: Line) -> None:
        for item in words(plain(line.value)):
            where, *rest = fields(item)
            options = ["nosuid", "nodev", *(option for option in ":".join(rest).split(",") if option)]
            self.mounts.append({"destination": where, "type": "tmpfs", "source": "tmpfs", "options": options})

    def _shm(self, line: Line) -> None:
        self.shm = line.value.lower()

    def _sysctl(self, line: Line) -> None:
        name, _, value = plain(line.value).partition("=")
        self.linux.setdefault("sysctl", {})[name] = value

    def _annotation(self, line: Line) -> None:
        for item in words(plain(line.value)):
            name, _, value = item.partition("=")
            self.top.setdefault("annotations", {})[name] = value

    def _users(self, line: Line) -> None:
        start, _, count = line.value.partition(":")
        if line.value == "no":
            return
        if not start.isdecimal() or not count.isdecimal():
            raise NotCarried("a runtime chooses no ids", "use PrivateUsers=START:COUNT, or leave it out for the host's")
        for kind in ("uidMappings", "gidMappings"):
            self.linux[kind] = [{"containerID": 0, "hostID": int(start), "size": int(count)}]
        self.namespaces["user"] = ""

    def _map(self, line: Line) -> None:
        numbers = line.value.split()
        if len(numbers) != 3 or not all(item.isdecimal() for item in numbers):
            raise NotCarried("ids are numbers there", "write INSIDE OUTSIDE COUNT")
        inside, outside, count = (int(item) for item in numbers)
        found = {"containerID": inside, "hostID": outside, "size": count}
        kinds = ["uidMappings"] if line.key == "UIDMap" else ["gidMappings"]
        if line.key == "UIDMap" and not self.source.has("Container", "GIDMap"):
            kinds.append("gidMappings")
        for kind in kinds:
            self.linux.setdefault(kind, []).append(found)
        self.namespaces["user"] = ""

    def _namespace(self, line: Line) -> None:
        kind = _KINDS[line.key]
        if line.value == "host":
            self.namespaces[kind] = "host"
        elif line.value.startswith("path:"):
            self.namespaces[kind] = plain(line.value.removeprefix("path:"))
        elif line.value == "private":
            self.namespaces[kind] = ""
        else:
            raise NotCarried("a bundle knows no other containers", "use path: with a namespace of it")

    def _network(self, line: Line) -> None:
        if line.value == "none":
            return
        if line.value == "host" or line.value.startswith("path:"):
            self._namespace(line)
        else:
            raise NotCarried("a runtime connects nothing", "use what connects its network namespace")

    def _quota(self, line: Line) -> None:
        share = line.value.removesuffix("%")
        if not share.replace(".", "", 1).isdecimal():
            raise NotCarried(f"'{line.value}' is no share of a CPU", "e.g. 50%")
        self._limit("cpu", quota=round(float(share) * _PERIOD / 100), period=_PERIOD)

    def _memory(self, line: Line) -> None:
        if line.value == "infinity":
            return
        limit = in_bytes(line.value)
        self._limit("memory", limit=limit)
        self._limit("memory", swap=self.resources["memory"].get("swap", -1))

    def _swap(self, line: Line) -> None:
        memory = self.source.last("Slice", "MemoryMax")
        if not memory or memory == "infinity":
            self._limit("unified", **{"memory.swap.max": bytes_or_max(line.value)})
        elif line.value != "infinity":
            self._limit("memory", swap=in_bytes(memory) + in_bytes(line.value))

    def _tasks(self, line: Line) -> None:
        self._limit("pids", limit=-1 if line.value == "infinity" else number(line.value))
