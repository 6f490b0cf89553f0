"""Checking the shape of what was read from JSON: the types that Go's decoder insists on, and fields that must be there.

A shape is the name of a type, a tuple ("list", shape), ("map", shape) or ("one", words), or a dictionary from the name
of a field to the shape of that; a name that ends in `!` must be there.  As in the engines' own decoder a field that is
null is the same as none, and fields that no shape names are ignored: a later version of the specification may have
them.
"""

from __future__ import annotations

from nsunit.errors import did_you_mean
from nsunit.oci.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Shape = str | tuple[str, Any] | dict[str, Any]

INTEGERS = {
    "int": (-(1 << 63), (1 << 63) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint16": (0, (1 << 16) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}


class FieldError(SpecError):
    """A field in config.json, or in a file like it, that cannot be had: `where: what`."""

    def __init__(self, where: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{where}: {message}" if where else message, hint=hint)


def check(value: Any, shape: Shape, where: str) -> None:
    """See that *value*, which stands at *where* (`linux.resources`), has *shape*.

    Raises:
        FieldError: it has not; the first field that is wrong is named.
    """
    if value is None:
        return
    if isinstance(shape, str):
        _check_simple(value, shape, where)
    elif isinstance(shape, dict):
        _check_object(value, shape, where)
    elif shape[0] == "one":
        if value not in shape[1]:
            raise unknown(where, value, shape[1])
    elif shape[0] == "list":
        if type(value) is not list:
            raise FieldError(where, f"expected a list, not {_kind(value)}")
        for index, item in enumerate(value):
            _check_item(item, shape[1], f"{where}[{index}]")
    else:
        if type(value) is not dict:
            raise FieldError(where, f"expected an object, not {_kind(value)}")
        for key, item in value.items():
            _check_item(item, shape[1], f"{where}['{key}']")


def _check_item(value: Any, shape: Shape, where: str) -> None:
    if value is None:
        raise FieldError(where, "it is null")
    check(value, shape, where)


def unknown(where: str, word: Any, known: tuple[str, ...]) -> FieldError:
    """The error that *word* is none of *known*."""
    hint = did_you_mean(word, known, "'{}'") if isinstance(word, str) else None
    return FieldError(where, f"'{word}' is not known", hint=hint or f"known: {', '.join(known)}")


def _check_simple(value: Any, shape: str, where: str) -> None:
    if shape == "string":
        if type(value) is not str:
            raise FieldError(where, f"expected a string, not {_kind(value)}")
        if "\0" in value:
            raise FieldError(where, "it contains a NUL byte")
    elif shape == "bool":
        if type(value) is not bool:
            raise FieldError(where, f"expected true or false, not {_kind(value)}")
    else:
        low, high = INTEGERS[shape]
        if type(value) is not int:
            raise FieldError(where, f"expected a whole number, not {_kind(value)}")
        if not low <= value <= high:
            raise FieldError(where, f"{value} is not between {low} and {high}")


def _check_object(value: Any, shape: dict[str, Any], where: str) -> None:
    if type(value) is not dict:
        raise FieldError(where, f"expected an object, not {_kind(value)}")
    prefix = f"{where}." if where else ""
    for name, inner in shape.items():
        if name[-1] == "!":
            name = name[:-1]
            if value.get(name) is None:
                raise FieldError(prefix + name, "it is missing")
        found = value.get(name)
        if found is not None:
            check(found, inner, prefix + name)


def _kind(value: Any) -> str:
    return {
        str: f"the string '{value}'",
        bool: str(value).lower(),
        list: "a list",
        dict: "an object",
        type(None): "null",
    }.get(type(value), str(value))
