"""config.json by the paths of what it says: `process.args`."""

from __future__ import annotations

from nsunit.definition.container import DEFAULT_CAPABILITIES
from nsunit.imports import ids
from nsunit.imports.bundle.mounts import mounts
from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.podman import limits
from nsunit.imports.podman.table import with_ids_of_its_own
from nsunit.imports.services import HOOKS, HOOKS_REASON
from nsunit.imports.text import command, literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, Any], None]

# Objects whose members are taken one by one.
IN = frozenset(
    "root process process.user process.capabilities hooks linux linux.resources linux.resources.memory"
    " linux.resources.cpu linux.resources.blockIO linux.resources.pids linux.resources.network".split()
)
HIDDEN = frozenset(
    "/proc/acpi /proc/asound /proc/interrupts /proc/kallsyms /proc/kcore /proc/keys /proc/latency_stats"
    " /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/firmware /sys/fs/selinux"
    " /sys/devices/virtual/powercap /sys/dev/block /proc/kpagecount".split()
)
READ_ONLY = frozenset(("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"))
NAMESPACES = {
    "cgroup": "CgroupNamespace",
    "ipc": "IPCNamespace",
    "mount": "MountNamespace",
    "network": "Network",
    "pid": "PIDNamespace",
    "time": "TimeNamespace",
    "user": "UserNamespace",
    "uts": "UTSNamespace",
}
_LABEL = ("nsunit sets no label", "leave it out")
_FILTER = ("a filter of system calls is always there", "leave it out; Capability= opens more calls")
_TERMINAL = ("a service has no terminal", "use 'nsunit run -ti' or 'nsunit exec -ti'")
_OTHER = ("it is for another system than Linux", "leave it out")


def lost(reason: str, instead: str) -> Handler:
    """What refuses a value, unless that is false."""

    def refuse(_target: Target, value: Any) -> None:
        if value is not False:
            raise NotCarried(reason, instead)

    return refuse


def _nothing(_target: Target, _value: Any) -> None:
    """It is so anyway, or said with something else."""


def _plain(key: str, section: str = "") -> Handler:
    return lambda target, value: target.plain(key, str(value), section)


def _root(target: Target, value: Any) -> None:
    target.plain("Rootfs", target.path(str(value)))


def _environment(target: Target, values: Any) -> None:
    for text in values:
        if "=" in text:
            target.words("Environment", text)


def _cwd(target: Target, value: Any) -> None:
    if value != "/":
        target.plain("WorkingDirectory", str(value))


def _not_zero(key: str) -> Handler:
    return lambda target, value: target.say(key, str(int(value))) if value else None


def _bounding(target: Target, names: Any) -> None:
    wanted = {str(name).upper() for name in names}
    if wanted == DEFAULT_CAPABILITIES:
        return
    kept = sorted(name.removeprefix("CAP_") for name in wanted)
    target.say("Capability", " ".join(["-ALL", *(f"+{name}" for name in kept)]))


def _ambient(target: Target, _names: Any) -> None:
    target.hold("ambient", "yes")


def _rlimits(target: Target, values: Any) -> None:
    for item in values:
        soft, hard = (_limit(item[key]) for key in ("soft", "hard"))
        limits.ulimit(target, f"{item['type'].removeprefix('RLIMIT_')}={soft}:{hard}")


def _limit(value: Any) -> str:
    return "-1" if int(value) >= 1 << 63 else str(int(value))


def _no_new_privileges(target: Target, value: Any) -> None:
    if not value:
        target.say("NoNewPrivileges", "no")


def _umask(target: Target, value: Any) -> None:
    if value != 0o22:
        target.say("UMask", f"{value:04o}", "Service")


def _groups(target: Target, values: Any) -> None:
    target.say("SupplementaryGroups", " ".join(str(int(value)) for value in values))


