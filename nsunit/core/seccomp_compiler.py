"""Making a seccomp filter, with libseccomp for the numbers of system calls."""

from __future__ import annotations

import ctypes

from nsunit.errors import NsunitError
from nsunit.plan.bpf import AUDIT_ARCHITECTURES, assemble
from nsunit.plan.syscalls import rules_for

LIBRARY = "libseccomp.so.2"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

    from nsunit.plan.syscalls import Rule


def filter_of(capabilities: tuple[str, ...], architecture: str, library: str) -> bytes:
    """The filter of a container that holds *capabilities*, made by libseccomp, which is at *library*.

    Raises what `compile` raises.
    """
    return compile(rules_for(capabilities), architecture, library)


def compile(rules: tuple[Rule, ...], architecture: str, library: str) -> bytes:  # noqa: A001 - it is what it does
    """Return *rules* as an array of `struct sock_filter` for *architecture* (as uname(2) names it).

    Raises:
        NsunitError: libseccomp is missing, or there is no filter for the architecture.
    """
    if architecture not in AUDIT_ARCHITECTURES:
        raise NsunitError(
            f"no seccomp filter for architecture '{architecture}'",
            hint=f"nsunit runs on {', '.join(AUDIT_ARCHITECTURES)}",
        )
    names = {name for rule in rules for name in rule.syscalls}
    return assemble(rules, syscall_numbers(names, architecture, library), architecture)


def syscall_numbers(names: set[str], architecture: str, library: str) -> dict[str, int]:
    """Return the numbers of the system calls *names* on *architecture*.

    A name is left out if the architecture has no such call (`open` on arm64) or libseccomp is older than it
    (`mseal` on Debian 12).  Its number then has no rule and is answered with ENOSYS, as on an older kernel.

    Raises:
        NsunitError: libseccomp is missing or does not know the architecture.
    """
    loaded = _load(library)
    loaded.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    token = loaded.seccomp_arch_resolve_name(architecture.encode())
    if not token:
        raise NsunitError(f"libseccomp does not know architecture '{architecture}'", hint="install a newer libseccomp")
    resolve = loaded.seccomp_syscall_resolve_name_arch
    resolve.argtypes = (ctypes.c_uint32, ctypes.c_char_p)
    resolve.restype = ctypes.c_int
    numbers = {name: resolve(token, name.encode()) for name in names}
    # __NR_SCMP_ERROR is -1; calls of other architectures have numbers of libseccomp's own below that.
    return {name: number for name, number in numbers.items() if number >= 0}


def library_version(library: str) -> str:
    """Return the version of the libseccomp at *library*, `2.6.0`.

    Raises:
        NsunitError: libseccomp is missing.
    """
    loaded = _load(library)
    loaded.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint * 3)
    return ".".join(str(number) for number in loaded.seccomp_version().contents)


def _load(library: str) -> CDLL:
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise NsunitError(
            f"cannot load '{LIBRARY}': {error}", hint="install libseccomp2 (Debian) or libseccomp (elsewhere)"
        ) from error
