"""systemd.resource-control(5): what may stand in [Slice] and in [Service].

Rows: parse, adds, D-Bus property, signature, since, live, syntax, help, example (see `setting.Row`).
The property names are those of the transient setters (dbus-cgroup.c); `live` is false for the few of them that
systemd sets only when the unit is made.
"""

from __future__ import annotations

from nsunit.definition.systemd.values_control import (
    addresses,
    bpf_program,
    concurrency,
    controllers,
    cpu_quota,
    cpu_set,
    cpu_weight,
    delegate,
    device_allow,
    filter_path,
    interface,
    interfaces,
    io_latency,
    io_limit,
    io_weight,
    memory,
    nft_set,
    pressure_duration,
    pressure_limit,
    pressure_watch,
    rule_names,
    socket_bind,
    tasks_max,
    weight,
)
from nsunit.definition.values import boolean, choice, usec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row

_SIZE = "SIZE|infinity"
_SHARE = "SIZE|PERCENT|infinity"
_CPUS = "NUMBER[-NUMBER],…"
_IP = "PREFIX…|any|localhost|link-local|multicast"
_BIND = "[ipv4|ipv6:][tcp|udp:]PORTS|any"

CONTROL: dict[str, Row] = {
    # CPU
    "CPUAccounting": (boolean, False, "CPUAccounting", "b", 208, True, "yes|no", "Count CPU time.", "yes"),
    "CPUWeight": (
        *(cpu_weight, False, "CPUWeight", "t", 232, True),
        *("1-10000|idle", "Share of the CPU among siblings when it is scarce; 100 is usual.", "50"),
    ),
    "StartupCPUWeight": (
        *(cpu_weight, False, "StartupCPUWeight", "t", 232, True),
        *("1-10000|idle", "CPUWeight= while the machine starts up or shuts down.", "idle"),
    ),
    "CPUQuota": (
        *(cpu_quota, False, "CPUQuotaPerSecUSec", "t", 213, True),
        *("PERCENT", "CPU time at most, in percent of one CPU; 200% are two.", "30%"),
    ),
    "CPUQuotaPeriodSec": (
        *(usec, False, "CPUQuotaPeriodUSec", "t", 242, True),
        *("TIME", "The period over which CPUQuota= is measured, 1ms to 1s.", "10ms"),
    ),
    "AllowedCPUs": (
        *(cpu_set, True, "AllowedCPUs", "ay", 244, True),
        *(_CPUS, "The CPUs that processes may run on.", "0-3,8"),
    ),
    "StartupAllowedCPUs": (
        *(cpu_set, True, "StartupAllowedCPUs", "ay", 250, True),
        *(_CPUS, "AllowedCPUs= while the machine starts up or shuts down.", "0"),
    ),
    "AllowedMemoryNodes": (
        *(cpu_set, True, "AllowedMemoryNodes", "ay", 244, True),
        *(_CPUS, "The NUMA nodes that memory may come from.", "0"),
    ),
    "StartupAllowedMemoryNodes": (
        *(cpu_set, True, "StartupAllowedMemoryNodes", "ay", 250, True),
        *(_CPUS, "AllowedMemoryNodes= while the machine starts up or shuts down.", "0-1"),
    ),
    "CPUSetPartition": (
        *(choice("member", "root", "isolated"), False, "CPUSetPartition", "s", 261, True),
        *("member|root|isolated", "Keep AllowedCPUs= to itself, if all slices above do so, too.", "member"),
    ),
    # Memory
    "MemoryAccounting": (boolean, False, "MemoryAccounting", "b", 208, True, "yes|no", "Count memory.", "yes"),
    "MemoryMin": (
        *(memory("MemoryMin", zero=True), False, "MemoryMin", "t", 240, True),
        *(_SHARE, "Memory that is never taken away.", "64M"),
    ),
    "MemoryLow": (
        *(memory("MemoryLow", zero=True), False, "MemoryLow", "t", 231, True),
        *(_SHARE, "Memory that is taken away last.", "128M"),
    ),
    "StartupMemoryLow": (
        *(memory("StartupMemoryLow", zero=True, share=False), False, "StartupMemoryLow", "t", 254, True),
        *(_SIZE, "MemoryLow= while the machine starts up or shuts down.", "64M"),
    ),
    "DefaultMemoryMin": (
        *(memory("DefaultMemoryMin", zero=True), False, "DefaultMemoryMin", "t", 243, True),
        *(_SHARE, "MemoryMin= of the units below this one.", "16M"),
    ),
    "DefaultMemoryLow": (
        *(memory("DefaultMemoryLow", zero=True), False, "DefaultMemoryLow", "t", 243, True),
        *(_SHARE, "MemoryLow= of the units below this one.", "16M"),
    ),
    "DefaultStartupMemoryLow": (
        *(memory("DefaultStartupMemoryLow", zero=True, share=False), False, "DefaultStartupMemoryLow", "t", 254, True),
        *(_SIZE, "StartupMemoryLow= of the units below this one.", "16M"),
    ),
    "MemoryHigh": (
        *(memory("MemoryHigh"), False, "MemoryHigh", "t", 231, True),
        *(_SHARE, "Memory above which processes are slowed down.", "768M"),
    ),
    "StartupMemoryHigh": (
        *(memory("StartupMemoryHigh", share=False), False, "StartupMemoryHigh", "t", 254, True),
        *(_SIZE, "MemoryHigh= while the machine starts up or shuts down.", "1G"),
    ),
    "MemoryMax": (
        *(memory("MemoryMax"), False, "MemoryMax", "t", 231, True),
        *(_SHARE, "Memory at most; beyond it the kernel kills.", "1G"),
    ),
    "StartupMemoryMax": (
        *(memory("StartupMemoryMax", share=False), False, "StartupMemoryMax", "t", 254, True),
        *(_SIZE, "MemoryMax= while the machine starts up or shuts down.", "2G"),
    ),
    "MemorySwapMax": (
        *(memory("MemorySwapMax", zero=True), False, "MemorySwapMax", "t", 232, True),
        *(_SHARE, "Swap at most.", "0"),
    ),
    "StartupMemorySwapMax": (
        *(memory("StartupMemorySwapMax", zero=True, share=False), False, "StartupMemorySwapMax", "t", 254, True),
        *(_SIZE, "MemorySwapMax= while the machine starts up or shuts down.", "1G"),
    ),
    "MemoryZSwapMax": (
        *(memory("MemoryZSwapMax", zero=True), False, "MemoryZSwapMax", "t", 253, True),
        *(_SHARE, "Compressed swap in memory at most.", "64M"),
    ),
    "StartupMemoryZSwapMax": (
        *(memory("StartupMemoryZSwapMax", zero=True, share=False), False, "StartupMemoryZSwapMax", "t", 254, True),
        *(_SIZE, "MemoryZSwapMax= while the machine starts up or shuts down.", "64M"),
    ),
    "MemoryZSwapWriteback": (
        *(boolean, False, "MemoryZSwapWriteback", "b", 256, True),
        *("yes|no", "Whether compressed swap may go on to disk.", "no"),
    ),
    # Tasks
    "TasksAccounting": (boolean, False, "TasksAccounting", "b", 227, True, "yes|no", "Count tasks.", "yes"),
    "TasksMax": (
        *(tasks_max, False, "TasksMax", "t", 227, True),
        *("NUMBER|PERCENT|infinity", "Processes and threads at most.", "512"),
    ),
    # IO
    "IOAccounting": (boolean, False, "IOAccounting", "b", 230, True, "yes|no", "Count disk traffic.", "yes"),
    "IOWeight": (
        *(weight, False, "IOWeight", "t", 230, True),
        *("1-10000", "Share of disk time among siblings; 100 is usual.", "200"),
    ),
    "StartupIOWeight": (
        *(weight, False, "StartupIOWeight", "t", 230, True),
        *("1-10000", "IOWeight= while the machine starts up or shuts down.", "200"),
    ),
    "IODeviceWeight": (
        *(io_weight, True, "IODeviceWeight", "a(st)", 230, True),
        *("PATH 1-10000", "IOWeight= for one disk, given by node or by a file on it.", "/dev/sda 200"),
    ),
    "IOReadBandwidthMax": (
        *(io_limit, True, "IOReadBandwidthMax", "a(st)", 230, True),
        *("PATH SIZE|infinity", "Bytes read from one disk each second at most.", "/dev/sda 5M"),
    ),
    "IOWriteBandwidthMax": (
        *(io_limit, True, "IOWriteBandwidthMax", "a(st)", 230, True),
        *("PATH SIZE|infinity", "Bytes written to one disk each second at most.", "/dev/sda 5M"),
    ),
    "IOReadIOPSMax": (
        *(io_limit, True, "IOReadIOPSMax", "a(st)", 230, True),
        *("PATH NUMBER|infinity", "Reads from one disk each second at most.", "/dev/sda 1K"),
    ),
    "IOWriteIOPSMax": (
        *(io_limit, True, "IOWriteIOPSMax", "a(st)", 230, True),
        *("PATH NUMBER|infinity", "Writes to one disk each second at most.", "/dev/sda 1K"),
    ),
    "IODeviceLatencyTargetSec": (
        *(io_latency, True, "IODeviceLatencyTargetUSec", "a(st)", 240, True),
        *("PATH TIME", "Answer time of one disk to aim for.", "/dev/sda 25ms"),
    ),
    # Network
    "IPAccounting": (boolean, False, "IPAccounting", "b", 235, True, "yes|no", "Count IP traffic.", "yes"),
    "IPAddressAllow": (
        *(addresses, True, "IPAddressAllow", "a(iayu)", 235, True),
        *(_IP, "IP addresses that may be talked to.", "10.0.0.0/8 localhost"),
    ),
    "IPAddressDeny": (
        *(addresses, True, "IPAddressDeny", "a(iayu)", 235, True),
        *(_IP, "IP addresses that may not be talked to.", "any"),
    ),
    "SocketBindAllow": (
        *(socket_bind, True, "SocketBindAllow", "a(iiqq)", 249, True),
        *(_BIND, "Ports that sockets may be bound to.", "ipv4:tcp:8000-8080"),
    ),
    "SocketBindDeny": (
        *(socket_bind, True, "SocketBindDeny", "a(iiqq)", 249, True),
        *(_BIND, "Ports that sockets may not be bound to.", "any"),
    ),
    "RestrictNetworkInterfaces": (
        *(interfaces, True, "RestrictNetworkInterfaces", "(bas)", 250, True),
        *(
            "[~]NAME…",
            "Interfaces that may be used, or with ~ may not: of the host's, with Network=host; else lo.",
            "~lo",
        ),
    ),
    "BindNetworkInterface": (
        *(interface, False, "BindNetworkInterface", "s", 260, True),
        *("NAME", "Interface of the host's that every new socket is bound to, for Network=host.", "lo"),
    ),
    "NFTSet": (
        *(nft_set, True, "NFTSet", "a(iiss)", 255, True),
        *(
            "cgroup:FAMILY:TABLE:SET…",
            "NFT sets that the control group's number is put into.",
            "cgroup:inet:filter:web",
        ),
    ),
    "IPIngressFilterPath": (
        *(filter_path, True, "IPIngressFilterPath", "as", 243, False),
        *("PATH", "Pinned BPF programs that filter what comes in.", "/sys/fs/bpf/in"),
    ),
    "IPEgressFilterPath": (
        *(filter_path, True, "IPEgressFilterPath", "as", 243, False),
        *("PATH", "Pinned BPF programs that filter what goes out.", "/sys/fs/bpf/out"),
    ),
    "BPFProgram": (
        *(bpf_program, True, "BPFProgram", "a(ss)", 249, False),
        *("TYPE:PATH", "Pinned BPF programs to attach.", "egress:/sys/fs/bpf/out"),
    ),
    # Devices
    "DeviceAllow": (
        *(device_allow, True, "DeviceAllow", "a(ss)", 208, True),
        *("PATH|char-NAME|block-NAME [rwm]", "Devices that may be used.", "/dev/fuse rw"),
    ),
    "DevicePolicy": (
        *(choice("auto", "closed", "strict"), False, "DevicePolicy", "s", 208, True),
        *("auto|closed|strict", "Devices allowed beside DeviceAllow=.", "closed"),
    ),
    # Out of memory
    "ManagedOOMSwap": (
        *(choice("auto", "kill"), False, "ManagedOOMSwap", "s", 247, True),
        *("auto|kill", "Whether systemd-oomd kills when swap runs out.", "kill"),
    ),
    "ManagedOOMMemoryPressure": (
        *(choice("auto", "kill"), False, "ManagedOOMMemoryPressure", "s", 247, True),
        *("auto|kill", "Whether systemd-oomd kills when memory is under pressure.", "kill"),
    ),
    "ManagedOOMMemoryPressureLimit": (
        *(pressure_limit, False, "ManagedOOMMemoryPressureLimit", "u", 247, True),
        *("PERCENT", "Pressure at which it does.", "60%"),
    ),
    "ManagedOOMMemoryPressureDurationSec": (
        *(pressure_duration, False, "ManagedOOMMemoryPressureDurationUSec", "t", 257, True),
        *("TIME", "For how long the pressure must last.", "20s"),
    ),
    "ManagedOOMPreference": (
        *(choice("none", "avoid", "omit"), False, "ManagedOOMPreference", "s", 248, True),
        *("none|avoid|omit", "Whether systemd-oomd spares the unit.", "avoid"),
    ),
    "OOMRules": (
        *(rule_names, True, "OOMRules", "as", 261, True),
        *("NAME…", "Rules of systemd-oomd, /etc/systemd/oomd/rules.d/NAME.oomrule.", "batch"),
    ),
    # Controllers
    "DisableControllers": (
        *(controllers, True, "DisableControllers", "as", 240, True),
        *("CONTROLLER…", "Controllers to keep off below this unit.", "cpu"),
    ),
}

