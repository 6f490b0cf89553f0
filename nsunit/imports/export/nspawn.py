"""A definition as NAME.nspawn, with a drop-in of systemd-nspawn@NAME.service for limits."""

from __future__ import annotations

from nsunit.definition.setting import keys_of
from nsunit.imports.export.source import paths, plain, words
from nsunit.imports.model import NotCarried
from nsunit.imports.text import path as part
from nsunit.imports.text import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.export.source import Source
    from nsunit.imports.model import Line

MACHINES = "/var/lib/machines"
_SAME = {
    "Hostname": ("Exec", "Hostname"),
    "NoNewPrivileges": ("Exec", "NoNewPrivileges"),
    "StopSignal": ("Exec", "KillSignal"),
    "User": ("Exec", "User"),
    "WorkingDirectory": ("Exec", "WorkingDirectory"),
    "Volatile": ("Exec", "Ephemeral"),
    "ReadOnly": ("Files", "ReadOnly"),
}
_LINKS = {"macvlan": "MACVLAN", "ipvlan": "IPVLAN", "phys": "Interface", "veth": "VirtualEthernetExtra"}
_OTHER = ("systemd-nspawn has nothing like it", "leave it out")
_LOST = {
    "AddHost": ("/etc/hosts is the tree's", "write it there"),
    "DNS": ("/etc/resolv.conf is the host's, or the tree's", "write it there, with ResolvConf=off"),
    "Group": ("a program has its user's group", "set it in /etc/passwd of the tree"),
    "Image": ("a machine has a tree", "nsunit mount NAME, or 'nsunit image export' to a directory"),
    "Volume": ("there are no volumes", "use Bind= for their directories, see 'nsunit volume inspect'"),
}


def files(source: Source) -> list[tuple[str, str]]:
    """The files of the machine, by their names."""
    return _Machine(source).files()


