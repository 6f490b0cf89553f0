"""Values of compose files that are written in several ways."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.podman.target import Target

_BLANK = " \t\r\n"


def pairs(value: Any) -> list[tuple[str, Any]]:
    """The items of a mapping, or of a list of NAME=VALUE or NAME:VALUE."""
    if isinstance(value, dict):
        return list(value.items())
    found: list[tuple[str, Any]] = []
    for item in value or []:
        text = str(item)
        name, equals, rest = text.partition("=")
        if not equals and ":" in text:
            name, equals, rest = text.partition(":")
        found.append((name, rest if equals else None))
    return found


def words_of(value: Any) -> list[str]:
    """The words of a command, from a list or a text as docker compose takes it apart.

    Lines end words, as blanks do; a backslash keeps the next character, but between single quotes, where it is one.

    Raises:
        NotCarried: its quotes do not end.
    """
    if isinstance(value, list):
        return [text_of(item) for item in value]
    found: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(text := str(value))
    for char in characters:
        if char == "\\" and quote != "'":
            char = next(characters, "")
            if not char:
                raise NotCarried(f"'{printable(text)}' ends with a backslash", "write two backslashes")
        elif char == quote or (not quote and char in "\"'"):
            quote = "" if quote else char
            char = ""
        elif not quote and char in _BLANK:
            found += [] if word is None else [word]
            word = None
            continue
        word = (word or "") + char
    if quote:
        hint = "close it, or put a backslash before it"
        raise NotCarried(f"'{printable(text)}' has an unbalanced {quote} quote", hint)
    return found if word is None else [*found, word]


def text_of(value: Any) -> str:
    """A scalar as a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def mode(value: Any, target: Target) -> int:
    """The mode of a file: `0440` and `0o440` are octal, `288` is the same; *target* hears of what may be meant so.

    Raises:
        NotCarried: it is none.
    """
    text = str(value)
    digits = text.removeprefix("0o").removeprefix("0O")
    is_octal = digits != text or text.startswith("0")
    try:
        number = int(digits, 8 if is_octal else 10)
    except ValueError:
        number = -1
    if not 0 <= number <= 0o7777:
        raise NotCarried(f"'{text}' is no mode", "e.g. 0440")
    if not is_octal and len(text) >= 3 and not {*text} & {"8", "9"}:  # compose takes it so, too
        target.remark(f"{text} is a decimal number in YAML, which is the mode {number:04o}", f"0{text} is octal")
    return number
