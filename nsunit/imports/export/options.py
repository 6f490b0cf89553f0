"""A definition as options of 'podman run': each with the reason where there is none."""

from __future__ import annotations

import json

from nsunit.imports.export.source import plain, words
from nsunit.imports.model import NotCarried
from nsunit.imports.text import in_bytes
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nsunit.imports.export.source import Source
    from nsunit.imports.model import Line

_SECONDS = {"ms": "ms", "s": "s", "sec": "s", "m": "m", "min": "m", "h": "h", "us": "us", "": "s"}
_PLAIN = {
    "AddHost": "add-host",
    "Address": "ip",
    "DNS": "dns",
    "DNSOption": "dns-option",
    "DNSSearch": "dns-search",
    "Device": "device",
    "ExposedPort": "expose",
    "Group": "group",
    "HealthOnFailure": "health-on-failure",
    "HealthRetries": "health-retries",
    "Hostname": "hostname",
    "Image": "image",
    "ImageVolumes": "image-volume",
    "MACAddress": "mac-address",
    "NetworkAlias": "network-alias",
    "Pod": "pod",
    "Pull": "pull",
    "Rootfs": "rootfs",
    "ShmSize": "shm-size",
    "StopSignal": "stop-signal",
    "Sysctl": "sysctl",
    "Tmpfs": "tmpfs",
    "User": "user",
    "WorkingDirectory": "workdir",
}
_LISTS = frozenset("AddHost DNS DNSOption DNSSearch Device ExposedPort NetworkAlias Tmpfs".split())
_WORDS = {"SupplementaryGroups": "group-add", "X-Annotation": "annotation", "X-Label": "label", "Environment": "env"}
_TIMES = {
    "HealthInterval": "health-interval",
    "HealthStartInterval": "health-startup-interval",
    "HealthStartPeriod": "health-start-period",
    "HealthTimeout": "health-timeout",
}
_NAMESPACES = {"CgroupNamespace": "cgroupns", "IPCNamespace": "ipc", "PIDNamespace": "pid", "UTSNamespace": "uts"}
_NAMESPACES["UserNamespace"] = "userns"
_FILES = {
    "MemoryHigh": "memory.high",
    "MemoryMin": "memory.min",
    "MemorySwapMax": "memory.swap.max",
    "MemoryZSwapMax": "memory.zswap.max",
}
_LOST = {
    "Activation": ("podman does not listen for it", "write a .socket unit"),
    "AutoUpdate": ("it is a label there", "use AutoUpdate= of Quadlet, or --label io.containers.autoupdate="),
    "Layer": ("several layers are an image there", "use 'nsunit image', and Image="),
    "Link": ("containers of a network find each other by name", "use [Unit] Requires= and After="),
    "Slice": ("groups of nsunit are slices of its own", "use --cgroup-parent, or a pod"),
}


class Found(Record):
    """An option of that *name*, and the *line* it comes from; None for what is nsunit's default."""

    name: str
    value: str
    line: Line | None


