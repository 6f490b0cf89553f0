"""Reading the fields of JSON objects, whose types spec.check has seen to."""

from __future__ import annotations

from nsunit.jsontext import loads
from nsunit.oci.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]
else:
    Json = dict


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
    # Only an escape makes one, of which there are few; the kernel and systemd take bytes, which it has none of.
    if b"\\u" in content and (where := _half_in(value)):
        raise SpecError(f"{name}: {where}: it contains half of a character")
    return value


def _half_in(value: object, where: str = "") -> str:
    """Where a string in *value* has a surrogate without the other one; empty where none has."""
    if isinstance(value, dict):
        places = ((key, f"{where}.{key}".lstrip(".")) for key in value)
        return next(filter(None, (_half_in(key, at) or _half_in(value[key], at) for key, at in places)), "")
    if isinstance(value, list):
        return next(filter(None, (_half_in(item, f"{where}[{place}]") for place, item in enumerate(value))), "")
    return where if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value) else ""


def take(parent: Json, name: str, kind: type) -> Any:
    """The field *name* of *parent*, of *kind*, to which spec.check has seen; an empty one where it is missing."""
    value = parent.get(name)
    return kind() if value is None else value


def wrong(where: str, reason: str) -> SpecError:
    """What is said of the field *where*."""
    return SpecError(f"config.json: {where}: {reason}")
