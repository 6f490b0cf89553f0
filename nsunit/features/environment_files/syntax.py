"""Environment files, in the syntax of EnvironmentFile= in systemd.exec(5)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NAME = _NAME_FIRST | frozenset("0123456789")


def parse_environment_file(text: str) -> tuple[tuple[str, str], ...]:
    """The assignments in *text*, in order: one a line, `#` and `;` begin comments, quotes as in a shell.

    Raises:
        ValueError: a line is no assignment; the message begins with the line's number.
    """
    found = []
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        name, equals, rest = stripped.partition("=")
        name = name.strip()
        if not equals or not name or name[0] not in _NAME_FIRST or not _NAME.issuperset(name):
            raise ValueError(f"line {number}: '{stripped}' is not NAME=VALUE")
        found.append((name, _value(rest.strip(), number, lines)))
    return tuple(found)


def _value(text: str, number: int, lines: Iterator[tuple[int, str]]) -> str:
    value: list[str] = []
    quote = ""
    position = 0
    while True:
        if position == len(text):
            if not quote:
                return "".join(value)
            following = next(lines, None)
            if following is None:
                raise ValueError(f"line {number}: the quote is never closed")
            text, position = following[1], 0
            value.append("\n")
            continue
        character = text[position]
        position += 1
        if quote == "'" and character != "'":
            value.append(character)
        elif character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        elif character == "\\" and position < len(text):
            if quote == '"' and text[position] not in '"\\`$':
                value.append("\\")
            value.append(text[position])
            position += 1
        elif character == "\\":
            following = next(lines, None)
            if following is None:
                return "".join(value)
            text, position = following[1], 0
        else:
            value.append(character)
