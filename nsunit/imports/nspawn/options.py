"""Options of systemd-nspawn(1) from command lines and .nspawn files, and which of both count."""

from __future__ import annotations

from nsunit.definition.words import ValueProblem, split
from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.text import truth
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.podman.target import Target
    from nsunit.imports.unitfiles import UnitFile

FLAGS = frozenset(
    "help version boot as-pid2 quiet ephemeral read-only network-veth private-network share-system keep-unit no-pager"
    " private-users-chown cleanup pipe no-ask-password system".split()
)
OPTIONAL = frozenset(("volatile", "private-users"))  # a value only behind `=`
SHORT = {
    "h": "help",
    "D": "directory",
    "u": "user",
    "a": "as-pid2",
    "b": "boot",
    "L": "selinux-apifs-context",
    "M": "machine",
    "j": "link-journal",
    "S": "slice",
    "Z": "selinux-context",
    "q": "quiet",
    "i": "image",
    "x": "ephemeral",
    "p": "port",
    "n": "network-veth",
    "U": "private-users",
    "E": "setenv",
    "P": "pipe",
}
_VALUES = {"j": "try-guest", "U": "pick"}  # of short ones that have none of their own
# Keys of .nspawn files by the options that they stand for, and those of which each word counts.
KEYS = {
    "Exec": {
        "AmbientCapability": "ambient-capability",
        "Boot": "boot",
        "CPUAffinity": "cpu-affinity",
        "Capability": "capability",
        "DropCapability": "drop-capability",
        "Environment": "setenv",
        "Ephemeral": "ephemeral",
        "Hostname": "hostname",
        "KillSignal": "kill-signal",
        "LinkJournal": "link-journal",
        "MachineID": "uuid",
        "NoNewPrivileges": "no-new-privileges",
        "NotifyReady": "notify-ready",
        "OOMScoreAdjust": "oom-score-adjust",
        "Parameters": "parameters",
        "Personality": "personality",
        "PivotRoot": "pivot-root",
        "PrivateUsers": "private-users",
        "ProcessTwo": "as-pid2",
        "ResolvConf": "resolv-conf",
        "SuppressSync": "suppress-sync",
        "SystemCallFilter": "system-call-filter",
        "Timezone": "timezone",
        "User": "user",
        "WorkingDirectory": "chdir",
    },
    "Files": {
        "Bind": "bind",
        "BindReadOnly": "bind-ro",
        "BindUser": "bind-user",
        "Inaccessible": "inaccessible",
        "Overlay": "overlay",
        "OverlayReadOnly": "overlay-ro",
        "PrivateUsersChown": "private-users-chown",
        "PrivateUsersOwnership": "private-users-ownership",
        "ReadOnly": "read-only",
        "TemporaryFileSystem": "tmpfs",
        "Volatile": "volatile",
    },
    "Network": {
        "Bridge": "network-bridge",
        "IPVLAN": "network-ipvlan",
        "Interface": "network-interface",
        "MACVLAN": "network-macvlan",
        "NamespacePath": "network-namespace-path",
        "Port": "port",
        "Private": "private-network",
        "VirtualEthernet": "network-veth",
        "VirtualEthernetExtra": "network-veth-extra",
        "Zone": "network-zone",
    },
}
LIMITS = "CPU FSIZE DATA STACK CORE RSS NOFILE AS NPROC MEMLOCK LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME".split()
KEYS["Exec"] |= {f"Limit{name}": "rlimit" for name in LIMITS}
_PATHS = frozenset("bind bind-ro tmpfs overlay overlay-ro inaccessible".split())  # of which an assignment has one
_WORDS = _PATHS | {"setenv", "bind-user"}
_WORDS |= {f"network-{kind}" for kind in ("interface", "macvlan", "ipvlan", "veth-extra")} | {"port"}
# Options that one of both, command line and file, says alone: the first of them, systemd-nspawn(1), --settings=.
_GROUPS = (
    frozenset(("boot", "as-pid2", "parameters")),
    frozenset(("bind", "bind-ro", "tmpfs", "overlay", "overlay-ro", "inaccessible")),
    frozenset(("private-users", "private-users-ownership", "private-users-chown", "private-users-delegate")),
    frozenset("private-network network-veth network-veth-extra network-bridge network-zone".split())
    | {"network-interface", "network-macvlan", "network-ipvlan", "network-namespace-path"},
)
# These as well, but a file that overrides adds to those of the command line.
_CAPABILITIES = frozenset(("capability", "drop-capability", "ambient-capability"))
# What a file beside the image may not say.
_PRIVILEGED = frozenset(
    "capability ambient-capability uuid port bind-user system-call-filter rlimit oom-score-adjust cpu-affinity"
    " link-journal ephemeral".split()
)


