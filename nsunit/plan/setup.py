"""From a definition to the helper's set-up plan.  Pure: the same definition and facts give the same plan."""

from __future__ import annotations

from nsunit.names import service_name
from nsunit.plan.capabilities import mask_of
from nsunit.setup import mounts, namespaces, process, root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Bind, Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

PAYLOAD_SUBGROUP = "payload"
TUNNEL_SUBGROUP = "tunnel"
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
# Made for a container that is connected, in its network directory.
NETWORK_FILES = (("resolv.conf", "/etc/resolv.conf"), ("hosts", "/etc/hosts"))
# A writable place each for programs that expect one, where the root itself is read-only.
READ_ONLY_ROOT_TMPFS = (("/run", "mode=0755"), ("/tmp", "mode=1777"))


def operations(definition: Definition, facts: Facts) -> list[Operation]:
    """The operations that build *definition*'s container, in the order the helper carries them out."""
    container = definition.container
    if container.pod:
        from nsunit.plan.pod import member

        container = member(container, facts)
    if container.chooses_namespaces or container.time_offsets or container.uid_map:
        from nsunit.plan import namespaces as chosen

        shared, joined = chosen.sources(container), chosen.operations(container)
    else:
        shared, joined = {"net": "host"} if container.network == "host" else {}, []
    kinds = tuple(kind for kind in NAMESPACES if kind not in shared)
    _, count = facts.user_range
    planned: list[Operation] = [
        *([subgroup(container)] if is_delegated(definition) else []),
        *_users(facts),
        namespaces.Namespaces(kinds),
        *joined,
        *([] if "mnt" in shared else _file_systems(container, facts, shared)),
        *([] if "uts" in shared else _names(definition)),
        *([] if "net" in shared else [process.Loopback(), *_network(container, facts)]),
        *(_tunnels(definition, facts) if facts.socket_proxy else []),
        *([] if "mnt" in shared else _restrictions(container, kinds, facts)),
        process.User(container.user or "", container.group or "", container.supplementary_groups),
        process.Environment(environment(container, facts)),
        *([root.ReadOnlyRoot()] if container.read_only else []),
        *([] if "mnt" in shared else [root.Pivot()]),
        process.WorkingDirectory(container.working_directory or ""),
        process.Privileges(
            str(mask_of(container.capabilities)), "yes" if container.no_new_privileges else "no", facts.seccomp
        ),
        *(_handed_in() if container.activation == "fds" else ()),
        process.Exec(process.Init.TARGET if container.init else "", container.exec),
    ]
    if container.boot:
        from nsunit.plan.boot import adapt

        return adapt(planned, definition, facts)
    return planned


def subgroup(container: Container) -> Operation:
    """The payload's own group, and what its parent, the unit's, is given."""
    return namespaces.Subgroup(
        PAYLOAD_SUBGROUP, tuple(attribute_line(*attribute) for attribute in container.attributes)
    )


def attribute_line(file: str, subject: str, value: str) -> str:
    """An attribute of the unit's control group as the helper takes it."""
    return f"{file}={subject} {value}" if subject else f"{file}={value}"


def _file_systems(container: Container, facts: Facts, shared: dict[str, str]) -> list[Operation]:
    return [
        _root(container, facts),
        mounts.Proc(),
        mounts.Sysfs(shared.get("net", "").partition(":")[0]),
        mounts.Cgroup(),
        mounts.Devices(str(SHM_SIZE), DEVICE_NODES),
        *([process.Init(facts.init)] if container.init else []),
        *_mounts(container, facts),
        *([process.NotifySocket()] if container.notify else []),
    ]


def _names(definition: Definition) -> list[Operation]:
    hostname = process.Hostname(definition.container.hostname or default_hostname(definition.name))
    if definition.container.domainname is None:
        return [hostname]
    from nsunit.setup.chosen import Domainname

    return [hostname, Domainname(definition.container.domainname)]


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


def keeps_upper(container: Container) -> bool:
    """Whether what the container writes into its root is kept in the state directory."""
    return bool(container.layers) and not container.volatile and not container.read_only


def default_hostname(name: str) -> str:
    """A host name made from a container's name, which may have characters that host names may not."""
    cleaned = "".join(c if c.isalnum() or c in "-." else "-" for c in name)
    return cleaned.strip("-.") or "container"


def environment(container: Container, facts: Facts) -> tuple[str, ...]:
    """The payload's whole environment as `NAME=value`; a later one overrides an earlier one."""
    pairs = (("container", "nsunit"), *facts.environment, *container.environment)
    if container.boot:
        from nsunit.plan import boot

        pairs = (*boot.environment(facts), *pairs)
    return tuple(f"{name}={value}" for name, value in pairs)


