"""System calls and constants that only runtime-spec needs; see nsunit.setup.linux for the others."""

from __future__ import annotations

import struct

from nsunit.setup import libc, linux
from nsunit.setup.libc import syscall

MOUNT_ATTR_ATIME = 0x70  # a field of its own: relatime 0, noatime 0x10, strictatime 0x20
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT_RAISE = 2
_CALLS = {"personality": (135, 92), "sched_setattr": (314, 274), "prlimit64": (302, 261), "capset": (126, 91)}
_CALLS |= {"seccomp": (317, 277), "set_mempolicy": (238, 237)}
_CAPABILITY_VERSION_3 = 0x20080522


def _call(name: str, *arguments: int | bytes | bytearray | None) -> int:
    column = {"x86_64": 0, "aarch64": 1}.get(linux.MACHINE)
    if column is None:
        raise OSError(38, f"{name}: no system call number known for {linux.MACHINE}")
    return syscall(name, _CALLS[name][column], *arguments)


def personality(persona: int) -> None:
    """personality(2)."""
    _call("personality", persona)


def prlimit(resource: int, soft: int, hard: int) -> None:
    """prlimit(2), of the calling process."""
    _call("prlimit64", 0, resource, struct.pack("=QQ", soft, hard), None)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2): the three sets as bit masks."""
    sets = (effective, permitted, inheritable)
    words = [number >> shift & 0xFFFFFFFF for shift in (0, 32) for number in sets]
    _call("capset", struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), struct.pack("=6I", *words))


def sched_setattr(policy: int, flags: int, nice: int, priority: int, runtime: int, deadline: int, period: int) -> None:
    """sched_setattr(2), of the calling process: a `struct sched_attr` of the first version."""
    attributes = struct.pack("=IIQiIQQQ", 48, policy, flags, nice, priority, runtime, deadline, period)
    _call("sched_setattr", 0, attributes, 0)


def set_mempolicy(mode: int, nodes: bytes) -> None:
    """set_mempolicy(2): *nodes* is a mask in whole words, lowest node first."""
    _call("set_mempolicy", mode, nodes or None, len(nodes) * 8 + 1 if nodes else 0)


def seccomp(program: bytes, flags: int) -> int:
    """seccomp(2) SECCOMP_SET_MODE_FILTER with *flags*; returns a listener's descriptor where these ask for one."""
    filters = bytearray(program)
    fprog = struct.pack("@HP", len(program) // 8, libc.address_of(filters))
    return _call("seccomp", linux.SECCOMP_SET_MODE_FILTER, flags, fprog)


def mount_setattr(
    fd: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, userns_fd: int = 0, recursive: bool = False
) -> None:
    """mount_setattr(2) on the mount behind *fd*.  An access time among *set_* replaces the one there was."""
    if (set_ | clear) & MOUNT_ATTR_ATIME:
        clear |= MOUNT_ATTR_ATIME
    attributes = struct.pack("=QQQQ", set_, clear, propagation, userns_fd)
    flags = linux.AT_EMPTY_PATH | (linux.AT_RECURSIVE if recursive else 0)
    syscall("mount_setattr", linux.SYS_MOUNT_SETATTR, fd, b"", flags, attributes, len(attributes))
