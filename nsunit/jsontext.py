"""JSON text by the C half of the module json, for the programs and commands that connect a container.

The Python half adds messages with line numbers and indentation, for which it imports re and enum: as long as a bare
interpreter takes to start.
"""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Plain:
    """What the scanner asks a JSONDecoder for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


_scan = _json.make_scanner(_Plain)  # type: ignore[arg-type]
_encode = _json.make_encoder(None, _refuse, _json.encode_basestring_ascii, None, ": ", ", ", False, False, False)


def loads(text: str | bytes) -> Any:
    """The value that *text* (UTF-8) says.

    Raises:
        ValueError: it is no JSON.
    """
    content = (text if isinstance(text, str) else text.decode()).strip()
    try:
        value, end = _scan(content, 0)
    except (StopIteration, SystemError):  # before Python 3.12 it has no exception to raise without the Python half
        raise ValueError("it is no JSON") from None
    if end != len(content):
        raise ValueError("there is more than one value")
    return value


def dumps(value: Any) -> str:
    """*value* as one line of JSON: dictionaries with strings as keys, lists, tuples, strings, numbers, None.

    Raises:
        TypeError: it is something else.
    """
    return "".join(_encode(value, 0))
