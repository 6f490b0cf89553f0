"""Values of compose files that are written in several ways."""

from __future__ import annotations

from nsunit.definition.words import ValueProblem, split
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.podman.target import Target


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
    """The words of a command, from a list or a text as a shell reads it.

    Raises:
        NotCarried: its quotes do not end.
    """
    if isinstance(value, list):
        return [text_of(item) for item in value]
    try:
        return split(str(value), c_escapes=False, controls=True)
    except ValueProblem as problem:
        raise NotCarried(problem.message, problem.hint or "write a list") from None


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
