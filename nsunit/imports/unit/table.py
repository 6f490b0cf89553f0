"""Keys of [Unit], [Service] and [Install] that are said otherwise in a definition; all others go in verbatim."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.podman import mounts
from nsunit.imports.services import take
from nsunit.imports.text import path as part
from nsunit.imports.text import truth
from nsunit.imports.unit import root, start
from nsunit.imports.unitfiles import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target
    from nsunit.imports.unitfiles import Said, UnitFile

    Handler = Callable[[Target, UnitFile, Said], None]

# What they forbid, or make its own, a container has no access to, or has as its own, anyway.
_ANYWAY = frozenset(
    "LockPersonality MountAPIVFS NoNewPrivileges NotifyAccess PrivateDevices PrivateIPC PrivateMounts PrivatePIDs"
    " PrivateUsers PrivateUsersEx ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs"
    " ProtectKernelModules ProtectKernelTunables RemoveIPC".split()
)
_STATE = {
    "CacheDirectory": "/var/cache",
    "ConfigurationDirectory": "/etc",
    "LogsDirectory": "/var/log",
    "StateDirectory": "/var/lib",
}
_MODES = frozenset(f"{key}Mode" for key in (*_STATE, "RuntimeDirectory"))


def _lost(reason: str, instead: str) -> Handler:
    def refuse(_target: Target, _unit: UnitFile, _item: Said) -> None:
        raise NotCarried(reason, instead)

    return refuse


def _same(key: str) -> Handler:
    return lambda target, _unit, item: target.say(key, item.value)


def _nothing(_target: Target, _unit: UnitFile, _item: Said) -> None:
    """It is said with another key, or is so anyway."""


def _capabilities(target: Target, _unit: UnitFile, item: Said) -> None:
    inverted = item.value.startswith("~")
    names = [name.upper().removeprefix("CAP_") for name in item.value.lstrip("~").split()]
    if inverted:
        target.say("Capability", " ".join(f"-{name}" for name in names))
    else:
        target.say("Capability", " ".join(["-ALL", *(f"+{name}" for name in names)]))


def _ambient(target: Target, unit: UnitFile, item: Said) -> None:
    if unit.last("Service", "User") not in ("", "root", "0"):
        raise NotCarried(
            "a program of another user than root has no capabilities", "run it as root, with Capability=-ALL and those"
        )
    target.say("Capability", " ".join(f"+{name.upper().removeprefix('CAP_')}" for name in item.value.split()))


def _bind(read_only: bool) -> Handler:
    def bind(target: Target, _unit: UnitFile, item: Said) -> None:
        for word in words(item):
            source, *rest = mounts.fields(word.removeprefix("-"))
            options = [option for option in (rest[1] if len(rest) > 1 else "").split(",") if option]
            mounts.bind(
                target,
                source,
                (rest[0] if rest else "") or source,
                [*options, *(["ro"] if read_only else [])],
                optional=word.startswith("-"),
            )

    return bind


def _tmpfs(target: Target, _unit: UnitFile, item: Said) -> None:
    for word in words(item):
        mounts.tmpfs(target, word)


def _dynamic_user(_target: Target, _unit: UnitFile, item: Said) -> None:
    if truth(item.value):
        raise NotCarried("no user is made for it", "leave it out: its ids are its own; User= takes a number")


def _private_tmp(target: Target, _unit: UnitFile, item: Said) -> None:
    if item.value == "disconnected" or truth(item.value):
        target.say("Tmpfs", "/tmp")
        target.say("Tmpfs", "/var/tmp")


def _state(target: Target, unit: UnitFile, item: Said) -> None:
    """Directories that systemd makes on the host: they are bound, once they are there."""
    base = _STATE[item.key]
    dynamic = unit.last("Service", "DynamicUser")
    private = "/private" if dynamic and truth(dynamic) and item.key != "ConfigurationDirectory" else ""
    for word in words(item):
        name, _, _ = word.partition(":")
        mounts.bind(target, f"{base}{private}/{name}", f"{base}/{name}", [])
    target.remark("the directory has to be there before a start", f"mkdir -p {base}{private}/{item.value.split()[0]}")


def _runtime(target: Target, unit: UnitFile, item: Said) -> None:
    mode = unit.last("Service", "RuntimeDirectoryMode") or "0755"
    owner = "".join(
        f",{name}={unit.last('Service', key)}"
        for name, key in (("uid", "User"), ("gid", "Group"))
        if unit.last("Service", key).isdecimal()
    )
    for word in words(item):
        target.say("Tmpfs", f"{part('/run/' + word.partition(':')[0])}:mode={mode}{owner}")


def _network(target: Target, _unit: UnitFile, item: Said) -> None:
    if not truth(item.value):
        target.say("Network", "host")


def _network_path(target: Target, _unit: UnitFile, item: Said) -> None:
    target.say("Network", f"path:{item.value}")


def _protect_system(target: Target, _unit: UnitFile, item: Said) -> None:
    if item.value == "strict":
        target.say("ReadOnly", "yes")
    elif item.value == "full" or truth(item.value):
        raise NotCarried("a part of the root cannot be read-only", "use ReadOnly=yes, and Volume= for what is written")


def _may_write(_target: Target, unit: UnitFile, _item: Said) -> None:
    if unit.last("Service", "ProtectSystem") == "strict":
        raise NotCarried("with ReadOnly=yes the whole root is", "use Volume=PATH or Bind= for what is written")


def _anyway(target: Target, _unit: UnitFile, item: Said) -> None:
    """What a container is anyway, unless the service is not to be so."""
    if item.key == "NotifyAccess" or item.value.lower() not in ("no", "false", "0", "off", "n", "f"):
        return
    if item.key == "NoNewPrivileges":
        target.say("NoNewPrivileges", "no")


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_ANYWAY, _anyway),
    **dict.fromkeys((*root.KEYS, "ExecStart"), _nothing),  # said first
    **dict.fromkeys(_MODES, _nothing),  # with the directory
    **dict.fromkeys(_STATE, _state),
    **dict.fromkeys(("ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecCondition"), start.beside),
    **dict.fromkeys(
        ("InaccessiblePaths", "NoExecPaths", "ExecPaths", "ReadOnlyPaths"),
        _lost(
            "a part of the root cannot be guarded as such", "use BindReadOnly=/dev/null:PATH, Tmpfs=PATH or ReadOnly="
        ),
    ),
    **dict.fromkeys(
        ("RootHash", "RootHashSignature", "RootImageOptions", "RootImagePolicy", "RootVerity", "MountImagePolicy"),
        _lost("it is about a disk image", "'nsunit image import raw:FILE' reads it"),
    ),
    **dict.fromkeys(
        ("MountImages", "ExtensionImages", "ExtensionDirectories", "ExtensionImagePolicy"),
        _lost("images are not laid over a root when it starts", "use Layer= for each, the topmost first"),
    ),
    "AmbientCapabilities": _ambient,
    "BindPaths": _bind(read_only=False),
    "BindReadOnlyPaths": _bind(read_only=True),
    "BindLogSockets": _lost("the host's journal is not reached by a socket", "use Bind=/run/systemd/journal/dev-log"),
    "CapabilityBoundingSet": _capabilities,
    "DynamicUser": _dynamic_user,
    "Environment": _same("Environment"),
    "EnvironmentFile": _same("EnvironmentFile"),
    "ExecReload": start.reload,
    "Group": _same("Group"),
    "GuessMainPID": _nothing,
    "KillSignal": _same("StopSignal"),
    "NetworkNamespacePath": _network_path,
    "PIDFile": _lost("the program is the container's own process", "have it stay in the foreground"),
    "PassEnvironment": _lost("nothing of the host's environment comes in", "use Environment="),
    "PrivateNetwork": _network,
    "PrivateTmp": _private_tmp,
    "ProtectSystem": _protect_system,
    "ReadWritePaths": _may_write,
    "RemainAfterExit": start.stays,
    "RuntimeDirectory": _runtime,
    "RuntimeDirectoryPreserve": _lost("it is in memory, and empty at each start", "use Volume="),
    "Slice": _lost("slices of nsunit are below nsunit.slice", "use Slice=GROUP and GROUP.slice.nsunit"),
    "SupplementaryGroups": _same("SupplementaryGroups"),
    "TemporaryFileSystem": _tmpfs,
    "Type": start.kind,
    "UnsetEnvironment": _lost("the environment is made from scratch", "leave it out"),
    "User": _same("User"),
    "WorkingDirectory": _same("WorkingDirectory"),
}


def key(target: Target, unit: UnitFile, item: Said) -> None:
    """Take one key of *unit*.

    Raises:
        NotCarried: a definition has nothing for it.
    """
    handler = HANDLERS.get(item.key) if item.section == "Service" else None
    if handler is not None:
        handler(target, unit, item)
    else:
        take(target, item.section, item.key, item.value)


def prepare(target: Target, unit: UnitFile) -> None:
    """What is so in a service that says nothing of it: its network is the host's."""
    if not any(unit.last("Service", name) for name in ("PrivateNetwork", "NetworkNamespacePath")):
        target.say("Network", "host")
