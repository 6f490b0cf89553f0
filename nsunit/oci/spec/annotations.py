"""Annotations that ask something of the runtime: `org.systemd.property.NAME`, and `run.oci.*` of crun.

The value of a property is GVariant text, as gdbus(1) and the other runtimes have it: `15`, `uint64 10000000`,
`'inactive'`, `true`, `['a.service', 'b.service']`, `@as []`, `(1, 'x')`.
"""

from __future__ import annotations

from nsunit.oci.spec.check.shapes import INTEGERS, FieldError
from nsunit.oci.spec.wishes import Wishes
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PROPERTY = "org.systemd.property."
CRUN = "run.oci."
# What the runtime says of a scope itself: a second value would put other processes in it, or it into another slice.
OWN = ("Controller", "PIDFDs", "PIDs", "Slice")
_TYPES = {
    "boolean": "b",
    "byte": "y",
    "int16": "n",
    "uint16": "q",
    "int32": "i",
    "uint32": "u",
    "int64": "x",
    "uint64": "t",
    "double": "d",
    "string": "s",
    "objectpath": "o",
    "signature": "g",
    "handle": "h",
}
_RANGES = {
    "y": (0, 255),
    "n": (-(1 << 15), (1 << 15) - 1),
    "q": INTEGERS["uint16"],
    "i": INTEGERS["int32"],
    "u": INTEGERS["uint32"],
    "x": INTEGERS["int64"],
    "t": INTEGERS["uint64"],
    "h": INTEGERS["int32"],
}
_USEC_MAX = (1 << 63) - 1  # what is more is infinity, which USec=uint64 18446744073709551615 says
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
# Of D-Bus: 32 arrays and as many structures, each with its type before it; and a signature's length.
_DEPTH_MAX, _SIGNATURE_MAX = 128, 255
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


_BOOLEANS = {"keep_original_groups": "keeps_groups", "seccomp_fail_unknown_syscall": "strict_calls"}
# They ask for another kind of payload, or for a file format of crun's own: a container without would be another one.
_REFUSED = {
    "handler": "only programs of Linux are run",
    "mount_context_type": "there is only context=",
    "seccomp_bpf_data": "give the profile in linux.seccomp",
    "seccomp_bpf_file": "give the profile in linux.seccomp",
    "seccomp.receiver": "use linux.seccomp.listenerPath",
    "timens_offset": "use linux.timeOffsets",
}


def wishes_of(annotations: Mapping[str, str]) -> Wishes:
    """What *annotations* ask for; keys that are of nobody here are left to those they are for.

    Raises:
        FieldError: a value cannot be read, or what it asks for is not to be had.
    """
    properties: list[Property] = []
    found: dict[str, object] = {}
    for key, value in annotations.items():
        where = f"annotations['{key}']"
        if not key:
            raise FieldError(where, "its name is empty")
        if key.startswith(PROPERTY):
            properties.append(_property(key.removeprefix(PROPERTY), value, where))
        elif key.startswith(CRUN):
            found.update(_of_crun(key.removeprefix(CRUN), value, where))
    return Wishes(tuple(properties), **found)  # type: ignore[arg-type]


def _of_crun(name: str, value: str, where: str) -> dict[str, object]:
    if name in _BOOLEANS:
        return {_BOOLEANS[name]: value not in ("0", "false", "")}
    if name in _REFUSED and value:
        raise FieldError(where, f"there is no '{name}'", hint=_REFUSED[name])
    return {}


def _property(name: str, text: str, where: str) -> Property:
    if len(name) < 3 or not name.isalpha() or not name.isascii() or not name[0].isupper():
        raise FieldError(where, f"'{name}' is no name of a property of systemd's")
    if name in OWN:
        raise FieldError(where, f"'{name}' is the runtime's to say")
    try:
        signature, value = parse_variant(text)
    except ValueError as error:
        raise FieldError(where, f"'{text}': {error}", hint="write it as GVariant text, as uint64 5 or 'text'") from None
    if name.endswith("Sec") and not name.endswith("USec"):
        # What people know from unit files is in seconds; on the bus it is another property, in microseconds.
        if signature not in (*_RANGES, "d") or isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FieldError(where, f"'{text}' is no number of seconds")
        if value < 0:
            raise FieldError(where, f"'{text}' is less than no time")
        if not value * 1_000_000 <= _USEC_MAX:  # or it is no number at all
            raise FieldError(where, f"'{text}' is no number of seconds")
        return Property(f"{name[:-3]}USec", "t", round(value * 1_000_000))
    return Property(name, signature, value)


def parse_variant(text: str) -> tuple[str, object]:
    """The signature and the value of GVariant *text*; arrays and tuples become tuples.

    Raises:
        ValueError: it is none, or has no certain type.
    """
    parser = _Parser(text)
    signature, value = parser.value("")
    parser.space()
    if parser.place != len(text):
        raise ValueError(f"there is '{text[parser.place :]}' after the value")
    return signature, value


