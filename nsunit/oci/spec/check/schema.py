"""The fields of runtime-spec 1.3 that Linux has, by the names and Go types of its specs-go: shapes, see there.

Words that a field takes are here where nobody else looks them up.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STRINGS = ("list", "string")
WORDS_OF_STRINGS = ("map", "string")

CAPABILITY_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")

_USER = {
    "uid": "uint32",
    "gid": "uint32",
    "umask": "uint32",
    "additionalGids": ("list", "uint32"),
    "username": "string",
}
_MAPPINGS = ("list", {"containerID": "uint32", "hostID": "uint32", "size": "uint32"})
_HOOKS = ("list", {"path!": "string", "args": STRINGS, "env": STRINGS, "timeout": "int"})

PROCESS: dict[str, Any] = {
    "terminal": "bool",
    "consoleSize": {"height": "uint64", "width": "uint64"},
    "user": _USER,
    "args": STRINGS,
    "commandLine": "string",
    "env": STRINGS,
    "cwd": "string",
    "capabilities": dict.fromkeys(CAPABILITY_SETS, STRINGS),
    "rlimits": ("list", {"type!": "string", "hard": "uint64", "soft": "uint64"}),
    "noNewPrivileges": "bool",
    "apparmorProfile": "string",
    "oomScoreAdj": "int",
    "scheduler": {
        "policy!": "string",
        "nice": "int32",
        "priority": "int32",
        "flags": STRINGS,
        "runtime": "uint64",
        "deadline": "uint64",
        "period": "uint64",
    },
    "selinuxLabel": "string",
    "ioPriority": {"class!": "string", "priority": "int"},
    "execCPUAffinity": {"initial": "string", "final": "string"},
}

_DEVICE = {"major": "int64", "minor": "int64"}
_RATES = ("list", {**_DEVICE, "rate": "uint64"})
RESOURCES: dict[str, Any] = {
    "devices": ("list", {"allow": "bool", "type": ("one", ("", "a", "b", "c")), **_DEVICE, "access": "string"}),
    "memory": {
        **dict.fromkeys(("limit", "reservation", "swap", "kernel", "kernelTCP"), "int64"),
        "swappiness": "uint64",
        **dict.fromkeys(("disableOOMKiller", "useHierarchy", "checkBeforeUpdate"), "bool"),
    },
    "cpu": {
        **dict.fromkeys(("shares", "burst", "period", "realtimePeriod"), "uint64"),
        **dict.fromkeys(("quota", "realtimeRuntime", "idle"), "int64"),
        **dict.fromkeys(("cpus", "mems"), "string"),
    },
    "pids": {"limit": "int64"},
    "blockIO": {
        "weight": "uint16",
        "leafWeight": "uint16",
        "weightDevice": ("list", {**_DEVICE, "weight": "uint16", "leafWeight": "uint16"}),
        **{f"throttle{way}{what}Device": _RATES for way in ("Read", "Write") for what in ("Bps", "IOPS")},
    },
    "hugepageLimits": ("list", {"pageSize!": "string", "limit": "uint64"}),
    "network": {"classID": "uint32", "priorities": ("list", {"name": "string", "priority": "uint32"})},
    "rdma": ("map", {"hcaHandles": "uint32", "hcaObjects": "uint32"}),
    "unified": WORDS_OF_STRINGS,
}

SECCOMP_ACTIONS = tuple(
    f"SCMP_ACT_{name}"
    for name in ("ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "TRACE", "TRAP")
)
SECCOMP_OPERATORS = tuple(f"SCMP_CMP_{name}" for name in ("EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"))
SECCOMP_ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in (
        *("AARCH64", "ARM", "LOONGARCH64", "M68K", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32"),
        *("PARISC", "PARISC64", "PPC", "PPC64", "PPC64LE", "RISCV64", "S390", "S390X", "SH", "SHEB", "X32", "X86"),
        "X86_64",
    )
)
SECCOMP_FLAGS = tuple(f"SECCOMP_FILTER_FLAG_{name}" for name in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"))
SECCOMP: dict[str, Any] = {
    "defaultAction!": ("one", SECCOMP_ACTIONS),
    "defaultErrnoRet": "uint16",
    "architectures": ("list", ("one", SECCOMP_ARCHITECTURES)),
    "flags": ("list", ("one", SECCOMP_FLAGS)),
    "listenerPath": "string",
    "listenerMetadata": "string",
    "syscalls": (
        "list",
        {
            "names!": STRINGS,
            "action!": ("one", SECCOMP_ACTIONS),
            "errnoRet": "uint16",
            "args": (
                "list",
                {"index": "uint32", "value": "uint64", "valueTwo": "uint64", "op!": ("one", SECCOMP_OPERATORS)},
            ),
        },
    ),
}

CONFIG: dict[str, Any] = {
    "ociVersion!": "string",
    "process": PROCESS,
    "root": {"path!": "string", "readonly": "bool"},
    "hostname": "string",
    "domainname": "string",
    "mounts": (
        "list",
        {
            "destination!": "string",
            "type": "string",
            "source": "string",
            "options": STRINGS,
            "uidMappings": _MAPPINGS,
            "gidMappings": _MAPPINGS,
        },
    ),
    "hooks": dict.fromkeys(HOOKS, _HOOKS),
    "annotations": WORDS_OF_STRINGS,
    "linux": {
        "uidMappings": _MAPPINGS,
        "gidMappings": _MAPPINGS,
        "sysctl": WORDS_OF_STRINGS,
        "resources": RESOURCES,
        "cgroupsPath": "string",
        "namespaces": ("list", {"type!": "string", "path": "string"}),
        "devices": (
            "list",
            {
                "path!": "string",
                "type!": "string",
                **_DEVICE,
                "fileMode": "uint32",
                "uid": "uint32",
                "gid": "uint32",
            },
        ),
        "netDevices": ("map", {"name": "string"}),
        "seccomp": SECCOMP,
        "rootfsPropagation": "string",
        "maskedPaths": STRINGS,
        "readonlyPaths": STRINGS,
        "mountLabel": "string",
        "intelRdt": {},
        "memoryPolicy": {
            "mode!": "string",
            "nodes": "string",
            "flags": STRINGS,
        },
        "personality": {"domain!": "string", "flags": STRINGS},
        "timeOffsets": ("map", {"secs": "int64", "nanosecs": "uint32"}),
    },
}
