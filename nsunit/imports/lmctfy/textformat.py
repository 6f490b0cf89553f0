"""The text format of protocol buffers, https://protobuf.dev/reference/protobuf/textformat-spec/: fields of messages."""

from __future__ import annotations

from nsunit.imports.model import Origin, Unusable
from nsunit.record import Record

_PUNCTUATION = "{}<>[]:;,"
_CLOSING = {"{": "}", "<": ">"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_HINT = "it is the text format of protocol buffers: name: value, or name { … }"
_DEPTH_MAX = 50


class Field(Record):
    """A field of a message: a scalar *value* as text, or with *is_message* the fields of that one, *fields*."""

    name: str
    line: int
    value: str = ""
    is_message: bool = False
    fields: tuple[Field, ...] = ()


class _Word(Record):
    text: str
    line: int
    quoted: bool = False


def parse(path: str, text: str) -> tuple[Field, ...]:
    """The fields of the message in the file *path*.

    Raises:
        Unusable: it is none.
    """
    parser = _Parser(path, _words(path, text), text.count("\n") + 1)
    return tuple(parser.fields("", 0))


def _words(path: str, text: str) -> list[_Word]:
    found: list[_Word] = []
    place, line, size = 0, 1, len(text)
    while place < size:
        char = text[place]
        if char == "\n":
            line, place = line + 1, place + 1
        elif char.isspace():
            place += 1
        elif char == "#":
            end = text.find("\n", place)
            place = size if end < 0 else end
        elif char in _PUNCTUATION:
            found.append(_Word(char, line))
            place += 1
        elif char in "\"'":
            value, place = _string(path, text, place, line)
            if found and found[-1].quoted:  # strings side by side are one
                value = found.pop().text + value
            found.append(_Word(value, line, quoted=True))
        else:
            end = place
            while end < size and not text[end].isspace() and text[end] not in _PUNCTUATION + "\"'#":
                end += 1
            found.append(_Word(text[place:end], line))
            place = end
    return found


def _string(path: str, text: str, place: int, line: int) -> tuple[str, int]:
    quote, place = text[place], place + 1
    found = ""
    while place < len(text) and text[place] not in (quote, "\n"):
        if text[place] != "\\":
            found, place = found + text[place], place + 1
            continue
        char = text[place + 1 : place + 2]
        digits = "".join(item for item in text[place + 1 : place + 4] if item in "01234567")
        if char in ("x", "X"):
            code = text[place + 2 : place + 4]
            found += chr(int(code, 16)) if code and set(code) <= set("0123456789abcdefABCDEF") else char
            place += 4
        elif digits and char in "01234567":
            found += chr(int(digits, 8) & 255)
            place += 1 + len(digits)
        else:
            found += _ESCAPES.get(char, char)
            place += 2
    if text[place : place + 1] != quote:
        raise Unusable(Origin(path, line, quote), "a string is not closed in its line", _HINT)
    return found, place + 1


class _Parser:
    def __init__(self, path: str, words: list[_Word], last: int) -> None:
        self.path = path
        self.words = words
        self.last = last
        self.place = 0

    def _peek(self) -> str:
        """The next sign of punctuation; empty where there is something else."""
        if self.place < len(self.words):
            word = self.words[self.place]
            if not word.quoted and word.text in _PUNCTUATION:
                return word.text
        return ""

    def _next(self, expected: str) -> _Word:
        if self.place >= len(self.words) or self._peek():
            raise self._wrong(expected)
        self.place += 1
        return self.words[self.place - 1]

    def _wrong(self, expected: str) -> Unusable:
        word = self.words[self.place] if self.place < len(self.words) else _Word("the end of the file", self.last)
        return Unusable(Origin(self.path, word.line, word.text), f"there should be {expected}", _HINT)

    def fields(self, closing: str, depth: int) -> list[Field]:
        """The fields up to the sign *closing*, or the end."""
        if depth > _DEPTH_MAX:
            raise self._wrong("fewer messages in one another")
        found: list[Field] = []
        while self.place < len(self.words) and self._peek() != (closing or "end"):
            found += self._field(depth)
            if self._peek() in (",", ";"):
                self.place += 1
        if closing:
            if self._peek() != closing:
                raise self._wrong(f"'{closing}'")
            self.place += 1
        return found

    def _field(self, depth: int) -> list[Field]:
        name = self._next("the name of a field")
        if self._peek() == ":":
            self.place += 1
        elif self._peek() not in ("{", "<"):
            raise self._wrong("':' or '{'")
        if self._peek() != "[":
            return [self._value(name, depth)]
        self.place += 1
        found: list[Field] = []
        while self._peek() != "]":
            found.append(self._value(name, depth))
            if self._peek() == ",":
                self.place += 1
            elif self._peek() != "]":
                raise self._wrong("',' or ']'")
        self.place += 1
        return found

    def _value(self, name: _Word, depth: int) -> Field:
        opening = self._peek()
        if opening in _CLOSING:
            self.place += 1
            inner = self.fields(_CLOSING[opening], depth + 1)
            return Field(name.text, name.line, is_message=True, fields=tuple(inner))
        return Field(name.text, name.line, self._next("a value").text)