class Said(Record):
    """An option by its long name."""

    origin: Origin
    option: str
    value: str

    @property
    def is_privileged(self) -> bool:
        """Whether a file that nobody has to trust may not say it."""
        return self.option in _PRIVILEGED or any(self.option in group for group in _GROUPS[1:])


def trusted(path: str) -> bool:
    """Whether all counts that a .nspawn file says: it is none beside the images."""
    return not path.startswith(tuple(f"{place}/machines/" for place in ("/var/lib", "/run", "/usr/lib", "/etc")))


def parse(words: Sequence[str], path: str, line: int = 0) -> tuple[list[Said], list[str]]:
    """Split the *words* behind `systemd-nspawn` into options, and the command with its arguments."""
    found: list[Said] = []
    rest = list(words)

    def add(called: str, option: str, value: str) -> None:
        found.append(Said(Origin(path, line, called), option, value))

    while rest and rest[0].startswith("-") and rest[0] != "-":
        text = rest.pop(0)
        if text == "--":
            break
        if text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            is_scope = name == "user" and not equals and (not rest or rest[0].startswith("-"))
            if not equals and (name in FLAGS or name in OPTIONAL or is_scope):
                value = "yes"
            elif not equals:
                value = rest.pop(0) if rest else ""
            add(f"--{name}", "scope" if is_scope else name, value)
            continue
        letters = text[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            name = SHORT.get(letter, letter)
            if name in FLAGS or letter in _VALUES:
                add(f"-{letter}", name, _VALUES.get(letter, "yes"))
                continue
            add(f"-{letter}", name, letters or (rest.pop(0) if rest else ""))
            break
    return found, rest


def of_settings(unit: UnitFile, target: Target) -> list[Said]:
    """What a .nspawn file says, as options."""
    found: list[Said] = []
    for item in [item for section in KEYS for item in unit.section(section)]:
        option = KEYS[item.section].get(item.key)
        if option is None:
            target.origin = item.origin
            target.remark("it is no key of systemd.nspawn(5)", "leave it out")
        elif option == "rlimit":
            found.append(Said(item.origin, option, f"{item.key.removeprefix('Limit')}={item.value}"))
        elif option in _WORDS - _PATHS:
            try:
                found += [Said(item.origin, option, word) for word in split(item.value, c_escapes=True, controls=True)]
            except ValueProblem as problem:
                target.origin = item.origin
                target.remark(problem.message, problem.hint or "mind the quotes, see systemd.syntax(7)")
        else:
            found.append(Said(item.origin, option, item.value))
    for item in unit.said:
        if item.section not in KEYS:
            target.origin = item.origin
            target.remark(f"systemd.nspawn(5) has no section [{item.section}]", "leave it out")
    return found


def merge(
    said: Sequence[Said], settings: Sequence[Said], words: Sequence[str], *, override: bool
) -> tuple[list[Said], list[str]]:
    """What counts of a command line, whose command is *words*, and of a file: options, and the command.

    The command line comes first, unless *override*.
    """
    first, second = (settings, said) if override else (said, settings)
    groups = _GROUPS if override else (*_GROUPS, _CAPABILITIES)
    taken = {group for group in groups if any(item.option in group for item in first)}
    names = {_name(item) for item in first if not (override and item.option in _CAPABILITIES)}
    if not override and words:
        taken.add(_GROUPS[0])
    rest = [item for item in second if _name(item) not in names and not any(item.option in group for group in taken)]
    options = [*first, *rest]
    parameters = [item for item in options if item.option == "parameters"]
    if parameters:
        words = []
        for item in parameters:
            try:
                words = [*words, *split(item.value, c_escapes=True, controls=True)]
            except ValueProblem as problem:
                raise NotCarried(f"Parameters= {problem.message}", "mind the quotes") from None
    return _last(options), list(words)


def _name(item: Said) -> str:
    """What an option of the one takes the place of in the other: of limits, each resource is on its own."""
    if item.option != "rlimit":
        return item.option
    return f"rlimit {item.value.partition('=')[0].upper().removeprefix('RLIMIT_').removeprefix('LIMIT')}"


def _last(options: list[Said]) -> list[Said]:
    """*options* but for those that a later one overrides."""
    many = _WORDS | _CAPABILITIES | {"rlimit", "property", "set-credential", "load-credential", "system-call-filter"}
    many |= {"restrict-address-families"}
    place = {item.option: number for number, item in enumerate(options)}
    return [item for number, item in enumerate(options) if item.option in many or place[item.option] == number]


def is_true(options: Sequence[Said], name: str) -> bool:
    """Whether a boolean option is said and true."""
    value = next((item.value for item in reversed(options) if item.option == name), "no")
    try:
        return truth(value)
    except NotCarried:
        return False


def value_of(options: Sequence[Said], name: str) -> str:
    """The value of an option; empty where there is none."""
    return next((item.value for item in reversed(options) if item.option == name), "")