def _users(facts: Facts) -> list[Operation]:
    if facts.own_users:
        from nsunit.setup.rootless import OwnUsers

        return [OwnUsers(*facts.own_users)]
    start, count = facts.user_range
    return [namespaces.UserNamespace(str(start), str(count))] if count else []


def _network(container: Container, facts: Facts) -> list[Operation]:
    if facts.network_program:
        from nsunit.setup.attach import Network

        return [Network(facts.interpreter, facts.network_program, facts.network_directory, facts.locks)]
    if not facts.pasta:
        return []
    from nsunit.plan.rootless import forwards
    from nsunit.setup.pasta import Pasta

    return [Pasta(facts.pasta, forwards(container.published_ports))]


def _handed_in() -> list[Operation]:
    from nsunit.setup.listen import ListenFds

    return [ListenFds()]


def _tunnels(definition: Definition, facts: Facts) -> list[Operation]:
    from nsunit.setup.tunnel import Tunnel

    group = TUNNEL_SUBGROUP if is_delegated(definition) else ""
    found = definition.container.names.tunnels if definition.container.names else ()
    return [
        Tunnel(facts.socket_proxy, group, service_name(item.container), str(item.port), item.local) for item in found
    ]


def _root(container: Container, facts: Facts) -> Operation:
    if container.ownership == "chown":
        from nsunit.setup.chosen import OwnedDirectory

        return OwnedDirectory(container.rootfs or "")
    if container.rootfs and not container.read_only and not container.volatile:
        return root.Directory(container.rootfs)
    lowers = container.layers or ((container.rootfs,) if container.rootfs else ())
    # A read-only root gets a tmpfs upper layer too, so that missing mount points can be made before it is closed.
    return root.Overlay(facts.upper, lowers)


def _mounts(container: Container, facts: Facts) -> list[Operation]:
    found: list[tuple[str, Operation]] = [
        (item.target, mounts.Tmpfs(item.target, tuple(f"{key}={value}" for key, value in item.options)))
        for item in container.tmpfs
    ]
    more = ("slave",) if container.propagation == "slave" else ()
    found += [
        (item.target, mounts.Bind(item.source, item.target, _bind_flags(item) + more)) for item in container.binds
    ]
    taken = {target for target, _ in found}
    if network := facts.network_directory if facts.network_program else facts.pod_network:
        found += [
            (target, mounts.Bind(f"{network}/{name}", target, ("ro",)))
            for name, target in NETWORK_FILES
            if target not in taken
        ]
    elif facts.network_directory:
        from nsunit.plan.hosts import RESOLVER, own_files

        # In layers of others the user cannot make a file to mount on, and need not have one who has not asked for it.
        unasked = container.network == "pasta" and not (container.names and container.names.asks_servers)
        flags = ("ro", "spare") if unasked else ("ro",)
        found += [
            (target, mounts.Bind(f"{facts.network_directory}/{name}", target, flags if name == RESOLVER else ("ro",)))
            for name, target in NETWORK_FILES
            if target not in taken and name in own_files(container)
        ]
    if container.boot:
        from nsunit.plan.boot import FILE_SYSTEMS

        found += [(target, mounts.Tmpfs(target, options)) for target, options in FILE_SYSTEMS if target not in taken]
    elif container.read_only:
        found += [
            (target, mounts.Tmpfs(target, (options,)))
            for target, options in READ_ONLY_ROOT_TMPFS
            if target not in taken
        ]
    # A parent is mounted before what lies below it, whatever the order in the file.
    return [operation for _, operation in sorted(found, key=lambda pair: pair[0].split("/"))]


def _bind_flags(bind: Bind) -> tuple[str, ...]:
    flags = (
        *(("ro", bind.read_only), ("norbind", not bind.recursive), ("optional", bind.optional)),
        ("idmap", bind.idmap),
    )
    return tuple(flag for flag, wanted in flags if wanted)


def _sysctls(container: Container, kinds: tuple[str, ...], facts: Facts) -> list[Operation]:
    parameters: dict[str, str] = {}
    own_users = facts.user_range[1] or container.uid_map
    if own_users and "CAP_SYS_ADMIN" not in container.capabilities:
        # No user namespaces inside: they are where most of the kernel's surface becomes reachable (CVE-2022-0185).
        parameters["user.max_user_namespaces"] = "0"
    if "net" in kinds and not container.boot:
        parameters |= open_network(facts)
    return [mounts.Sysctl(key, value) for key, value in (parameters | dict(container.sysctls)).items()]


def open_network(facts: Facts) -> dict[str, str]:
    """Parameters of a network namespace of a container's own, where nobody else is to be protected.

    All may listen on ports below 1024, as with Docker, and send echo requests, for which root would need CAP_NET_RAW.
    """
    _, count = facts.user_range
    last_group = count - 1 if count and not facts.own_users else 0  # both have to be mapped
    return {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": f"0 {last_group}"}
