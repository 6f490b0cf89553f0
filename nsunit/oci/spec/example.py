"""What `spec` writes: a config.json to begin with, as that of runc."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = "1.2.0"  # what engines of today read and write
_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
_PRIVATE = ("nosuid", "noexec", "nodev")
_MOUNTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("/proc", "proc", "proc", ()),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/dev/shm", "tmpfs", "shm", (*_PRIVATE, "mode=1777", "size=65536k")),
    ("/dev/mqueue", "mqueue", "mqueue", _PRIVATE),
    ("/sys", "sysfs", "sysfs", (*_PRIVATE, "ro")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", (*_PRIVATE, "relatime", "ro")),
)
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi", "/sys/devices/virtual/tpm"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")


def config(rootless: tuple[int, int] | None = None) -> dict[str, Any]:
    """The content of config.json; *rootless*: for the user and group with these ids, mapped to root inside."""
    return {
        "ociVersion": VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {name: list(_CAPABILITIES) for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "nsunit",
        "mounts": [_mount(*item, rootless=rootless is not None) for item in _MOUNTS],
        "linux": _linux(rootless),
    }


def _mount(place: str, kind: str, source: str, options: tuple[str, ...], *, rootless: bool) -> dict[str, Any]:
    if rootless and place == "/sys":  # sysfs is the network namespace's, which stays the caller's
        kind, source, options = "none", "/sys", ("rbind", *_PRIVATE, "ro")
    kept = [option for option in options if not (rootless and option.startswith(("gid=", "uid=")))]
    return {"destination": place, "type": kind, "source": source, **({"options": kept} if kept else {})}


def _linux(rootless: tuple[int, int] | None) -> dict[str, Any]:
    names = [name for name in _NAMESPACES if rootless is None or name != "network"]
    hidden = {"maskedPaths": list(_MASKED), "readonlyPaths": list(_READ_ONLY)}
    if rootless is None:
        limits = {"devices": [{"allow": False, "access": "rwm"}]}
        return {"resources": limits, "namespaces": [{"type": name} for name in names], **hidden}
    maps = {
        name: [{"containerID": 0, "hostID": number, "size": 1}]
        for name, number in zip(("uidMappings", "gidMappings"), rootless, strict=True)
    }
    return {**maps, "namespaces": [{"type": name} for name in (*names, "user")], **hidden}
