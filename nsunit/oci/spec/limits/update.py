"""New limits of a container that runs: from the options of `update`, from a file, and on top of those it has."""

from __future__ import annotations

from nsunit.oci.spec.check.schema import RESOURCES
from nsunit.oci.spec.check.shapes import INTEGERS, FieldError, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# The options of runc and crun, by the field that they are.
OPTIONS = {
    "blkio-weight": ("blockIO", "weight", "uint16"),
    "cpu-burst": ("cpu", "burst", "uint64"),
    "cpu-idle": ("cpu", "idle", "int64"),
    "cpu-period": ("cpu", "period", "uint64"),
    "cpu-quota": ("cpu", "quota", "int64"),
    "cpu-rt-period": ("cpu", "realtimePeriod", "uint64"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime", "int64"),
    "cpu-share": ("cpu", "shares", "uint64"),
    "cpuset-cpus": ("cpu", "cpus", "string"),
    "cpuset-mems": ("cpu", "mems", "string"),
    "kernel-memory": ("memory", "kernel", "int64"),
    "kernel-memory-tcp": ("memory", "kernelTCP", "int64"),
    "memory": ("memory", "limit", "int64"),
    "memory-reservation": ("memory", "reservation", "int64"),
    "memory-swap": ("memory", "swap", "int64"),
    "pids-limit": ("pids", "limit", "int64"),
}
_BYTES = ("kernel-memory", "kernel-memory-tcp", "memory", "memory-reservation", "memory-swap")
_SUFFIXES = {"k": 10, "m": 20, "g": 30, "t": 40}


def of_options(options: Mapping[str, str]) -> dict[str, Any]:
    """The resources that *options* (without dashes in front, by `OPTIONS`) speak of.

    Raises:
        FieldError: a value is none; the option is named.
    """
    resources: dict[str, Any] = {}
    for name, text in options.items():
        group, field, kind = OPTIONS[name]
        value: Any = text if kind == "string" else _number(name, text, kind)
        resources.setdefault(group, {})[field] = value
    return resources


def of_file(content: Any) -> dict[str, Any]:
    """The resources that the content of a file, read as JSON, is; devices are left out: they stay as they are.

    Raises:
        FieldError: it is none.
    """
    if type(content) is not dict:
        raise FieldError("", "it holds no object")
    check(content, RESOURCES, "")
    return {key: value for key, value in content.items() if key != "devices" and value is not None}


def merged(before: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What the container has then: fields that *new* does not speak of stay, lists are *new*'s."""
    result = dict(before)
    for key, value in new.items():
        if value is None:
            continue
        old = before.get(key)
        result[key] = {**old, **_said(value)} if isinstance(value, dict) and isinstance(old, dict) else value
    return result


def changing(before: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """*new*, with those fields of *before* that it cannot be understood without.

    A quota is of a period; swap is what is above the limit of memory.
    """
    result = dict(new)
    pairs = (("cpu", ("quota", "period")), ("memory", ("limit", "swap")))
    for group, fields in pairs:
        said, had = new.get(group) or {}, before.get(group) or {}
        named = [name for name in fields if said.get(name)]
        if named:
            result[group] = {**{name: had[name] for name in fields if had.get(name) and name not in said}, **said}
    return _with_room_for_swap(result, new)


def _with_room_for_swap(result: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    # A new limit of memory alone, above that of both together: the latter goes, as it would have been refused.
    memory, said = result.get("memory") or {}, new.get("memory") or {}
    limit, swap = memory.get("limit") or 0, memory.get("swap") or 0
    if "swap" not in said and 0 < swap < limit:
        result["memory"] = {key: value for key, value in memory.items() if key != "swap"}
    return result


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _number(name: str, text: str, kind: str) -> int:
    digits, shift = text, 0
    if name in _BYTES:
        digits = text.lower().removesuffix("b")
        shift = _SUFFIXES.get(digits[-1:], 0)
        digits = digits[:-1] if shift else digits
    sign = -1 if digits.startswith("-") else 1
    digits = digits.removeprefix("-")
    low, high = INTEGERS[kind]
    if not (digits.isascii() and digits.isdigit()):
        raise FieldError(f"--{name}", f"'{text}' is no number")
    number = sign * int(digits) << shift
    if not low <= number <= high:
        raise FieldError(f"--{name}", f"{text} is not between {low} and {high}")
    return number
