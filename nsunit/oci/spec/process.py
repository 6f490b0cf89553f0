"""The names of `process`: capabilities, limits, schedulers, classes, policies."""

from __future__ import annotations

from nsunit.oci.spec.fields import wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN"
    " SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE"
    " MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES = {f"CAP_{name}": number for number, name in enumerate(_CAPABILITIES.split())}
_LIMITS = "CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME"
LIMITS = {f"RLIMIT_{name}": number for number, name in enumerate(_LIMITS.split())}
POLICIES = {"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5}
POLICIES["SCHED_DEADLINE"] = 6
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 1,
    "SCHED_FLAG_RECLAIM": 2,
    "SCHED_FLAG_DL_OVERRUN": 4,
    "SCHED_FLAG_KEEP_POLICY": 8,
    "SCHED_FLAG_KEEP_PARAMS": 16,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 32,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 64,
}
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
PERSONAS = {"LINUX": 0, "LINUX32": 8}
MEMORY_MODES = {
    "MPOL_DEFAULT": 0,
    "MPOL_PREFERRED": 1,
    "MPOL_BIND": 2,
    "MPOL_INTERLEAVE": 3,
    "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
MEMORY_FLAGS = {"MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13}
CLONE_KINDS = {
    "pid": "pid",
    "network": "net",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "user": "user",
    "cgroup": "cgroup",
    "time": "time",
}


def mask(names: Sequence[str]) -> int:
    """The bits of capabilities by name; those this program does not know are left out, as runc does."""
    return sum({1 << CAPABILITIES[name] for name in names if name in CAPABILITIES})


def look_up(table: dict[str, int], name: object, where: str) -> int:
    """The number of *name* in *table*.

    Raises:
        SpecError: it has none.
    """
    if not isinstance(name, str) or name not in table:
        raise wrong(where, f"'{name}' is none of {', '.join(table)}")
    return table[name]


def cpu_set(text: str, where: str) -> frozenset[int]:
    """The numbers of a list such as `0-3,5`.

    Raises:
        SpecError: it is none.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)) or (dash and int(last) < int(first)):
            raise wrong(where, f"'{text}' is no list such as 0-3,5")
        if int(last or first) > 8191:
            raise wrong(where, f"'{text}' goes beyond 8191")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def node_mask(nodes: frozenset[int]) -> bytes:
    """The mask that set_mempolicy(2) takes."""
    number = sum(1 << node for node in nodes)
    words = max(1, (number.bit_length() + 63) // 64)
    return number.to_bytes(8 * words, "little") if nodes else b""