def _scheduler(target: Target, value: Any) -> None:
    policy = value["policy"].removeprefix("SCHED_").lower()
    target.say("CPUSchedulingPolicy", policy, "Service")
    if value.get("nice"):
        target.say("Nice", str(int(value["nice"])), "Service")
    if value.get("priority"):
        target.say("CPUSchedulingPriority", str(int(value["priority"])), "Service")
    for key in value.keys() - {"policy", "nice", "priority"}:
        target.remark(f"'{key}' has no key", "use [Service] CPUSchedulingResetOnFork= and the like")


def _io_priority(target: Target, value: Any) -> None:
    kind = {"IOPRIO_CLASS_RT": "realtime", "IOPRIO_CLASS_BE": "best-effort", "IOPRIO_CLASS_IDLE": "idle"}
    target.say("IOSchedulingClass", kind[value["class"]], "Service")
    target.say("IOSchedulingPriority", str(int(value.get("priority", 4))), "Service")


def _annotations(target: Target, values: Any) -> None:
    for name, value in values.items():
        if name.startswith(("org.systemd.property.", "run.oci.")):
            target.remark(f"'{name}' is for the runtime, and means nothing here", "use the key of [Service] or [Slice]")
        target.words("X-Annotation", f"{name}={value}")


def _devices(target: Target, values: Any) -> None:
    for item in values:
        target.words("Device", str(item["path"]))
        if any(item.get(key) for key in ("uid", "gid")) or item.get("fileMode", 0o666) & 0o777 not in (0o666, 0o660):
            target.remark(f"'{item['path']}' has mode and owners of its own", "they are those of the host's node")


def _ids(kind: str) -> Handler:
    def take(target: Target, values: Any) -> None:
        maps = [f"{item['containerID']} {item['hostID']} {item['size']}" for item in values]
        target.hold(kind, "\n".join(maps))

    return take


def _sysctl(target: Target, values: Any) -> None:
    for name, value in values.items():
        target.say("Sysctl", f"{name}={literal(str(value))}")


def _propagation(target: Target, value: Any) -> None:
    if "slave" in value:
        target.say("Propagation", "slave")
    elif "shared" in value:
        raise NotCarried("what is mounted inside is not seen on the host", "use Propagation=slave")


def _paths(known: frozenset[str], reason: str) -> Handler:
    def take(_target: Target, values: Any) -> None:
        others = [path for path in values if path not in known]
        if others:
            raise NotCarried(
                f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} not {reason} as such",
                "use BindReadOnly=/dev/null:PATH, Tmpfs=PATH, or BindReadOnly=PATH",
            )

    return take


def _offsets(target: Target, values: Any) -> None:
    for clock, item in values.items():
        seconds, more = int(item.get("secs", 0)), int(item.get("nanosecs", 0))
        target.say("TimeOffset", f"{clock} {seconds}s")
        if more:
            target.remark(f"{more} ns are left out", "an offset has whole microseconds: TimeOffset=boottime 10s 5us")


def _namespaces(target: Target, values: Any) -> None:
    """Those that are named are its own, or at a path; others are the host's."""
    there = {item["type"]: item.get("path", "") for item in values}
    for kind, path in there.items():
        if kind not in NAMESPACES:
            target.remark(f"'{kind}' is no namespace", "leave it out")
        elif path:
            target.plain(NAMESPACES[kind], f"path:{path}")
    for kind in ("network", "pid", "ipc", "uts", "cgroup"):
        if kind not in there:
            target.say(NAMESPACES[kind], "host")
    target.hold("namespaces", "yes")


def _hook(kind: str) -> Handler:
    return lost(HOOKS_REASON, HOOKS[kind])


