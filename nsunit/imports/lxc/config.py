"""The syntax of lxc.container.conf(5): assignments, includes, and names of before LXC 2.1."""

from __future__ import annotations

from nsunit.imports.model import Origin, Remark, Unusable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given

_DEPTH_MAX = 20
# As lxc-update-config(1) maps them; with another key they have no longer.
_OLD = {
    "lxc.aa_allow_incomplete": "lxc.apparmor.allow_incomplete",
    "lxc.aa_profile": "lxc.apparmor.profile",
    "lxc.console": "lxc.console.path",
    "lxc.devttydir": "lxc.tty.dir",
    "lxc.haltsignal": "lxc.signal.halt",
    "lxc.id_map": "lxc.idmap",
    "lxc.init_cmd": "lxc.init.cmd",
    "lxc.init_gid": "lxc.init.gid",
    "lxc.init_uid": "lxc.init.uid",
    "lxc.logfile": "lxc.log.file",
    "lxc.loglevel": "lxc.log.level",
    "lxc.mount": "lxc.mount.fstab",
    "lxc.pts": "lxc.pty.max",
    "lxc.rebootsignal": "lxc.signal.reboot",
    "lxc.rootfs": "lxc.rootfs.path",
    "lxc.se_context": "lxc.selinux.context",
    "lxc.seccomp": "lxc.seccomp.profile",
    "lxc.stopsignal": "lxc.signal.stop",
    "lxc.syslog": "lxc.log.syslog",
    "lxc.tty": "lxc.tty.max",
    "lxc.utsname": "lxc.uts.name",
}
# Those that can be said several times; what is below `lxc.hook.` and the devices of control groups can, too.
_MANY = frozenset(
    "lxc.cap.drop lxc.cap.keep lxc.environment lxc.environment.hooks lxc.environment.runtime lxc.group lxc.idmap"
    " lxc.mount.auto lxc.mount.entry lxc.apparmor.raw".split()
)
_MANY_ENDS: tuple[str, ...] = (".ipv4.address", ".ipv6.address", ".ipv4.route", ".ipv6.route", ".vlan.tagged.id")
_MANY_ENDS += tuple(f".devices.{rule}" for rule in ("allow", "deny")) + ("_device",)


class Said(Record):
    """One assignment, with the name that its key has today."""

    origin: Origin
    key: str
    value: str


class Config:
    """What a file says, with its includes: assignments in their order, those that others override left out."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.remarks: list[Remark] = []
        self.includes: list[str] = []
        self.nets = -1  # number of the last lxc.network.type

    def last(self, key: str) -> str:
        """What is said last of *key*; empty where that is nothing."""
        return next((item.value for item in reversed(self.said) if item.key == key), "")

    def item(self, key: str) -> Said | None:
        """The assignment that counts of *key*."""
        return next((item for item in reversed(self.said) if item.key == key), None)

    def values(self, key: str) -> list[str]:
        """What is said of *key*."""
        return [item.value for item in self.said if item.key == key]

    def add(self, item: Said) -> None:
        """Take an assignment; an empty one takes back what was said of its key, and of those below."""
        if not item.value:
            self.said = [old for old in self.said if old.key != item.key and not old.key.startswith(f"{item.key}.")]
            return
        is_many = item.key in _MANY or item.key.startswith("lxc.hook.") or item.key.endswith(_MANY_ENDS)
        if not is_many:
            self.said = [old for old in self.said if old.key != item.key]
        self.said.append(item)


def read(path: str, text: str, given: Given) -> Config:
    """The configuration *text*, of the file *path*."""
    config = Config()
    _read(config, path, text, given, ())
    return config


def _read(config: Config, path: str, text: str, given: Given, within: tuple[str, ...]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, value = (part.strip() for part in stripped.partition("="))
        origin = Origin(path, number, key)
        if not equals:
            if stripped.startswith(("arch:", "rootfs:", "ostype:", "unprivileged:")):
                hint = "what Proxmox VE makes of it at each start is /var/lib/lxc/ID/config"
                raise Unusable(
                    origin.replace(key=key.partition(":")[0]), "it is a file of Proxmox VE, not of LXC", hint
                )
            config.remarks.append(Remark(origin, "it is no assignment", "write KEY = VALUE"))
            continue
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if key == "lxc.include":
            _include(config, origin, value, given, (*within, path))
            continue
        for today in _todays(config, key):
            config.add(Said(origin, today, value))


def _include(config: Config, origin: Origin, path: str, given: Given, within: tuple[str, ...]) -> None:
    """A file, or all *.conf in a directory."""
    config.includes.append(path)
    names = given.entries(path)
    paths = [path] if names is None else [f"{path.rstrip('/')}/{name}" for name in names if name.endswith(".conf")]
    for item in paths:
        if item in within or len(within) > _DEPTH_MAX:
            config.remarks.append(Remark(origin, f"'{item}' includes itself", "leave it out"))
            continue
        text = given.read(item)
        if text is None:
            config.remarks.append(Remark(origin, f"'{item}' is not there", "put in what it says"))
        else:
            _read(config, item, text, given, within)


def _todays(config: Config, key: str) -> list[str]:
    """The name that *key* has today."""
    if key.startswith("lxc.limit."):
        return [f"lxc.prlimit.{key.removeprefix('lxc.limit.')}"]
    if key == "lxc.network":
        return ["lxc.net"]
    if key.startswith("lxc.network."):
        rest = key.removeprefix("lxc.network.")
        number, _, more = rest.partition(".")
        if number.isdecimal():
            rest = more
        else:
            config.nets += rest == "type"
            number = str(max(config.nets, 0))
        if rest in ("ipv4", "ipv6"):
            rest += ".address"
        return [f"lxc.net.{number}.{rest}"]
    return [_OLD.get(key, key)]
