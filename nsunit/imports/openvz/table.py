"""The parameters of ve.conf(5), and what becomes of each."""

from __future__ import annotations

from nsunit.imports.cgroups import percent
from nsunit.imports.model import NotCarried
from nsunit.imports.openvz import limits
from nsunit.imports.podman.mounts import bind
from nsunit.imports.services import lost
from nsunit.imports.text import literal, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, str], None]

# Systems that have another init than systemd, by the beginnings of the names of their templates.
_OLD = (
    *(
        "centos-4 centos-5 centos-6 rhel-4 rhel-5 rhel-6 scientific-5 scientific-6 fedora-core debian-3 debian-4"
    ).split(),
    *(
        "debian-5 debian-6 debian-7 ubuntu-8 ubuntu-9 ubuntu-10 ubuntu-11 ubuntu-12 ubuntu-13 ubuntu-14 slackware"
    ).split(),
    *("suse-9 suse-10 suse-11 sles-10 sles-11 gentoo alpine devuan").split(),
)
_BOOT = frozenset(
    "IPC_OWNER LEASE LINUX_IMMUTABLE MKNOD NET_ADMIN NET_BROADCAST NET_RAW SYS_ADMIN SYS_BOOT SYS_NICE SYS_PTRACE"
    " SYS_RESOURCE SYS_TTY_CONFIG CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID"
    " SYS_CHROOT".split()
)


def unknown(_target: Target, _value: str) -> None:
    """What nobody knows."""
    raise NotCarried("it is no parameter of a container's that is known", "see ve.conf(5)")


def _plain(key: str, section: str = "") -> Handler:
    def handler(target: Target, value: str) -> None:
        if value:
            target.plain(key, value, section)

    return handler


def _unless(default: str, handler: Handler) -> Handler:
    """The *handler*, for other values than *default*, words with blanks between them."""

    def limited(target: Target, value: str) -> None:
        if value and value not in default.split():
            handler(target, value)

    return limited


def _private(target: Target, value: str) -> None:
    if not target.pending.get("VE_LAYOUT", ("", None))[0].startswith("ploop"):
        target.plain("Rootfs", value)


def _root(target: Target, value: str) -> None:
    if target.pending.get("VE_LAYOUT", ("", None))[0].startswith("ploop") or "VE_PRIVATE" not in target.pending:
        target.plain("Rootfs", value)


def _layout(_target: Target, value: str) -> None:
    if value.startswith("ploop"):
        reason = "its root is an image of ploop, which only kernels of OpenVZ mount"
        raise NotCarried(reason, "copy it where it is mounted, at VE_ROOT, to a directory, and name that in Rootfs=")


def _template(_target: Target, value: str) -> None:
    if value.removeprefix(".").startswith(_OLD):
        reason = f"'{value}' has no systemd, which Boot=yes starts"
        raise NotCarried(reason, "put Exec=/sbin/init and Notify=no into the definition, or renew the system in it")
    raise NotCarried("it is about how the root was made", "leave it out")


def _boot(target: Target, value: str) -> None:
    if value == "auto" or truth(value):
        raise NotCarried("an import enables nothing", f"type 'nsunit enable {target.draft.name}'")


def _disabled(_target: Target, value: str) -> None:
    if truth(value):
        raise NotCarried(
            "a definition that is there can be started", "'ln -s /dev/null /etc/nsunit/NAME.nsunit' masks it"
        )


def _each(key: str) -> Handler:
    def handler(target: Target, value: str) -> None:
        for item in value.split():
            if item != "inherit":
                target.plain(key, item)

    return handler


def _addresses(target: Target, value: str) -> None:
    found = [item for item in value.split() if item not in ("0.0.0.0", "::", "::0")]
    if not found:
        return
    if "NETIF" not in target.pending:
        target.say("Network", "bridge")
    for item in found:
        reason = f"{item} is the host's to route, and a container has an address of its bridge"
        target.remark(reason, f"use PublishPort=, or Network=macvlan:DEV:address={item}")


