"""Loading a program that decides about devices: bpf(2), for a cgroup that systemd does not look after."""

from __future__ import annotations

import struct

from nsunit.setup import libc, linux
from nsunit.setup import system as os

_LICENSE = b"Apache-2.0\0"
_BPF_PROG_LOAD, _BPF_PROG_ATTACH = 5, 8
_BPF_PROG_TYPE_CGROUP_DEVICE = 15
_BPF_CGROUP_DEVICE = 6
_BPF_F_ALLOW_MULTI = 2  # those of the groups above hold all the same
_INSTRUCTION = 8


def restrict(directory: str, program: bytes) -> None:
    """Load *program* (see `spec.devices.program_of`) and attach it to the cgroup whose *directory* is given.

    The kernel keeps it until the group is gone.

    Raises:
        OSError: the caller may not do it, as is so in a user namespace, or the kernel takes no programs.
    """
    cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = _load(program)
        attach = struct.pack("=IIII", cgroup, fd, _BPF_CGROUP_DEVICE, _BPF_F_ALLOW_MULTI)
        linux.bpf(_BPF_PROG_ATTACH, attach)
        os.close(fd)
    finally:
        os.close(cgroup)


def _load(program: bytes) -> int:
    instructions, license_ = bytearray(program), bytearray(_LICENSE)
    addresses = (libc.address_of(instructions), libc.address_of(license_))
    attributes = struct.pack("=IIQQ", _BPF_PROG_TYPE_CGROUP_DEVICE, len(program) // _INSTRUCTION, *addresses)
    return linux.bpf(_BPF_PROG_LOAD, attributes)