class _Machine:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.sections: dict[str, list[str]] = {"Exec": [], "Files": [], "Network": []}
        self.unit: dict[str, list[str]] = {"Unit": [], "Service": [], "Install": []}
        self.root = ""
        self.is_boot = source.is_true("Boot")
        self.say("Exec", "Boot", "yes" if self.is_boot else "no")
        if source.is_true("Init"):
            self.say("Exec", "ProcessTwo", "yes")
        source.each(self._handlers(), self._other)
        self._defaults()

    def say(self, section: str, key: str, value: str) -> None:
        """Add a line of the .nspawn file."""
        self.sections[section].append(f"{key}={value}")

    def files(self) -> list[tuple[str, str]]:
        """Both files, the second one where there is something to be said in it."""
        name = self.source.name
        found = [(f"{name}.nspawn", _text(self.sections))]
        if self.root and self.root != f"{MACHINES}/{name}":
            command = "--quiet --keep-unit --boot --link-journal=try-guest --network-veth -U --settings=override"
            start = f"ExecStart=systemd-nspawn {command} --machine=%i --directory={word(self.root).replace('$', '$$')}"
            self.unit["Service"][:0] = ["ExecStart=", start]
        if any(self.unit.values()):
            found.append((f"systemd-nspawn@{name}.service.d/50-nsunit.conf", _text(self.unit)))
        return found

    def _handlers(self) -> dict[tuple[str, str], Callable[[Line], None]]:
        found: dict[str, Callable[[Line], None]] = {
            **dict.fromkeys(_SAME, self._same),
            **dict.fromkeys(("Boot", "Init", "Register"), lambda line: None),
            "Bind": self._bind,
            "BindReadOnly": self._bind,
            "Capability": self._capability,
            "Environment": self._environment,
            "Exec": self._exec,
            "Layer": self._root,
            "Network": self._network,
            "Notify": self._notify,
            "Ownership": lambda line: self.say("Files", "PrivateUsersOwnership", "chown"),
            "PrivateUsers": self._users,
            "PublishPort": self._publish,
            "Rootfs": self._root,
            "Tmpfs": self._tmpfs,
        }
        return {("Container", key): handler for key, handler in found.items()}

    def _other(self, line: Line) -> None:
        if line.section == "Service" and (
            line.key.startswith("Limit") or line.key in ("OOMScoreAdjust", "CPUAffinity")
        ):
            self.say("Exec", line.key, line.value)
        elif line.section == "Slice" and line.key in keys_of("Slice"):
            self.unit["Service"].append(f"{line.key}={line.value}")
        elif line.section in self.unit:
            self.unit[line.section].append(f"{line.key}={line.value}")
        elif not line.key.startswith("X-"):
            raise NotCarried(*_LOST.get(line.key, _OTHER))

    def _same(self, line: Line) -> None:
        section, key = _SAME[line.key]
        self.say(section, key, plain(line.value))

    def _root(self, line: Line) -> None:
        if self.root:
            raise NotCarried("a machine has one tree", "use an .mstack, systemd.mstack(7)")
        self.root = plain(line.value)
        if line.key == "Layer" and not self.source.is_true("Volatile"):
            self.source.remark(line, "what is written goes into the tree itself", "use Ephemeral=yes, or a copy")

    def _exec(self, line: Line) -> None:
        found = words(plain(line.value))
        if self.is_boot and found[0].rpartition("/")[2] in ("init", "systemd"):
            found = found[1:]
        if found:
            self.say("Exec", "Parameters", " ".join(_word(item) for item in found))

    def _environment(self, line: Line) -> None:
        self.say("Exec", "Environment", " ".join(_word(item) for item in words(plain(line.value))))

    def _bind(self, line: Line) -> None:
        for source, where, options in self.source.binds(line, plain(line.value)):
            for option in [option for option in options if option not in ("idmap", "norbind")]:
                self.source.remark(line, f"'{option}' is no option of a bind there", "use idmap")
            kept = ",".join(option for option in options if option in ("idmap", "norbind"))
            value = part(source) if where == source and not kept else f"{part(source)}:{part(where)}"
            self.say("Files", line.key, f"{value}:{kept}" if kept else value)  # quotes and blanks are of the path there

    def _tmpfs(self, line: Line) -> None:
        for item in paths(plain(line.value)):
            self.say("Files", "TemporaryFileSystem", item)

    def _capability(self, line: Line) -> None:
        for item in line.value.split():
            name = item.lstrip("+-")
            if name == "ALL" and item[0] == "-":
                self.source.remark(line, "all but few cannot be taken away at once", "use DropCapability= for each")
            elif item[0] == "-":
                self.say("Exec", "DropCapability", f"CAP_{name}")
            else:
                self.say("Exec", "Capability", "all" if name == "ALL" else f"CAP_{name}")

    def _notify(self, line: Line) -> None:
        if line.value == "healthy":
            raise NotCarried(*_OTHER)
        self.say("Exec", "NotifyReady", "yes" if self.source.is_true("Notify") else "no")

    def _users(self, line: Line) -> None:
        value = {"auto": "pick"}.get(line.value, line.value)
        if value not in ("pick", "no", "identity") and ":" not in value:
            raise NotCarried("systemd-nspawn has no such ids", "use PrivateUsers=START:COUNT")
        self.say("Exec", "PrivateUsers", value)

    def _network(self, line: Line) -> None:
        kind, _, rest = line.value.partition(":")
        device, _, options = rest.partition(":")
        if kind in _LINKS:
            self.say("Network", _LINKS[kind], device)
        elif kind == "path":
            self.say("Network", "NamespacePath", rest)
        elif kind == "host":
            self.say("Network", "Private", "no")
            self.say("Network", "VirtualEthernet", "no")
        elif kind == "none":
            self.say("Network", "Private", "yes")
            self.say("Network", "VirtualEthernet", "no")
        elif kind == "bridge":
            self.say("Network", "VirtualEthernet", "yes")
            options = rest
        elif kind in ("container", "pasta", "vlan"):
            raise NotCarried(*_OTHER)
        else:
            self.say("Network", "Zone", kind)
            options = rest
        if options:
            self.source.remark(line, f"'{options}' is said inside", "use systemd-networkd, or DHCP, there")

    def _publish(self, line: Line) -> None:
        for item in words(line.value):
            ports, _, protocol = item.partition("/")
            host, colon, inside = ports.rpartition(":")
            if not colon or not host.isdecimal() or not inside.isdecimal():
                raise NotCarried(f"'{item}' is no pair of ports", "use Port=HOST:CONTAINER")
            self.say("Network", "Port", f"{protocol or 'tcp'}:{host}:{inside}")

    def _defaults(self) -> None:
        """What is nsunit's default, and is said there."""
        source = self.source
        if not self.is_boot and not source.has("Container", "NoNewPrivileges"):
            self.say("Exec", "NoNewPrivileges", "yes")
        if not self.sections["Network"] or all(line.startswith("Port=") for line in self.sections["Network"]):
            has_ports = bool(self.sections["Network"])
            self.say("Network", "Private", "yes")
            self.say("Network", "VirtualEthernet", "yes" if has_ports else "no")


def _word(text: str) -> str:
    """*text* as one word, where percent signs are themselves."""
    return word(text, specifiers=True)


def _text(sections: dict[str, list[str]]) -> str:
    return "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items() if lines) + "\n"