def _interfaces(target: Target, value: str) -> None:
    """`ifname=eth0,mac=…,host_ifname=…,host_mac=…,bridge=…;…`: each a link of the host's bridge."""
    for number, item in enumerate(part for part in value.split(";") if part):
        said = dict(field.partition("=")[::2] for field in item.split(","))
        name = said.pop("ifname", f"eth{number}")
        options = f":mac={said.pop('mac').lower()}" if "mac" in said else ""
        said.pop("host_mac", None)
        host = said.pop("host_ifname", "")
        if name != f"eth{number}":
            target.remark(f"'{name}' is eth{number} inside", "interfaces are eth0, eth1 and so on")
        bridge = said.pop("bridge", said.pop("network", ""))
        if number:
            target.remark(
                f"'{name}' is a second one on nsunit's bridge", "use another network of nsunit's: Network=NAME"
            )
            continue
        target.say("Network", f"bridge{options}")
        if bridge or host:
            reason = f"it was a link '{host or name}' on the host's '{bridge}'" if bridge else f"'{host}' is not made"
            target.remark(reason, "Network=bridge is nsunit's own; use veth:NAME or macvlan:DEV for a link of the host")
        for key in said:
            target.remark(f"'{key}={said[key]}' is no option of a link here", "use Address=, Gateway= or Route=")


def _environment(target: Target, value: str) -> None:
    for item in value.split():
        target.words("Environment", item)


def _features(target: Target, value: str) -> None:
    devices = {"fuse": "/dev/fuse", "ppp": "/dev/ppp"}
    for item in value.replace(",", " ").split():
        name, _, state = item.partition(":")
        if state == "off":
            continue
        if name in devices:
            target.say("Device", f"-{devices[name]}")
        elif name == "bridge":
            continue  # a network of its own has bridges anyway
        else:
            target.remark(f"'{name}' is a module of the host", "load it there, by modules-load.d(5)")


def _capabilities(target: Target, value: str) -> None:
    for item in value.replace(",", " ").split():
        name, _, state = item.upper().removeprefix("CAP_").partition(":")
        if state == "OFF" and name in _BOOT:
            target.say("Capability", f"-{name}")
        elif state != "OFF" and name not in _BOOT:
            if name.startswith("VE_"):
                target.remark(f"'{name}' is a capability of OpenVZ's kernel", "Boot=yes has NET_ADMIN and SYS_ADMIN")
            else:
                target.say("Capability", f"+{name}")


def _nodes(target: Target, value: str) -> None:
    """`DEVICE:[r][w][q]|none …`, devices below /dev."""
    for item in value.split():
        name, _, rights = item.rpartition(":")
        kept = "".join(letter for letter in rights if letter in "rw")
        if rights == "none" or not kept:
            continue
        if "q" in rights:
            target.remark(f"quota of '{name}' is the host's", "leave it out")
        target.plain("Device", f"/dev/{name}:{kept}")


def _devices(target: Target, value: str) -> None:
    """`b|c:MAJOR:MINOR|all:[r][w][q]|none …`."""
    for item in value.split():
        kind, major, minor, rights, *_ = [*item.split(":"), "", "", ""]
        kept = "".join(letter for letter in rights if letter in "rw")
        if rights == "none" or item == "none":
            continue
        if kind not in ("b", "c") or not major.isdecimal() or not minor.isdecimal() or not kept:
            target.remark(f"'{item}' is not about one device", "use Device= for each that it needs")
            continue
        target.say("DeviceAllow", f"/dev/{'block' if kind == 'b' else 'char'}/{major}:{minor} {kept}", "Service")


def _filters(_target: Target, value: str) -> None:
    raise NotCarried(f"'{value}' is about modules of iptables", "nftables works in a network of its own, with Boot=yes")


def _mounts(target: Target, value: str) -> None:
    """`[SOURCE:]TARGET[,OPTION…] …`."""
    for item in value.split():
        where, *options = item.split(",")
        source, _, inside = where.partition(":")
        kept = [option for option in options if option not in ("nosuid", "nodev", "noexec")]
        if "noexec" in options:
            target.remark("'noexec' is no option of a bind", "leave it out")
        bind(target, source, inside or source, kept)


def _description(target: Target, value: str) -> None:
    target.say("Description", literal(value), "Unit")


