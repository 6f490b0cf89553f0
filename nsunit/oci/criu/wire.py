"""Messages of criu's RPC: protocol buffers, as images/rpc.proto of criu has them.

Numbers and flags are varints, texts and messages have their length before them.  A library would have to be there, and
be loaded, for a dozen fields.
"""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    Value: TypeAlias = "bool | int | str | bytes | Sequence[tuple[int, Value]]"


DUMP, RESTORE, PRE_DUMP, NOTIFY, VERSION = 1, 2, 4, 6, 10  # criu_req_type
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_NEGATIVE = 1 << 64


class Answer(Record):
    """A criu_resp: *kind* a criu_req_type, *script* what a notification is about, *pid* that of it or of a restore;
    *version* the first two numbers of criu's.
    """

    kind: int = 0
    success: bool = False
    script: str = ""
    pid: int = 0
    errno: int = 0
    message: str = ""
    version: tuple[int, int] = (0, 0)


def encode(fields: Sequence[tuple[int, Value]]) -> bytes:
    """A message of *fields*, pairs of a number and a value; a sequence is a message within."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):  # bool is one
            out += _varint(number << 3 | _VARINT) + _varint(value % _NEGATIVE)
            continue
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        elif not isinstance(value, bytes):
            value = encode(value)
        out += _varint(number << 3 | _LENGTH) + _varint(len(value)) + value
    return bytes(out)


def decode(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message.

    Raises:
        ValueError: it is none.
    """
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _read_varint(message, place)
            yield number, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        if kind == _LENGTH:
            length, place = _read_varint(message, place)
        if not length and kind != _LENGTH or place + length > len(message):
            raise ValueError("it is cut off, or no protocol buffer")
        yield number, message[place : place + length]
        place += length


def answer(message: bytes) -> Answer:
    """The criu_resp that *message* is.

    Raises:
        ValueError: it is none.
    """
    found: dict[str, object] = {}
    for number, value in decode(message):
        if number in _NUMBERS and isinstance(value, int):
            found[_NUMBERS[number]] = bool(value) if number == 2 else value
        elif number == _MESSAGE and isinstance(value, bytes):
            found["message"] = value.decode("utf-8", "replace")
        elif number == _RESTORED and isinstance(value, bytes):
            found["pid"] = next((item for key, item in decode(value) if key == 1), 0)
        elif number == _VERSION and isinstance(value, bytes):
            numbers = dict(decode(value))
            found["version"] = (numbers.get(1, 0), numbers.get(2, 0))
        elif number == _NOTIFIED and isinstance(value, bytes):
            for key, item in decode(value):
                if key == 1 and isinstance(item, bytes):
                    found["script"] = item.decode("utf-8", "replace")
                elif key == 2:
                    found["pid"] = item
    return Answer(**found)  # type: ignore[arg-type]


_NUMBERS = {1: "kind", 2: "success", 7: "errno"}
_RESTORED, _NOTIFIED, _MESSAGE, _VERSION = 4, 5, 9, 10


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place == len(message) or shift > 63:
            raise ValueError("it is cut off, or no protocol buffer")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
