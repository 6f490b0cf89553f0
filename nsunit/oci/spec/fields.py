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
    return value


def take(parent: Json, name: str, kind: type) -> Any:
    """The field *name* of *parent*, of *kind*, to which spec.check has seen; an empty one where it is missing."""
    value = parent.get(name)
    return kind() if value is None else value


def wrong(where: str, reason: str) -> SpecError:
    """What is said of the field *where*."""
    return SpecError(f"config.json: {where}: {reason}")
