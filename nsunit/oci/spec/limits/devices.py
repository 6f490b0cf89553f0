"""Which devices a container may use: the rules of config.json, as systemd takes them and as a program for the kernel.

The rules stand in an order, each allowing or denying on top of the ones before, as cgroup v1 took them.  Both takers
want a set: all or nothing, and exceptions to that.
"""

from __future__ import annotations

import struct

from nsunit.oci.spec.check.shapes import FieldError
from nsunit.record import Record
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Device = tuple[str, int | None, int | None]  # c or b, major, minor; None is any

_ACCESS = {"m": 1, "r": 2, "w": 4}  # as in BPF_DEVCG_ACC_*
_ALL = 7
_TYPES = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_*
_FAMILIES = {"b": "block", "c": "char"}

# What every container has in /dev, and may make nodes of: runtime-spec, and both other runtimes.
_DEFAULT: tuple[tuple[Device, int], ...] = (
    (("c", None, None), _ACCESS["m"]),
    (("b", None, None), _ACCESS["m"]),
    (("c", 1, 3), _ALL),  # null
    (("c", 1, 5), _ALL),  # zero
    (("c", 1, 7), _ALL),  # full
    (("c", 1, 8), _ALL),  # random
    (("c", 1, 9), _ALL),  # urandom
    (("c", 5, 0), _ALL),  # tty
    (("c", 5, 2), _ALL),  # ptmx
    (("c", 136, None), _ALL),  # pts/*
)


class Rules(Record):
    """All devices are allowed or none are, but for the exceptions: for each of them accesses, as a mask."""

    allowed: bool
    exceptions: tuple[tuple[Device, int], ...] = ()


def rules_of(said: Iterable[dict[str, Any]]) -> Rules | None:
    """The rules of `linux.resources.devices`, with the devices that every container has.

    Those in `linux.devices` are none of these: a node may be there for less than its user could do with it.  None where
    nothing was said: all devices are allowed.

    Raises:
        FieldError: a rule cannot be had.
    """
    rules: Rules | None = None
    for index, item in enumerate(said):
        rules = _added(rules or Rules(True), item, f"linux.resources.devices[{index}]")
    if rules is None:
        return None
    if rules.allowed:
        return rules
    for device, access in _DEFAULT:
        rules = _changed(rules, device, access, "", allow=True)
    return rules


def _added(rules: Rules, item: dict[str, Any], where: str) -> Rules:
    allow = bool(item.get("allow"))
    kind = item.get("type") or "a"
    major, minor = (None if number is None or number == -1 else number for number in map(item.get, ("major", "minor")))
    access = _mask(item.get("access") or "", f"{where}.access")
    for name, number in (("major", major), ("minor", minor)):
        if number is not None and number < 0:
            raise FieldError(f"{where}.{name}", f"{number} is no number of a device")
    if major is None and minor is not None:
        raise FieldError(f"{where}.major", "it is missing, and minor alone is no device")
    if kind == "a":
        if major is not None:
            raise FieldError(f"{where}.type", "it is missing: a number is of a device of type 'b' or 'c'")
        if access == _ALL:
            return Rules(allow)
        rules = _changed(rules, ("b", None, None), access, where, allow=allow)
        return _changed(rules, ("c", None, None), access, where, allow=allow)
    return _changed(rules, (kind, major, minor), access, where, allow=allow)


def _mask(text: str, where: str) -> int:
    mask = 0
    for letter in text:
        if letter not in _ACCESS:
            raise FieldError(where, f"'{text}' has other letters than r, w and m")
        mask |= _ACCESS[letter]
    return mask or _ALL  # runc takes no word for all


def _changed(rules: Rules, device: Device, access: int, where: str, *, allow: bool) -> Rules:
    exceptions = dict(rules.exceptions)
    if allow == rules.allowed:
        # It takes from the exceptions, from those that it covers as a whole: one of a part of one cannot be said.
        for other in list(exceptions):
            if other != device and _covers(other, device) and exceptions[other] & access:
                raise FieldError(where, "it takes back a part of what a rule before it says of more devices")
            if _covers(device, other):
                exceptions[other] &= ~access
                if not exceptions[other]:
                    del exceptions[other]
    else:
        exceptions[device] = exceptions.get(device, 0) | access
    return rules.replace(exceptions=tuple(exceptions.items()))


