"""System calls and constants that only runtime-spec needs; see nsunit.setup.linux for the others."""

from __future__ import annotations

import struct

from nsunit.setup import linux

MOUNT_ATTR_ATIME = 0x70  # a field of its own: relatime 0, noatime 0x10, strictatime 0x20
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT_RAISE = 2


def personality(persona: int) -> None:
    """personality(2)."""
    linux.old_call("personality", persona)


def prlimit(resource: int, soft: int, hard: int) -> None:
    """prlimit(2), of the calling process."""
    linux.old_call("prlimit64", 0, resource, struct.pack("=QQ", soft, hard), None)


def allow_limits(pid: int, limits: tuple[tuple[int, int, int], ...]) -> None:
    """Raise the limits of process *pid* to those of *limits* (resource, soft, hard): then it can set them all itself.

    In a user namespace nobody may raise a hard one: it takes CAP_SYS_RESOURCE of the host.  Who has none leaves it.
    A soft one, of processes, signals and message queues, holds for the namespace as it is when that is made, whatever
    is set inside (findings/userns-keeps-soft-limits.sh).
    """
    for resource, soft, hard in limits:
        before = bytearray(16)  # struct rlimit64
        linux.old_call("prlimit64", pid, resource, None, before)
        now, highest = struct.unpack("=QQ", before)
        if soft <= now and hard <= highest:
            continue
        try:
            linux.old_call("prlimit64", pid, resource, struct.pack("=QQ", max(now, soft), max(highest, hard)), None)
        except PermissionError:
            linux.old_call("prlimit64", pid, resource, struct.pack("=QQ", max(now, min(soft, highest)), highest), None)


def sched_setattr(policy: int, flags: int, nice: int, priority: int, runtime: int, deadline: int, period: int) -> None:
    """sched_setattr(2), of the calling process: a `struct sched_attr` of the first version."""
    attributes = struct.pack("=IIQiIQQQ", 48, policy, flags, nice, priority, runtime, deadline, period)
    linux.old_call("sched_setattr", 0, attributes, 0)


def mount_setattr(
    fd: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, userns_fd: int = 0, recursive: bool = False
) -> None:
    """As linux.mount_setattr(); an access time among *set_* replaces the one there was."""
    if (set_ | clear) & MOUNT_ATTR_ATIME:
        clear |= MOUNT_ATTR_ATIME
    linux.mount_setattr(fd, set_, clear=clear, propagation=propagation, userns_fd=userns_fd, recursive=recursive)