class _Parser:
    """What is left of a text; a method for each thing that can stand next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0

    def space(self) -> None:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1

    def next(self) -> str:
        self.space()
        return self.text[self.place : self.place + 1]

    def take(self, character: str) -> None:
        if self.next() != character:
            raise ValueError(f"expected '{character}'" + (f" before '{self.rest()}'" if self.rest() else " at the end"))
        self.place += 1

    def rest(self) -> str:
        return self.text[self.place :]

    def value(self, wanted: str) -> tuple[str, object]:
        """The next value, of type *wanted*; empty: of the one that it shows itself."""
        self.depth += 1
        if self.depth > _DEPTH_MAX:
            raise ValueError("it is nested deeper than a value of D-Bus may be")
        found = self._value(wanted)
        self.depth -= 1
        return found

    def _value(self, wanted: str) -> tuple[str, object]:
        first = self.next()
        if not first:
            raise ValueError("there is no value")
        if first == "@":
            self.place += 1
            return self._fitting(self._signature(), wanted)
        if first in "'\"":
            return self._typed(wanted, "sog", "s"), self._string(first)
        if first == "[":
            return self._array(wanted)
        if first == "(":
            return self._tuple(wanted)
        word = self._word()
        if word in _TYPES:
            return self._fitting(_TYPES[word], wanted)
        if word in ("true", "false"):
            return self._typed(wanted, "b", "b"), word == "true"
        return self._number(word, wanted)

    def _fitting(self, signature: str, wanted: str) -> tuple[str, object]:
        if wanted and wanted != signature:
            raise ValueError(f"'{signature}' where '{wanted}' is expected")
        return self.value(signature)

    def _typed(self, wanted: str, possible: str, otherwise: str) -> str:
        if wanted and wanted not in possible:
            raise ValueError(f"it is none of type '{wanted}'")
        return wanted or otherwise

    def _word(self) -> str:
        start = self.place
        allowed = _WORD | frozenset("+-.")
        while self.place < len(self.text) and self.text[self.place] in allowed:
            self.place += 1
        if start == self.place:
            raise ValueError(f"unexpected '{self.rest()}'")
        return self.text[start : self.place]

    def _signature(self) -> str:
        start = self.place
        while self.place < len(self.text) and self.text[self.place] in "abdghinoqstuxy()":
            self.place += 1
        signature = self.text[start : self.place]
        if not signature or len(signature) > _SIGNATURE_MAX or _end_of_type(signature, 0) != len(signature):
            raise ValueError(f"'@{signature or self.rest()}' is no type")
        return signature

    def _number(self, word: str, wanted: str) -> tuple[str, object]:
        signature = wanted or ("d" if _is_fraction(word) else "i")
        try:
            if signature == "d":
                return signature, float(word)
            if signature not in _RANGES:
                raise ValueError
            value = int(word, 0)
        except ValueError:
            raise ValueError(f"'{word}' is nothing known" + (f" of type '{wanted}'" if wanted else "")) from None
        low, high = _RANGES[signature]
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return signature, value

    def _string(self, quote: str) -> str:
        self.place += 1
        said: list[str] = []
        while self.place < len(self.text):
            character = self.text[self.place]
            self.place += 1
            if character == quote:
                found = "".join(said)
                if "\0" in found:
                    raise ValueError("it contains a NUL byte")
                if any("\ud800" <= half <= "\udfff" for half in found):
                    raise ValueError("it contains half of a character")
                return found
            if character == "\\":
                character = self._escaped()
            said.append(character)
        raise ValueError("the string has no end")

    def _escaped(self) -> str:
        character = self.text[self.place : self.place + 1]
        self.place += 1
        length = {"u": 4, "U": 8}.get(character)
        if length is None:
            return _ESCAPES.get(character, character)
        digits = self.text[self.place : self.place + length]
        self.place += length
        try:
            found = chr(int(digits, 16))
            found.encode()  # halves of a character cannot be sent
            return found
        except (ValueError, OverflowError):
            raise ValueError(f"'\\{character}{digits}' is no character") from None

    def _array(self, wanted: str) -> tuple[str, object]:
        if wanted and wanted[0] != "a":
            raise ValueError(f"an array where '{wanted}' is expected")
        element = wanted[1:]
        self.take("[")
        values: list[object] = []
        while self.next() != "]":
            if values:
                self.take(",")
            element, value = self.value(element)
            values.append(value)
        self.take("]")
        if not element:
            raise ValueError("an empty array has no type; write @as []")
        return f"a{element}", tuple(values)

    def _tuple(self, wanted: str) -> tuple[str, object]:
        if wanted and wanted[0] != "(":
            raise ValueError(f"a tuple where '{wanted}' is expected")
        inner = wanted[1:-1]
        self.take("(")
        types: list[str] = []
        values: list[object] = []
        while self.next() != ")":
            if values:
                self.take(",")
                if self.next() == ")":
                    break
            end = _end_of_type(inner, 0)
            if wanted and not end:
                raise ValueError(f"there are more values than '{wanted}' has")
            signature, value = self.value(inner[:end])
            inner = inner[end:]
            types.append(signature)
            values.append(value)
        self.take(")")
        if inner or not types:
            raise ValueError(f"there are fewer values than '{wanted}' has" if inner else "a tuple of nothing")
        return f"({''.join(types)})", tuple(values)


def _is_fraction(word: str) -> bool:
    return not word.lower().lstrip("+-").startswith("0x") and any(character in word for character in ".eE")


def _end_of_type(signature: str, start: int) -> int:
    """Where the type that begins at *start* ends; *start* where none does."""
    first = signature[start : start + 1]
    if first == "a":
        end = _end_of_type(signature, start + 1)
        return end if end > start + 1 else start
    if first == "(":
        place = start + 1
        while signature[place : place + 1] != ")":
            end = _end_of_type(signature, place)
            if end == place:
                return start
            place = end
        return place + 1
    return start + 1 if first and first in "bdghinoqstuxy" else start
