"""Reading the fields of a JSON object with the types that runtime-spec gives them."""

from __future__ import annotations

from nsunit.jsontext import loads
from nsunit.oci.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]
else:
    Json = dict

_NAMES = {dict: "an object", list: "an array", str: "a string", int: "a number", bool: "a boolean", float: "a number"}


def parse_object(content: bytes, name: str) -> Json:
    """The object that *content* says.

    Raises:
        SpecError: it says none.
    """
    try:
        value = loads(content)
    except ValueError as error:
        raise SpecError(f"{name} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise SpecError(f"{name} is no object of JSON")
    return value


def take(parent: Json, name: str, kind: type, where: str = "") -> Any:
    """The field *name* of *parent*, which is of *kind*; an empty one of that kind where it is missing or null.

    Raises:
        SpecError: it is something else.
    """
    value = parent.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise wrong(f"{where}{name}", f"it must be {_NAMES[kind]}")
    return value


def optional(parent: Json, name: str, kind: type, where: str = "") -> Any:
    """Like `take`, but None where it is missing."""
    return None if parent.get(name) is None else take(parent, name, kind, where)


def objects(parent: Json, name: str, where: str = "") -> list[Json]:
    """The array of objects *name* of *parent*."""
    return items(parent, name, dict, where)


def strings(parent: Json, name: str, where: str = "") -> list[str]:
    """The array of strings *name* of *parent*; none of them has a NUL."""
    found = items(parent, name, str, where)
    for text in found:
        if "\0" in text:
            raise wrong(f"{where}{name}", "a string in it has a NUL")
    return found


def numbers(parent: Json, name: str, where: str = "") -> list[int]:
    """The array of numbers *name* of *parent*."""
    return items(parent, name, int, where)


def items(parent: Json, name: str, kind: type, where: str = "") -> list[Any]:
    """The array *name* of *parent*, each of *kind*.

    Raises:
        SpecError: it is something else.
    """
    found: list[Any] = take(parent, name, list, where)
    for number, item in enumerate(found):
        if not isinstance(item, kind):
            raise wrong(f"{where}{name}[{number}]", f"it must be {_NAMES[kind]}")
    return found


def wrong(where: str, reason: str) -> SpecError:
    """What is said of the field *where*."""
    return SpecError(f"config.json: {where}: {reason}")