def _cpus(target: Target, value: str) -> None:
    """`CPULIMIT` and `CPUS` are both a quota: the lower one counts, where it was said."""
    quota = limits.number(target.pending.get("CPULIMIT", ("0", None))[0].rstrip("%"))
    number = limits.number(value)
    if number and (not quota or number * 100 <= quota):
        target.say("CPUQuota", percent(number), "Slice")


def _cpu_limit(target: Target, value: str) -> None:
    if value.endswith(("m", "M")):
        raise NotCarried("it is in MHz, and CPUs change theirs", "use [Slice] CPUQuota=")
    quota = limits.number(value.rstrip("%"))
    cpus = limits.number(target.pending.get("CPUS", ("0", None))[0])
    if quota and (not cpus or quota < cpus * 100):
        target.say("CPUQuota", percent(quota / 100), "Slice")


def _timeout(target: Target, value: str) -> None:
    target.say("TimeoutStopSec", f"{limits.number(value)}s", "Service")


_MADE = lost("it is about how the container was made", "leave it out")
_COUNTED = lost("version 2 counts the kernel's memory with the rest", "MemoryMax= is for both")
_PROMISED = lost("it is about quota on the disk of OpenVZ", "use Volume=NAME:PATH:size=SIZE for data")
_NO_COUNT = lost("version 2 has no such limit", "leave it out")
_CLUSTER = lost("it is about a cluster of Virtuozzo", "leave it out")

HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("VEID", "CTID", "NAME", "VERSION", "PLATFORM", "ARCH", "VE_TYPE"), lambda _target, _value: None),
    **dict.fromkeys("CONFIG_CUSTOMIZED ORIGIN_SAMPLE CONFIGFILE TEMPLATE TEMPLATES DISTRIBUTION".split(), _MADE),
    **dict.fromkeys("DEF_OSTEMPLATE APPLY_IPONLY SETMODE".split(), _MADE),
    "UUID": lost("machine ids are made of the host's and the name", "use that of /etc/machine-id inside"),
    "VE_PRIVATE": _private,
    "VE_ROOT": _root,
    "VE_LAYOUT": _layout,
    "ROOT_DISK": _layout,
    "DISK": lost("it is an image of ploop", "mount it on the host, and use Bind="),
    "OSTEMPLATE": _template,
    "ONBOOT": _boot,
    "BOOTORDER": lost("systemd starts containers at once", "use [Unit] After= of those that come later"),
    "AUTOSTOP": lost("at shutdown containers are stopped", "leave it out"),
    "DISABLED": _disabled,
    "DESCRIPTION": _description,
    "HOSTNAME": _plain("Hostname"),
    "NAMESERVER": _each("DNS"),
    "SEARCHDOMAIN": _each("DNSSearch"),
    "IP_ADDRESS": _addresses,
    "EXT_IP_ADDRESS": _addresses,
    "NETIF": _interfaces,
    "VETH": _interfaces,
    "NETDEV": lost("a device of the host moves in by name", "use Network=phys:DEV"),
    "IPV6": _unless("no", lost("IPv6 is there where the network has it", "see nsunit.network(5)")),
    "PCI": lost("a container has devices by their nodes", "use Device="),
    "VE_ENVIRONMENT": _environment,
    "FEATURES": _features,
    "TECHNOLOGIES": lost("it is about OpenVZ's kernel", "leave it out"),
    "CAPABILITY": _capabilities,
    "DEVNODES": _nodes,
    "DEVICES": _devices,
    "NETFILTER": _unless("disabled", _filters),
    "IPTABLES": _filters,
    "IPTABLES_MODULES": _filters,
    "IP6TABLES": _filters,
    "BINDMOUNT": _mounts,
    "MOUNT_OPTS": lost("it is about how the root is mounted", "mount its file system with them"),
    "NOATIME": _unless("no", lost("it is about how the root is mounted", "mount its file system with noatime")),
    "OSRELEASE": lost("a program sees the kernel that there is", "leave it out"),
    "MEMINFO": _unless("none", lost("/proc/meminfo is the host's", "programs look into /sys/fs/cgroup")),
    "STOP_TIMEOUT": _timeout,
    "CPUUNITS": limits.units,
    "CPUWEIGHT": limits.units,
    "CPUUWEIGHT": limits.units,
    "CPULIMIT": _cpu_limit,
    "CPULIMIT_MHZ": lost("it is in MHz, and CPUs change theirs", "use [Slice] CPUQuota="),
    "BURST_CPULIMIT": lost("what is not used is not saved up for so long", "use [Container] CPUBurstSec="),
    "BURST_CPU_AVG_USAGE": lost("what is not used is not saved up for so long", "use [Container] CPUBurstSec="),
    "CPUS": _cpus,
    "CPUMASK": _unless("all auto", _plain("AllowedCPUs", "Slice")),
    "NODEMASK": _unless("all auto", _plain("AllowedMemoryNodes", "Slice")),
    "IOPRIO": limits.io_priority,
    "IOLIMIT": limits.io_limit,
    "IOPSLIMIT": limits.io_operations,
    "RATE": limits.rate,
    "TOTALRATE": lost("it is about all containers", "use RATE=, or Egress= of each"),
    "TRAFFIC_SHAPING": _unless("no", lost("it is about all containers", "use Egress= and Ingress= of each")),
    "RATEBOUND": _unless("yes", lost("a rate here is the most, whether others send or not", "leave it out")),
    "DISKSPACE": lost(
        "a directory has no size", "use Rootfs= on a file system of that size, or Volume=NAME:PATH:size=SIZE for data"
    ),
    "DISKINODES": lost("a directory has no number of files", "make the file system with as many inodes"),
    **dict.fromkeys("DISK_QUOTA QUOTATIME QUOTAUGIDLIMIT JOURNALED_QUOTA".split(), _unless("0 no", _PROMISED)),
    "PHYSPAGES": limits.memory,
    "SWAPPAGES": limits.swap,
    "PRIVVMPAGES": limits.private,
    "SLMMEMORYLIMIT": limits.slm,
    "SLMMODE": _MADE,
    "VMGUARPAGES": limits.guarantee,
    "OOMGUARPAGES": limits.guarantee,
    "OOMGUAR": limits.guarantee,
    "MEMGUARANTEE": limits.guaranteed_share,
    "MEMGUARANTEE_BYTES": limits.guaranteed_bytes,
    "VM_OVERCOMMIT": lost("what is asked for is not limited", "use MemoryMax= and MemorySwapMax="),
    "PAGECACHE_ISOLATION": _unless("no off", lost("a container's cache is in its limit", "leave it out")),
    "NUMPROC": limits.processes,
    "NUMFILE": limits.files,
    "LOCKEDPAGES": limits.locked,
    "SHMPAGES": limits.shared,
    "NUMSIGINFO": limits.signals,
    "NUMMEMORYSUBGROUPS": limits.subgroups,
    **dict.fromkeys("KMEMSIZE DCACHESIZE DCACHE TCPSNDBUF TCPSENDBUF TCPRCVBUF OTHERSOCKBUF".split(), _COUNTED),
    **dict.fromkeys("DGRAMRCVBUF UNIXSOCKBUF SOCKRCVBUF IPCSHMPAGES ANONSHPAGES RSSPAGES".split(), _COUNTED),
    "TOTVMPAGES": _COUNTED,
    **dict.fromkeys("NUMTCPSOCK NUMOTHERSOCK NUMSOCK NUMUNIXSOCK NUMFLOCK NUMPTY AVNUMPROC".split(), _NO_COUNT),
    **dict.fromkeys("NUMIPTENT IPTENTRIES NUMNETIF".split(), _NO_COUNT),
    **dict.fromkeys("HA_ENABLE HA_PRIO USE_NET_RPS AUTOCOMPACT".split(), _CLUSTER),
    **dict.fromkeys(
        "LOCAL_UID LOCAL_GID".split(), lost("a container has ids of its own", "use PrivateUsers=START:COUNT")
    ),
    **dict.fromkeys(("SKIP_SYSCTL_SETUP", "SKIP_ARPDETECT", "VE_STOP_MODE", "VE_PARALLEL"), _MADE),
}
