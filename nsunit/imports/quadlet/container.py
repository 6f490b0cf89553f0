"""[Container] of Quadlet: most of its keys stand for an option of 'podman run'."""

from __future__ import annotations

from nsunit.definition.values_container import arguments
from nsunit.definition.words import ValueProblem
from nsunit.imports.model import NotCarried
from nsunit.imports.podman import process
from nsunit.imports.podman.arguments import parse
from nsunit.imports.podman.table import finish, option
from nsunit.imports.quadlet.units import expanded, systemds
from nsunit.imports.text import command, truth
from nsunit.imports.unitfiles import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target
    from nsunit.imports.quadlet.units import Names
    from nsunit.imports.unitfiles import Said, UnitFile

# Keys of which the last counts, of which each counts as it stands, and of which each word counts; with their options.
ONE = {
    "CgroupsMode": "cgroups",
    "Entrypoint": "entrypoint",
    "EnvironmentHost": "env-host",
    "HealthCmd": "health-cmd",
    "HealthInterval": "health-interval",
    "HealthLogDestination": "health-log-destination",
    "HealthMaxLogCount": "health-max-log-count",
    "HealthMaxLogSize": "health-max-log-size",
    "HealthOnFailure": "health-on-failure",
    "HealthRetries": "health-retries",
    "HealthStartPeriod": "health-start-period",
    "HealthStartupCmd": "health-startup-cmd",
    "HealthStartupInterval": "health-startup-interval",
    "HealthStartupRetries": "health-startup-retries",
    "HealthStartupSuccess": "health-startup-success",
    "HealthStartupTimeout": "health-startup-timeout",
    "HealthTimeout": "health-timeout",
    "HostName": "hostname",
    "HttpProxy": "http-proxy",
    "IP": "ip",
    "IP6": "ip6",
    "LogDriver": "log-driver",
    "Memory": "memory",
    "PidsLimit": "pids-limit",
    "Pod": "pod",
    "Pull": "pull",
    "ReadOnly": "read-only",
    "ReadOnlyTmpfs": "read-only-tmpfs",
    "Retry": "retry",
    "RetryDelay": "retry-delay",
    "RunInit": "init",
    "ShmSize": "shm-size",
    "StopSignal": "stop-signal",
    "StopTimeout": "stop-timeout",
    "SubGIDMap": "subgidname",
    "SubUIDMap": "subuidname",
    "Timezone": "tz",
    "UserNS": "userns",
    "WorkingDir": "workdir",
}
EACH = {
    "AddHost": "add-host",
    "ContainersConfModule": "module",
    "DNS": "dns",
    "DNSOption": "dns-option",
    "DNSSearch": "dns-search",
    "ExposeHostPort": "expose",
    "GroupAdd": "group-add",
    "Network": "network",
    "NetworkAlias": "network-alias",
    "PublishPort": "publish",
    "Tmpfs": "tmpfs",
    "Ulimit": "ulimit",
    "Volume": "volume",
}
WORDS = {
    "AddCapability": "cap-add",
    "AddDevice": "device",
    "Annotation": "annotation",
    "DropCapability": "cap-drop",
    "Environment": "env",
    "EnvironmentFile": "env-file",
    "GIDMap": "gidmap",
    "Label": "label",
    "LogOpt": "log-opt",
    "Mount": "mount",
    "Secret": "secret",
    "Sysctl": "sysctl",
    "UIDMap": "uidmap",
}
_SECURITY = {
    "AppArmor": "apparmor=",
    "Mask": "mask=",
    "SeccompProfile": "seccomp=",
    "SecurityLabelDisable": "label=disable",
    "SecurityLabelFileType": "label=filetype:",
    "SecurityLabelLevel": "label=level:",
    "SecurityLabelNested": "label=nested",
    "SecurityLabelType": "label=type:",
    "Unmask": "unmask=",
}


def convert(unit: UnitFile, target: Target, services: Names) -> None:
    """Fill the target's draft with what *unit* says."""
    words: list[str] = []
    last = {item.key: item for item in unit.section("Container")}
    for said in unit.section("Container"):
        target.origin = said.origin
        if last[said.key] is not said and (said.key in ONE or said.key in _SPECIAL and said.key not in _EACH):
            continue  # overridden
        item = said if said.key == "ReloadCmd" else expanded(target, said)
        try:
            if item.key == "Exec":
                words = _split(item)
                target.hold("words", item.value)
            elif item.key in _SPECIAL:
                _SPECIAL[item.key](target, item, unit)
            else:
                take(target, item)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    finish(target, words)
    _called(unit, target)
    systemds(unit, target, services)


def take(target: Target, item: Said) -> None:
    """A key that stands for an option of 'podman run'."""
    if item.key in ONE:
        option(target, ONE[item.key], item.value)
    elif item.key in EACH:
        option(target, EACH[item.key], item.value)
    elif item.key in WORDS:
        for word in words(item):
            option(target, WORDS[item.key], word)
    elif item.key in _SECURITY:
        text = _SECURITY[item.key]
        if not text.endswith(("=", ":")) and not truth(item.value):
            return
        option(target, "security-opt", text + item.value if text.endswith(("=", ":")) else text)
    else:
        raise NotCarried("it is no key of Quadlet's, and none of nsunit's", "leave it out")


def _split(item: Said) -> list[str]:
    try:
        return list(arguments(item.value))
    except ValueProblem as problem:
        raise NotCarried(problem.message, problem.hint or "see systemd.service(5)") from None