# Of a slice only: how many units may be in it.
CONCURRENCY: dict[str, Row] = {
    "ConcurrencySoftMax": (
        *(concurrency, False, "ConcurrencySoftMax", "u", 258, False),
        *("NUMBER|infinity", "Units that run in the slice at once; more of them wait.", "10"),
    ),
    "ConcurrencyHardMax": (
        *(concurrency, False, "ConcurrencyHardMax", "u", 258, False),
        *("NUMBER|infinity", "Units that run in the slice at once; more of them fail to start.", "20"),
    ),
    "ActivatingConcurrencyMax": (
        *(concurrency, False, "ActivatingConcurrencyMax", "u", 262, False),
        *("NUMBER|infinity", "Units of the slice that are being started at once; more of them wait.", "2"),
    ),
}


def _watch(kind: str, what: str, since: int) -> dict[str, Row]:
    return {
        f"{kind}PressureWatch": (
            *(pressure_watch, False, f"{kind}PressureWatch", "s", since, False),
            *("auto|yes|no|skip", f"Tell the program where to watch its pressure on {what}.", "yes"),
        ),
        f"{kind}PressureThresholdSec": (
            *(usec, False, f"{kind}PressureThresholdUSec", "t", since, False),
            *("TIME", "Pressure in each 2s at which it is told.", "150ms"),
        ),
    }


# Of a service only: a slice cannot be delegated, and has no program to be told anything.
DELEGATION: dict[str, Row] = {
    **_watch("Memory", "memory", 254),
    **_watch("CPU", "the CPU", 261),
    **_watch("IO", "disks", 261),
    "Delegate": (
        *(delegate, False, "Delegate", "b", 218, False),
        *("yes|no|CONTROLLER…", "Controllers that the container may use for groups of its own.", "cpu memory pids"),
    ),
    "CoredumpReceive": (
        *(boolean, False, "CoredumpReceive", "b", 255, False),
        *("yes|no", "Send crash dumps into the container's own systemd-coredump.", "yes"),
    ),
}
