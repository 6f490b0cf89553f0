"""From a seccomp profile of runtime-spec to a program, by libseccomp.

libseccomp knows what this takes: the numbers of all architectures, socketcall(2) and ipc(2), x32, comparisons of 64
bits in halves.  Both other runtimes make their programs with it, so that a profile means the same here.

One thing is added, as in runc: calls that are newer than all that the profile names get ENOSYS, so that a C library
tries the one before it.  The profile's own answer, mostly EPERM, would be taken for an answer to the call.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from nsunit.errors import NsunitError
from nsunit.oci.spec.check.shapes import FieldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Instruction = tuple[int, int, int, int]

WHERE = "linux.seccomp"
# seccomp.h of libseccomp
_ACTIONS = {
    "SCMP_ACT_KILL_PROCESS": 0x8000_0000,
    "SCMP_ACT_KILL_THREAD": 0x0000_0000,
    "SCMP_ACT_KILL": 0x0000_0000,
    "SCMP_ACT_TRAP": 0x0003_0000,
    "SCMP_ACT_ERRNO": 0x0005_0000,
    "SCMP_ACT_NOTIFY": 0x7FC0_0000,
    "SCMP_ACT_TRACE": 0x7FF0_0000,
    "SCMP_ACT_LOG": 0x7FFC_0000,
    "SCMP_ACT_ALLOW": 0x7FFF_0000,
}
_OPERATORS = {
    f"SCMP_CMP_{name}": number for number, name in enumerate(("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"), 1)
}
_ATTRIBUTE_NO_NEW_PRIVS, _ATTRIBUTE_OPTIMIZE = 3, 8
_BINARY_TREE = 2
# libseccomp up to 2.5.4 goes wrong over a tree with nothing in it, and a short list needs none.
_TREE_FROM = 32
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
# A tracer knows how to answer calls it does not know.
_LETS_THROUGH = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")

# libseccomp's token of x32 is its own; to the kernel x32 is x86-64 with a bit set in the number.
_X32_BIT = 0x4000_0000
_AUDIT_X86_64 = 0xC000_003E
_LOAD, _RETURN, _ALWAYS, _EQUAL, _GREATER, _BIT = 0x20, 0x06, 0x05, 0x15, 0x25, 0x45
_NUMBER, _ARCHITECTURE = 0, 4
_ENOSYS = 0x0005_0000 | errno.ENOSYS
_INSTRUCTION = struct.Struct("=HBBI")


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class _Library:
    """The functions of libseccomp that are used, with their types."""

    def __init__(self, path: str) -> None:
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            raise NsunitError(
                f"cannot load '{path}': {error}", hint="install libseccomp2 (Debian) or libseccomp (elsewhere)"
            ) from error
        number, pointer, text = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_char_p
        self.init = self._function(library, "seccomp_init", pointer, number)
        self.release = self._function(library, "seccomp_release", None, pointer)
        self.architecture = self._function(library, "seccomp_arch_resolve_name", number, text)
        self.native = self._function(library, "seccomp_arch_native", number)
        self.add_architecture = self._function(library, "seccomp_arch_add", ctypes.c_int, pointer, number)
        self.set = self._function(library, "seccomp_attr_set", ctypes.c_int, pointer, ctypes.c_int, number)
        self.number = self._function(library, "seccomp_syscall_resolve_name_arch", ctypes.c_int, number, text)
        self.add = self._function(
            *(library, "seccomp_rule_add_array", ctypes.c_int, pointer, number, ctypes.c_int, ctypes.c_uint),
            ctypes.POINTER(_Comparison),
        )
        self.export = self._function(library, "seccomp_export_bpf", ctypes.c_int, pointer, ctypes.c_int)

    @staticmethod
    def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
        return function


def compile_profile(profile: dict[str, Any], library_path: str, *, strict: bool = False) -> bytes:
    """Return the program of a checked *profile*, an array of `struct sock_filter`, by the libseccomp at *library_path*.

    *strict*: a name that no architecture has is an error.

    Raises:
        FieldError: *strict* and a name is not known, an architecture is not known, or libseccomp refuses a rule.
        NsunitError: libseccomp is missing.
    """
    library = _Library(library_path)
    default = _answer(profile["defaultAction"], profile.get("defaultErrnoRet"))
    context = library.init(default)
    if not context:
        raise FieldError(f"{WHERE}.defaultAction", f"libseccomp refuses '{profile['defaultAction']}'")
    try:
        tokens = [library.native()]
        for name in profile.get("architectures") or ():
            tokens.append(_token(library, name))
            _done(library.add_architecture(context, tokens[-1]), f"{WHERE}.architectures", but=errno.EEXIST)
        library.set(context, _ATTRIBUTE_NO_NEW_PRIVS, 0)
        if len(profile.get("syscalls") or ()) and _count(profile) > _TREE_FROM:
            library.set(context, _ATTRIBUTE_OPTIMIZE, _BINARY_TREE)  # one older than 2.5 goes through a list
        for index, rule in enumerate(profile.get("syscalls") or ()):
            _add(library, context, rule, default, f"{WHERE}.syscalls[{index}]", strict=strict)
        program = _exported(library, context)
    finally:
        library.release(context)
    if profile["defaultAction"] in _LETS_THROUGH or default == _ENOSYS:
        return program
    return _newer_calls(library, profile, dict.fromkeys(tokens)) + program


def _count(profile: dict[str, Any]) -> int:
    return sum(len(rule["names"]) for rule in profile["syscalls"])


def _answer(action: str, number: int | None) -> int:
    if action in _WITH_ERRNO:
        return _ACTIONS[action] | (errno.EPERM if number is None else number)
    return _ACTIONS[action]


def _token(library: _Library, name: str) -> int:
    token: int = library.architecture(name.removeprefix("SCMP_ARCH_").lower().encode())
    if not token:
        raise FieldError(
            f"{WHERE}.architectures", f"this libseccomp does not know '{name}'", hint="install a newer one"
        )
    return token


def _add(library: _Library, context: int, rule: dict[str, Any], default: int, where: str, *, strict: bool) -> None:
    answer = _answer(rule["action"], rule.get("errnoRet"))
    if answer == default:
        return  # libseccomp refuses what changes nothing
    native = library.native()
    sets = list(_comparisons(rule.get("args") or ()))
    for name in rule["names"]:
        number = library.number(native, name.encode())
        if number == -1:
            if strict:
                raise FieldError(f"{where}.names", f"this libseccomp does not know the system call '{name}'")
            continue
        for items in sets:
            array = (_Comparison * len(items))(*items)
            _done(library.add(context, answer, number, len(items), array), f"{where} ('{name}')")


def _comparisons(arguments: Any) -> Iterator[list[_Comparison]]:
    """The lists of comparisons that have to hold together.

    Where two are about one argument each makes a rule of its own, as with runc: libseccomp has no way to say both.
    """
    made = [
        _Comparison(item.get("index") or 0, _OPERATORS[item["op"]], item.get("value") or 0, item.get("valueTwo") or 0)
        for item in arguments
    ]
    if len({item.arg for item in made}) < len(made):
        yield from ([item] for item in made)
    else:
        yield made


def _done(result: int, where: str, but: int = 0) -> None:
    if result < 0 and -result != but:
        raise FieldError(where, f"libseccomp refuses it: {os.strerror(-result)}")


def _exported(library: _Library, context: int) -> bytes:
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        _done(library.export(context, fd), WHERE)
        size = os.lseek(fd, 0, os.SEEK_CUR)
        return os.pread(fd, size, 0)
    finally:
        os.close(fd)


def _newer_calls(library: _Library, profile: dict[str, Any], tokens: dict[int, None]) -> bytes:
    """Instructions before a program: ENOSYS for numbers above all that *profile* names on an architecture.

    Each architecture has a section that is skipped by the others; what is decided by none goes on to the program.
    """
    x32 = library.architecture(b"x32")
    last = {token: _last_number(library, profile, token) for token in tokens}
    sections: list[list[Instruction]] = []
    for token, number in last.items():
        if number < 0 or token == x32:
            continue
        checks: list[Instruction] = [(_LOAD, 0, 0, _NUMBER)]
        if token == _AUDIT_X86_64:
            checks += _above_of_x32(last.get(x32, -1))
        checks += [(_GREATER, 0, 1, number), (_RETURN, 0, 0, _ENOSYS)]
        sections.append([(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 0, len(checks), token), *checks])
    return b"".join(_INSTRUCTION.pack(*item) for section in sections for item in section)


def _above_of_x32(number: int) -> list[Instruction]:
    """What follows for x86-64: calls of x32 are taken out of its check, with a check of their own if there is one."""
    if number < 0:
        return [(_BIT, 2, 0, _X32_BIT)]
    # Two come after these: the check of x86-64.
    return [(_BIT, 0, 3, _X32_BIT), (_GREATER, 0, 1, number), (_RETURN, 0, 0, _ENOSYS), (_ALWAYS, 0, 0, 2)]


def _last_number(library: _Library, profile: dict[str, Any], token: int) -> int:
    numbers = (library.number(token, name.encode()) for rule in profile.get("syscalls") or () for name in rule["names"])
    return max(numbers, default=-1)
