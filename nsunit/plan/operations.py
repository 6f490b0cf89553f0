"""From a definition to the helper's set-up plan.  Pure: the same definition and facts give the same plan."""

from __future__ import annotations

from nsunit.definition.model import shared_kinds
from nsunit.definition.values_container import interface_of, mask_of
from nsunit.features import hooks
from nsunit.names import default_hostname
from nsunit.plan.ceilings import FILES
from nsunit.setup import mounts, namespaces, process, root
from nsunit.units import PAYLOAD_SUBGROUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Bind, Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

NAMESPACES = ("cgroup", "ipc", "mnt", "pid", "time", "uts", "net")
DEVICE_NODES = ("null", "zero", "full", "random", "urandom", "tty")
SHM_SIZE = 64 * 1024 * 1024
# What tells of the host, or lets it be changed: the union of what podman, docker and systemd-nspawn hide.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/devices/virtual/powercap",
    "/sys/devices/system/cpu/cpu*/thermal_throttle",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# A writable place each for programs that expect one, where the root itself is read-only.
READ_ONLY_ROOT_TMPFS = (("/run", "mode=0755"), ("/tmp", "mode=1777"))


def operations(definition: Definition, facts: Facts) -> list[Operation]:
    """The operations that build *definition*'s container, in the order the helper carries them out."""
    container = definition.container
    for with_others in hooks((*container.features, *facts.features), "plan.with_others"):
        container = with_others(container, facts)
    used = (*container.features, *facts.features)
    shared = shared_kinds(container)
    kinds = tuple(kind for kind in NAMESPACES if kind not in shared)
    _, count = facts.user_range
    planned: list[Operation] = [
        *([namespaces.Subgroup(PAYLOAD_SUBGROUP, ())] if is_delegated(definition) else []),
        *([namespaces.UserNamespace(*map(str, facts.user_range))] if count else []),
        namespaces.Namespaces(kinds),
        *(item for joins in hooks(used, "plan.joins") for item in joins(container)),
        *([] if "mnt" in shared else _file_systems(container, facts, used, _cgroup(definition, kinds, facts))),
        *([] if "mnt" in shared else watched(definition)),
        *([] if "uts" in shared else [process.Hostname(container.hostname or default_hostname(definition.name))]),
        *([] if "net" in shared else [namespaces.Loopback()]),
        *(item for connects in hooks(used, "plan.connects") for item in connects(definition, facts)),
        *([] if "mnt" in shared else _restrictions(container, kinds, facts)),
        process.User(container.user or "", container.group or "", container.supplementary_groups),
        process.Environment(environment(container, facts)),
        *manners(definition),
        *([root.ReadOnlyRoot()] if container.read_only else []),
        *([] if "mnt" in shared else [root.Pivot()]),
        process.WorkingDirectory(container.working_directory or ""),
        process.Privileges(
            str(mask_of(container.capabilities)), "yes" if container.no_new_privileges else "no", facts.seccomp
        ),
        process.Exec(process.Init.TARGET if container.init else "", container.exec),
    ]
    for adapt in hooks(used, "plan.operations"):
        planned = adapt(planned, container, facts)
    return planned


def _cgroup(definition: Definition, kinds: tuple[str, ...], facts: Facts) -> Operation:
    """What is mounted on /sys/fs/cgroup.

    A root that may mount, and that owns the slice's files or whom no owner keeps from them, would lift its own limits.
    """
    container = definition.container
    shifted = facts.user_range[0] and not facts.uses("rootless")
    if "cgroup" not in kinds or ("CAP_SYS_ADMIN" in container.capabilities and not shifted):
        return mounts.Cgroup()
    return mounts.SliceCgroup("yes" if has_limits_elsewhere(definition) else "")


def has_limits_elsewhere(definition: Definition) -> bool:
    """Whether *definition* has, or may get, limits that are not those of its own slice."""
    container = definition.container
    return bool(container.slice) or "boot" in container.features or limits_unit(definition)


def limits_unit(definition: Definition) -> bool:
    """Whether *definition* has limits of the service itself."""
    names = (item.name.removesuffix("Scale") for item in definition.properties_of("Service"))
    return any(FILES.get(name) in namespaces.LIMITS for name in names)


def _file_systems(container: Container, facts: Facts, used: tuple[str, ...], cgroup: Operation) -> list[Operation]:
    return [
        _root(container, facts),
        mounts.Proc(),
        mounts.Sysfs(shared_kinds(container).get("net", "").partition(":")[0]),
        cgroup,
        mounts.Devices(str(SHM_SIZE), DEVICE_NODES),
        *([process.Init(facts.init)] if container.init else []),
        *_mounts(container, facts, used),
        *([process.NotifySocket(facts.notify)] if container.notify else []),
    ]