class Options:
    """The options that a definition becomes, in its order, the *command* behind them, and lines for services.

    *keep_service*: [Unit], [Service] and [Install] stay as they are, but for what is about the program.  *tool* is who
    reads them.
    """

    def __init__(self, source: Source, *, keep_service: bool = False, tool: str = "podman") -> None:
        self.source = source
        self.keep_service = keep_service
        self.tool = tool
        self.found: list[Found] = []
        self.command: list[str] = []
        self.of_services: list[Line] = []
        source.each(self._handlers(), self._other)
        self._defaults()

    def add(self, option: str, value: str) -> None:
        """Add an option."""
        self.found.append(Found(option, value, self.source.line))

    def each_plain(self) -> Iterator[Found]:
        """The options, without percent signs that stand for something else; those that have them are told."""
        for item in self.found:
            try:
                yield item.replace(value=plain(item.value))
            except NotCarried as lost:
                self.source.remark(item.line or self.source.lines[0], lost.reason, lost.instead)

    def plain_command(self) -> list[str]:
        """The command, in the same way."""
        try:
            return [plain(item) for item in self.command]
        except NotCarried as lost:
            line = next(line for line in self.source.lines if line.key == "Exec")
            self.source.remark(line, lost.reason, lost.instead)
            return []

    def _handlers(self) -> dict[tuple[str, str], Callable[[Line], None]]:
        found: dict[str, Callable[[Line], None]] = {
            **dict.fromkeys(_PLAIN, self._plain),
            **dict.fromkeys(_WORDS, self._words),
            **dict.fromkeys(_TIMES, self._time),
            **dict.fromkeys(_NAMESPACES, self._namespace),
            "Bind": self._bind,
            "BindReadOnly": self._bind,
            "Boot": lambda line: self.add("systemd", "always"),
            "Capability": self._capability,
            "Entrypoint": lambda line: self.add("entrypoint", json.dumps(words(line.value))),
            "EnvironmentFile": self._environment_file,
            "Exec": lambda line: self.command.extend(words(line.value)),
            "GIDMap": lambda line: self.add("gidmap", ":".join(line.value.split())),
            "Health": self._health,
            "Init": lambda line: self._flag(line, "init"),
            "Layer": self._layer,
            "Network": self._network,
            "NoNewPrivileges": lambda line: None,
            "Notify": self._notify,
            "PrivateUsers": self._users,
            "PublishPort": self._publish,
            "ReadOnly": lambda line: self._flag(line, "read-only"),
            "Secret": self._secret,
            "UIDMap": lambda line: self.add("uidmap", ":".join(line.value.split())),
            "Volatile": lambda line: self._flag(line, "rm"),
            "Volume": self._volume,
        }
        handlers = {("Container", key): handler for key, handler in found.items()}
        limits: dict[str, Callable[[Line], None]] = {
            **dict.fromkeys(
                _FILES, lambda line: self.add("cgroup-conf", f"{_FILES[line.key]}={bytes_or_max(line.value)}")
            ),
            "AllowedCPUs": lambda line: self.add("cpuset-cpus", line.value),
            "AllowedMemoryNodes": lambda line: self.add("cpuset-mems", line.value),
            "CPUQuota": self._quota,
            "CPUWeight": lambda line: self.add("cpu-shares", str(round(number(line.value) * 1024 / 100))),
            "IOWeight": lambda line: self.add("blkio-weight", str(10 + (number(line.value) - 1) * 990 // 9999)),
            "MemoryLow": lambda line: self.add("memory-reservation", str(in_bytes(line.value))),
            "MemoryMax": self._memory,
            "MemorySwapMax": self._swap,
            "TasksMax": lambda line: self.add("pids-limit", "-1" if line.value == "infinity" else line.value),
        }
        return handlers | {("Slice", key): handler for key, handler in limits.items()}

    def _other(self, line: Line) -> None:
        if line.section == "Service" and line.key.startswith("Limit"):
            values = [("-1" if value == "infinity" else value) for value in line.value.split(":")]
            self.add("ulimit", f"{line.key.removeprefix('Limit').lower()}={':'.join(values)}")
        elif (line.section, line.key) == ("Service", "OOMScoreAdjust"):
            self.add("oom-score-adj", line.value)
        elif (line.section, line.key) == ("Service", "UMask"):
            self.add("umask", line.value)
        elif (line.section, line.key) == ("Service", "TimeoutStopSec"):
            self.add("stop-timeout", _seconds(line.value).removesuffix("s"))
        elif line.section in ("Unit", "Service", "Install") and self.keep_service:
            self.of_services.append(line)
        elif (line.section, line.key) == ("Service", "Restart") and line.value in ("no", "always", "on-failure"):
            self.add("restart", line.value)
        elif line.section in ("Unit", "Service", "Install"):
            raise NotCarried("only a unit of systemd's has it", "use --as quadlet")
        elif not line.key.startswith("X-"):
            raise NotCarried(*_LOST.get(line.key, (f"{self.tool} has nothing like it", "leave it out")))

    def _plain(self, line: Line) -> None:
        for value in words(line.value) if line.key in _LISTS else (line.value,):
            option = _PLAIN[line.key]
            self.add("ip6" if option == "ip" and ":" in value else option, value)

    def _words(self, line: Line) -> None:
        for item in words(line.value):
            self.add(_WORDS[line.key], item)

    def _time(self, line: Line) -> None:
        self.add(_TIMES[line.key], _seconds(line.value))

    def _flag(self, line: Line, option: str) -> None:
        if self.source.is_true(line.key):
            self.add(option, "true")

    def _namespace(self, line: Line) -> None:
        value = line.value
        if value.startswith("path:"):
            value = f"ns:{value.removeprefix('path:')}"
        self.add(_NAMESPACES[line.key], value)

    def _bind(self, line: Line) -> None:
        for source, where, options in self.source.binds(line, line.value):
            if any(option.startswith("idmap=") for option in options):
                self.source.remark(line, "ids are mapped there one by one", "use idmap")
            kept = ["bind" if option == "norbind" else option for option in options if not option.startswith("idmap")]
            kept += ["ro"] if line.key == "BindReadOnly" else []
            if ":" in source + where:  # which only --mount can say
                said = ["type=bind", f"source={source}", f"target={where}", *kept]
                self.add("mount", ",".join(_field(item) for item in said))
            else:
                self.add("volume", ":".join([source, where, *([",".join(kept)] if kept else [])]))

    def _capability(self, line: Line) -> None:
        for item in line.value.split():
            self.add("cap-drop" if item[0] == "-" else "cap-add", item.lstrip("+-").lower())

    def _environment_file(self, line: Line) -> None:
        if line.value.startswith("-"):
            self.source.remark(line, "a file that is not there is an error", "make it before the start")
        self.add("env-file", line.value.removeprefix("-"))

    def _health(self, line: Line) -> None:
        if line.value == "no":
            self.add("health-cmd", "none")
        else:
            self.add("health-cmd", json.dumps(["CMD", *words(line.value)]))

    def _layer(self, line: Line) -> None:
        if len([item for item in self.source.lines if item.key == "Layer"]) > 1:
            raise NotCarried(*_LOST["Layer"])
        self.add("rootfs", f"{line.value}:O")

    def _network(self, line: Line) -> None:
        name, _, options = line.value.partition(":")
        if name == "path":
            self.add("network", f"ns:{options}")
        elif name in ("macvlan", "ipvlan", "veth", "phys", "vlan"):
            raise NotCarried(
                "podman has links as networks", f"podman network create -d {name} -o parent={options.split(':')[0]}"
            )
        elif name == "container":
            self.add("network", line.value)
        else:
            found = options.replace("address=", "ip=")
            self.add("network", f"{name}:{found}" if found else name)

    def _notify(self, line: Line) -> None:
        if line.value == "healthy" or self.source.is_true("Notify"):
            self.add("sdnotify", "healthy" if line.value == "healthy" else "container")

    def _users(self, line: Line) -> None:
        if line.value == "no":
            self.add("userns", "host")
        elif line.value == "auto":
            self.add("userns", "auto")
        elif ":" in line.value:
            start, _, count = line.value.partition(":")
            self.add("uidmap", f"0:{start}:{count}")
            self.add("gidmap", f"0:{start}:{count}")
        else:
            raise NotCarried("podman has no such ids", "use --uidmap and --gidmap")

    def _publish(self, line: Line) -> None:
        for item in words(line.value):
            self.add("publish-all" if item == "all" else "publish", "true" if item == "all" else item)

    def _secret(self, line: Line) -> None:
        name, *options = line.value.split(":")
        kept = []
        for option in options:
            key, _, value = option.partition("=")
            kept.append(f"type=env,target={value}" if key == "env" else option)
        self.add("secret", ",".join([name, *kept]))

    def _volume(self, line: Line) -> None:
        for item in words(line.value):
            self.add("volume", item)

    def _memory(self, line: Line) -> None:
        if line.value == "infinity":
            return
        self.add("memory", str(in_bytes(line.value)))
        if not self.source.has("Slice", "MemorySwapMax"):
            self.add("memory-swap", "-1")  # nsunit's default, podman's is as much again

    def _swap(self, line: Line) -> None:
        memory = self.source.last("Slice", "MemoryMax")
        if not memory:
            self.add("cgroup-conf", f"memory.swap.max={bytes_or_max(line.value)}")
        elif line.value == "infinity":
            self.add("memory-swap", "-1")
        else:
            self.add("memory-swap", str(in_bytes(memory) + in_bytes(line.value)))

    def _quota(self, line: Line) -> None:
        self.add("cpus", f"{float(line.value.removesuffix('%')) / 100:g}")

    def _defaults(self) -> None:
        """What is nsunit's default, and none of podman's."""
        names = {item.name for item in self.found}
        if not {"network", "publish", "publish-all", "pod"} & names:
            self.add("network", "none")
        said = self.source.last("Container", "NoNewPrivileges")
        is_off = said.lower() in ("no", "false", "0", "off") or (not said and self.source.is_true("Boot"))
        self.add("security-opt", "no-new-privileges" + ("=false" if is_off else ""))
        if "pids-limit" not in names and not self.source.is_true("Boot"):
            self.add("pids-limit", "1024")


def _field(text: str) -> str:
    """One of values with commas between them."""
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def bytes_or_max(text: str) -> str:
    """A size as the kernel's files have it: a number of bytes, or `max`.

    Raises:
        NotCarried: it is none.
    """
    return "max" if text == "infinity" else str(in_bytes(text))


def number(text: str) -> int:
    """*text* as a number.

    Raises:
        NotCarried: it is none.
    """
    if not text.isdecimal():
        raise NotCarried(f"'{text}' is no number there", "leave it out")
    return int(text)


def _seconds(text: str) -> str:
    """A time of systemd's as Go writes it: `1min 30s` is 1m30s."""
    found = []
    for part in text.split():
        digits = part.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = part[len(digits) :]
        if unit not in _SECONDS or not digits.replace(".", "").isdecimal():
            raise NotCarried(f"'{text}' is no time there", "write seconds")
        found.append(digits + _SECONDS[unit])
    return "".join(found)