def _image(target: Target, item: Said, _unit: UnitFile) -> None:
    known = target.names.images.get(item.value)
    if known is None and item.value.endswith((".image", ".build")):
        raise NotCarried(f"there is no file '{item.value}'", "import it too, or name the image")
    target.plain("Image", known or item.value)


def _rootfs(target: Target, item: Said, _unit: UnitFile) -> None:
    rootfs(target, item.value)


def rootfs(target: Target, text: str) -> None:
    """`PATH[:O]`: a directory, or one that nothing is written to."""
    path, _, options = text.partition(":")
    if "O" in options.split(","):
        target.plain("Layer", target.path(path))
    else:
        target.plain("Rootfs", target.path(path))


def _user(target: Target, item: Said, unit: UnitFile) -> None:
    group = unit.last("Container", "Group")
    name = item.value.partition(":")[0] if group else item.value
    option(target, "user", f"{name}:{group}" if group else name)


def _group(_target: Target, _item: Said, unit: UnitFile) -> None:
    if not unit.last("Container", "User"):
        raise NotCarried("Quadlet takes no Group= without User=", "add User=")


def _notify(target: Target, item: Said, _unit: UnitFile) -> None:
    if item.value.lower() == "healthy":
        target.say("Notify", "healthy")
    elif truth(item.value):
        target.say("Notify", "yes")


def _no_new_privileges(target: Target, item: Said, _unit: UnitFile) -> None:
    if not truth(item.value):
        target.say("NoNewPrivileges", "no")


def _auto_update(target: Target, item: Said, _unit: UnitFile) -> None:
    process.auto_update(target, item.value)


def _podman_args(target: Target, item: Said, _unit: UnitFile) -> None:
    found, operands = parse(words(item))
    for name, value in found:
        option(target, name, value)
    for word in operands:
        target.remark(f"'{word}' is no option", "leave it out")


def _global_args(_target: Target, _item: Said, _unit: UnitFile) -> None:
    raise NotCarried("they are about podman itself", "leave it out")


def _reload_command(target: Target, item: Said, _unit: UnitFile) -> None:
    name = target.draft.name
    words = ["/usr/bin/nsunit", *(["--user"] if target.user else []), "exec", name + ("%i" if name[-1] == "@" else "")]
    target.say("ExecReload", command([*words, "--", *_split(item)], specifiers=True), "Service")


def _reload_signal(target: Target, item: Said, _unit: UnitFile) -> None:
    target.say("ExecReload", f"/bin/kill -s {item.value.upper().removeprefix('SIG')} $MAINPID", "Service")


def _start_with_pod(_target: Target, item: Said, _unit: UnitFile) -> None:
    if not truth(item.value):
        raise NotCarried("'nsunit start POD.pod' starts all of a pod", "start the others by their names")


def _volatile_tmp(target: Target, item: Said, unit: UnitFile) -> None:
    if truth(item.value) and not truth(unit.last("Container", "ReadOnly") or "no"):
        target.say("Tmpfs", "/tmp:size=512M,mode=1777")


def _remap(target: Target, item: Said, unit: UnitFile) -> None:
    if item.key == "RemapUsers":
        if item.value in ("auto", "keep-id"):
            option(target, "userns", item.value)
        return
    how = unit.last("Container", "RemapUsers")
    if how == "manual" and item.key in ("RemapUid", "RemapGid"):
        for word in words(item):
            option(target, "uidmap" if item.key == "RemapUid" else "gidmap", word)
    else:
        raise NotCarried("it chooses ids", "use PrivateUsers=START:COUNT, or UIDMap= and GIDMap=")


def _nothing(_target: Target, _item: Said, _unit: UnitFile) -> None:
    """It is said elsewhere."""


_SPECIAL: dict[str, Callable[[Target, Said, UnitFile], None]] = {
    "AutoUpdate": _auto_update,
    "ContainerName": _nothing,
    "GlobalArgs": _global_args,
    "Group": _group,
    "Image": _image,
    "NoNewPrivileges": _no_new_privileges,
    "Notify": _notify,
    "PodmanArgs": _podman_args,
    "ReloadCmd": _reload_command,
    "ReloadSignal": _reload_signal,
    "RemapGid": _remap,
    "RemapUid": _remap,
    "RemapUidSize": _remap,
    "RemapUsers": _remap,
    "Rootfs": _rootfs,
    "ServiceName": _nothing,
    "StartWithPod": _start_with_pod,
    "User": _user,
    "VolatileTmp": _volatile_tmp,
}
_EACH = ("PodmanArgs", "GlobalArgs", "RemapUid", "RemapGid")


def _called(unit: UnitFile, target: Target) -> None:
    """Have others find it by its name of podman's, where they ask a network; and tell what it is called."""
    origin = next((item.origin for item in unit.section("Container") if item.key == "ContainerName"), None)
    own = unit.last("Container", "ContainerName")
    name = target.draft.name
    if "named network" in target.pending and own != name and "@" not in name and "%" not in own:
        target.origin = origin or target.pending["named network"][1]
        target.say("NetworkAlias", own or f"systemd-{unit.stem}")
    if origin and own and own != name:
        target.origin = origin
        target.remark(f"the container is '{name}', after the file", "use that with nsunit; rename the file for another")
    item = next((item for item in unit.section("Container") if item.key == "ServiceName"), None)
    if item is not None:
        target.origin = item.origin
        target.remark("a container's service has its name from that", f"its units are nsunit-{name}.service and so on")