def _covers(one: Device, other: Device) -> bool:
    return one[0] == other[0] and one[1] in (None, other[1]) and one[2] in (None, other[2])


def properties_of(rules: Rules | None) -> tuple[Property, ...]:
    """The properties of a unit that allow what *rules* allow, or as much as systemd can: it has no exceptions from all.

    See `needs_program`.
    """
    if rules is None or rules.allowed:
        return (Property("DevicePolicy", "s", "auto"), Property("DeviceAllow", "a(ss)", ()))
    entries = tuple((_path(device), _letters(access)) for device, access in rules.exceptions)
    return (Property("DevicePolicy", "s", "strict"), Property("DeviceAllow", "a(ss)", entries))


def needs_program(rules: Rules | None) -> bool:
    """Whether a unit with `properties_of` allows more than *rules* do."""
    return rules is not None and rules.allowed and bool(rules.exceptions)


def _path(device: Device) -> str:
    family, (_, major, minor) = _FAMILIES[device[0]], device
    if major is None:
        return f"{family}-*"
    # systemd reads the numbers from such a path, there or not; those in /proc/devices have no name for some.
    return f"{family}-{major}" if minor is None else f"/dev/{family}/{major}:{minor}"


def _letters(access: int) -> str:
    return "".join(letter for letter in "rwm" if access & _ACCESS[letter])


# --- the program: struct bpf_cgroup_dev_ctx has access and type in one word, major and minor in the next two

_LOAD, _MOVE, _MOVE_REGISTER, _AND, _SHIFT_RIGHT = 0x61, 0xB7, 0xBF, 0x57, 0x77
_JUMP_EQUAL, _JUMP_NOT_EQUAL, _EXIT = 0x15, 0x55, 0x95
_RESULT, _CONTEXT, _TYPE, _ACCESSES, _MAJOR, _MINOR = 0, 1, 2, 3, 4, 5
_SCRATCH = 6


def program_of(rules: Rules) -> bytes:
    """A program of type BPF_PROG_TYPE_CGROUP_DEVICE that answers as *rules* say: an array of `struct bpf_insn`.

    As in cgroup v1, what is asked for has to be allowed by one exception as a whole; being denied in part is enough.
    """
    parts = [
        _instruction(_LOAD, _TYPE, _CONTEXT, 0),
        _instruction(_MOVE_REGISTER, _ACCESSES, _TYPE),
        _instruction(_AND, _TYPE, value=0xFFFF),
        _instruction(_SHIFT_RIGHT, _ACCESSES, value=16),
        _instruction(_LOAD, _MAJOR, _CONTEXT, 4),
        _instruction(_LOAD, _MINOR, _CONTEXT, 8),
    ]
    for device, access in rules.exceptions:
        parts += _exception(device, access, allow=not rules.allowed)
    parts += _answer(allow=rules.allowed)
    return b"".join(parts)


def _exception(device: Device, access: int, *, allow: bool) -> list[bytes]:
    kind, major, minor = device
    checks: list[tuple[int, int, int]] = [(_JUMP_NOT_EQUAL, _TYPE, _TYPES[kind])]
    if major is not None:
        checks.append((_JUMP_NOT_EQUAL, _MAJOR, major))
    if minor is not None:
        checks.append((_JUMP_NOT_EQUAL, _MINOR, minor))
    answer = _answer(allow=allow)
    outside = ~access & _ALL if allow else access
    masked: list[bytes] = []
    if outside and not (not allow and access == _ALL):
        jump = _JUMP_NOT_EQUAL if allow else _JUMP_EQUAL
        masked = [
            _instruction(_MOVE_REGISTER, _SCRATCH, _ACCESSES),
            _instruction(_AND, _SCRATCH, value=outside),
            _instruction(jump, _SCRATCH, offset=len(answer), value=0),
        ]
    after = len(masked) + len(answer)
    jumps = [
        _instruction(code, register, offset=len(checks) - 1 - place + after, value=number)
        for place, (code, register, number) in enumerate(checks)
    ]
    return [*jumps, *masked, *answer]


def _answer(*, allow: bool) -> list[bytes]:
    return [_instruction(_MOVE, _RESULT, value=int(allow)), _instruction(_EXIT)]


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", code, source << 4 | target, offset, value)