HANDLERS: dict[str, Handler] = {
    "annotations": _annotations,
    "domainname": _plain("Domainname"),
    "hooks.createContainer": _hook("mounts"),
    "hooks.createRuntime": _hook("before"),
    "hooks.poststart": _hook("after"),
    "hooks.poststop": _hook("end"),
    "hooks.prestart": _hook("before"),
    "hooks.startContainer": _hook("inside"),
    "hostname": _plain("Hostname"),
    "linux.cgroupsPath": lost("its group is below nsunit.slice", "use Slice=GROUP for limits that several share"),
    "linux.devices": _devices,
    "linux.gidMappings": _ids("gids"),
    "linux.intelRdt": lost("nsunit has nothing for resctrl", "put its processes there by [Service] ExecStartPost="),
    "linux.maskedPaths": _paths(HIDDEN, "hidden"),
    "linux.memoryPolicy": lost("it is systemd's", "use [Service] NUMAPolicy= and NUMAMask="),
    "linux.mountLabel": lost(*_LABEL),
    "linux.namespaces": _namespaces,
    "linux.netDevices": lost("devices do not move by themselves", "use Network=phys:DEVICE"),
    "linux.personality": lost("programs run as the kernel has them", "leave it out"),
    "linux.readonlyPaths": _paths(READ_ONLY, "read-only"),
    "linux.rootfsPropagation": _propagation,
    "linux.seccomp": lost(*_FILTER),
    "linux.sysctl": _sysctl,
    "linux.timeOffsets": _offsets,
    "linux.uidMappings": _ids("uids"),
    "mounts": mounts,
    "ociVersion": _nothing,
    "process.apparmorProfile": lost(*_LABEL),
    "process.args": lambda target, value: target.say("Exec", command([str(word) for word in value])),
    "process.capabilities.ambient": _ambient,
    "process.capabilities.bounding": _bounding,
    # Root inside has what the bounding set lets it have.
    **dict.fromkeys([f"process.capabilities.{name}" for name in ("effective", "inheritable", "permitted")], _nothing),
    "process.commandLine": lost(*_OTHER),
    "process.consoleSize": lost(*_TERMINAL),
    "process.cwd": _cwd,
    "process.env": _environment,
    "process.execCPUAffinity": lost("sessions run where the container may", "use [Slice] AllowedCPUs="),
    "process.ioPriority": _io_priority,
    "process.noNewPrivileges": _no_new_privileges,
    "process.oomScoreAdj": _plain("OOMScoreAdjust", "Service"),
    "process.rlimits": _rlimits,
    "process.scheduler": _scheduler,
    "process.selinuxLabel": lost(*_LABEL),
    "process.terminal": lost(*_TERMINAL),
    "process.user.additionalGids": _groups,
    "process.user.gid": _not_zero("Group"),
    "process.user.uid": _not_zero("User"),
    "process.user.umask": _umask,
    "process.user.username": lost(*_OTHER),
    "root.path": _root,
    "root.readonly": lambda target, value: target.say("ReadOnly", "yes") if value else None,
    **dict.fromkeys(("solaris", "vm", "windows", "zos", "freebsd"), lost(*_OTHER)),
}


def nothing_said(target: Target, config: dict[str, Any], path: str) -> None:
    """What is so in a bundle that says nothing of it: namespaces are the host's, and there are no capabilities."""
    target.origin = Origin(path, 0, "linux.namespaces")
    if "namespaces" not in target.pending:
        _namespaces(target, [])
    target.origin = Origin(path, 0, "process.capabilities")
    if not (config["process"].get("capabilities") or {}).get("bounding"):
        target.say("Capability", "-ALL")


def finish(target: Target) -> None:
    """Say what several members mean together."""
    for names, say in ((("memory", "memory-swap"), limits.memory), (("cpu-quota", "cpu-period"), limits.quota)):
        if any(name in target.pending for name in names):
            try:
                say(target)
            except NotCarried as why:
                target.remark(why.reason, why.instead)
    if target.draft.has("Container", "CPUBurstSec"):  # what is exceeded is the service's quota
        quotas = ("CPUQuota", "CPUQuotaPeriodSec")
        target.draft.lines = [
            line.replace(section="Service") if line.key in quotas else line for line in target.draft.lines
        ]
    groups = target.held("gids").split("\n") if "gids" in target.pending else []
    users = target.held("uids").split("\n") if "uids" in target.pending else []
    if users:
        ids.take(target, users, groups or users, is_shown=False)
        with_ids_of_its_own(target)
    if target.pending.get("ambient") and target.draft.has("Container", "User"):
        target.held("ambient")
        target.remark("a program of another user than root has no capabilities", "run it as root, with few of them")
