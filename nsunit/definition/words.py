"""systemd's word splitting: quotes, backslash escapes, C escapes (systemd.syntax(7), extract_first_word()).

shlex follows the shell's rules, which differ in escapes and comments, and imports re.
"""

from __future__ import annotations

from nsunit.definition.syntax import has_control
from nsunit.names import printable

BLANK = " \t"

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34, "'": 39, "s": 32}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


class ValueProblem(Exception):
    """A value is wrong; the loader adds where.  *message* quotes the user's text, *hint* says what to write."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def wrong(text: str, what: str, hint: str | None = None) -> ValueProblem:
    """Return the problem `'TEXT' WHAT`."""
    return ValueProblem(f"'{printable(text)}' {what}", hint)


def clean(word: str) -> str:
    """Return *word*, unless escapes brought a control character into it."""
    if has_control(word):
        raise wrong(word, "contains a control character", "no value may contain one, not even by an escape")
    return word


def split(text: str, *, c_escapes: bool = False, keep_escapes: bool = False, controls: bool = False) -> list[str]:
    """Split *text* at blanks; quotes keep blanks, a backslash keeps the next character.

    With *c_escapes* a backslash starts a C escape instead (`\\n`, `\\x41`, `\\u00e4`, …), with *keep_escapes* it stays
    in the word.  Words may have control characters with *controls* only.
    """
    if '"' not in text and "'" not in text and "\\" not in text:
        return [word for word in text.replace("\t", " ").split(" ") if word]
    found: list[str] = []
    position = 0
    while True:
        word, position = next_word(text, position, c_escapes=c_escapes, keep_escapes=keep_escapes, controls=controls)
        if word is None:
            return found
        found.append(word)


def next_word(
    text: str, position: int, *, c_escapes: bool = False, keep_escapes: bool = False, controls: bool = False
) -> tuple[str | None, int]:
    """Return the word of *text* at or after *position* and the position behind it; None at the end.

    *keep_escapes* leaves backslashes in (for a second split, see `fields`).
    """
    end = len(text)
    while position < end and text[position] in BLANK:
        position += 1
    if position == end:
        return None, end
    out = bytearray()
    quote = ""
    while position < end:
        char = text[position]
        if char == "\\":
            if keep_escapes and position + 1 < end:
                out += text[position : position + 2].encode()
                position += 2
            else:
                position = _escape(text, position + 1, out, c_escapes)
            continue
        position += 1
        if quote:
            if char == quote:
                quote = ""
                continue
        elif char in "\"'":
            quote = char
            continue
        elif char in BLANK:
            break
        out += char.encode()
    if quote:
        raise wrong(text, f"has an unbalanced {quote} quote", "close it, or put a backslash before it")
    word = _decode(out, text)
    return (word if controls else clean(word)), position


def unescaped(text: str) -> bytes:
    """*text*, which is one word whatever is in it, with its C escapes replaced."""
    out = bytearray()
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "\\":
            position = _escape(text, position, out, True)
        else:
            out += char.encode()
    return bytes(out)


def fields(text: str, separator: str = ":") -> list[str]:
    """Split one word at *separator*; a backslash before it (or before a backslash) makes it an ordinary character."""
    found = []
    current = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and text[position + 1 : position + 2] in (separator, "\\"):
            current += text[position + 1]
            position += 2
            continue
        if char == separator:
            found.append(current)
            current = ""
        else:
            current += char
        position += 1
    found.append(current)
    return [clean(field) for field in found]


def _escape(text: str, position: int, out: bytearray, c_escapes: bool) -> int:
    """Append what the escape at *position* (behind its backslash) stands for; return the position behind it."""
    char = text[position : position + 1]
    if not char:
        raise wrong(text, "ends with a backslash", "write two backslashes")
    if not c_escapes:
        out += char.encode()
        return position + 1
    if char in _SIMPLE:
        out.append(_SIMPLE[char])
        return position + 1
    count = _HEX_DIGITS.get(char)
    if count is not None:
        return _numeric(text, position - 1, position + 1, count, 16, out, char != "x")
    if char in "01234567":
        return _numeric(text, position - 1, position, 3, 8, out, False)
    raise _unknown_escape(text[position - 1 : position + 1])


def _numeric(text: str, start: int, position: int, count: int, base: int, out: bytearray, unicode: bool) -> int:
    digits = text[position : position + count]
    allowed = "0123456789abcdefABCDEF" if base == 16 else "01234567"
    if len(digits) != count or any(digit not in allowed for digit in digits):
        raise _unknown_escape(text[start : position + count])
    code = int(digits, base)
    if code == 0 or code > (0x10FFFF if unicode else 255) or 0xD800 <= code <= 0xDFFF:
        raise _unknown_escape(text[start : position + count])
    out += chr(code).encode() if unicode else bytes((code,))
    return position + count


def _unknown_escape(escape: str) -> ValueProblem:
    return wrong(escape, "is not an escape", "for the backslash itself write two")


def _decode(out: bytearray, text: str) -> str:
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise wrong(text, "is not UTF-8 once its escapes are replaced") from None