def _restrictions(container: Container, kinds: tuple[str, ...], facts: Facts) -> list[Operation]:
    return [
        *_sysctls(container, kinds, facts),
        mounts.MaskPaths(MASKED_PATHS),
        mounts.ReadOnlyPaths(READ_ONLY_PATHS),
    ]


def is_delegated(definition: Definition) -> bool:
    """Whether the service delegates its cgroup: it does unless `Delegate=no` says otherwise."""
    for item in definition.properties_of("Service"):
        if item.name == "Delegate":
            return bool(item.value)
    return True


def manners(definition: Definition) -> list[process.Manners]:
    """What [Service] says of the umask and of SIGPIPE, if it does; a program is killed by that one otherwise."""
    said = {item.name: item.value for item in definition.properties_of("Service")}
    if not said.keys() & {"UMask", "IgnoreSIGPIPE"}:
        return []
    umask = said.get("UMask", 0o022)
    return [process.Manners(f"{umask:04o}", "ignored" if said.get("IgnoreSIGPIPE") else "")]


def watched(definition: Definition) -> list[process.Pressure]:
    """The pressure that the program is to watch, as [Service] says."""
    said = [item.name.lower() for item in definition.properties_of("Service")]
    kinds = [kind for kind in ("memory", "cpu", "io") if any(name.startswith(f"{kind}pressure") for name in said)]
    return [process.Pressure(tuple(kinds))] if kinds else []


def keeps_upper(container: Container) -> bool:
    """Whether what the container writes into its root is kept in the state directory."""
    return bool(container.layers) and not container.volatile and not container.read_only


def environment(container: Container, facts: Facts) -> tuple[str, ...]:
    """The payload's whole environment as `NAME=value`; a later one overrides an earlier one."""
    pairs = (("container", "nsunit"), *facts.environment, *container.environment)
    return tuple(f"{name}={value}" for name, value in pairs)


def _root(container: Container, facts: Facts) -> Operation:
    if container.rootfs and not container.read_only and not container.volatile:
        return root.Directory(container.rootfs)
    lowers = container.layers or ((container.rootfs,) if container.rootfs else ())
    # A read-only root gets a tmpfs upper layer too, so that missing mount points can be made before it is closed.
    return root.Overlay(facts.upper, lowers)


def _mounts(container: Container, facts: Facts, used: tuple[str, ...]) -> list[Operation]:
    found: dict[str, Operation] = {
        item.target: mounts.Tmpfs(item.target, tuple(f"{key}={value}" for key, value in item.options))
        for item in container.tmpfs
    }
    more = ("slave",) if container.propagation == "slave" else ()
    found |= {item.target: mounts.Bind(item.source, item.target, _bind_flags(item) + more) for item in container.binds}
    # What the definition says wins over what comes of itself.
    for own in hooks(used, "plan.mounts"):
        found = {item.target: item for item in own(container, facts)} | found
    if container.read_only:
        found = {target: mounts.Tmpfs(target, (options,)) for target, options in READ_ONLY_ROOT_TMPFS} | found
    # A parent is mounted before what lies below it, whatever the order in the file.
    return [found[target] for target in sorted(found, key=lambda target: target.split("/"))]


def _bind_flags(bind: Bind) -> tuple[str, ...]:
    flags = (
        *(("ro", bind.read_only), ("norbind", not bind.recursive), ("optional", bind.optional)),
        ("idmap", bind.idmap),
    )
    return tuple(flag for flag, wanted in flags if wanted)


def _sysctls(container: Container, kinds: tuple[str, ...], facts: Facts) -> list[Operation]:
    parameters: dict[str, str] = {}
    own_users = facts.user_range[1] or container.private_users.mode == "maps"
    if own_users and "CAP_SYS_ADMIN" not in container.capabilities:
        # No user namespaces inside: they are where most of the kernel's surface becomes reachable (CVE-2022-0185).
        parameters["user.max_user_namespaces"] = "0"
    if "net" in kinds:
        parameters |= open_network(facts)
    return [mounts.Sysctl(key, value) for key, value in (parameters | early_sysctls(container)).items()]


def early_sysctls(container: Container) -> dict[str, str]:
    """The parameters of *container* that are there before its network is attached, which has the others."""
    connected = container.network == "bridge"
    return {key: value for key, value in container.sysctls if not (connected and interface_of(key))}


def open_network(facts: Facts) -> dict[str, str]:
    """Parameters of a network namespace of a container's own, where nobody else is to be protected.

    All may listen on ports below 1024, as with Docker, and send echo requests, for which root would need CAP_NET_RAW.
    """
    _, count = facts.user_range
    last_group = count - 1 if count and not facts.uses("rootless") else 0  # both have to be mapped
    return {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": f"0 {last_group}"}
