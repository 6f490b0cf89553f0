"""Command lines of podman and docker."""

from __future__ import annotations

from nsunit.imports.podman.table import ALIASES, FLAGS, SHORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def parse(words: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Split the *words* behind `run` into options, (long name, value), and what follows from the first operand on.

    A flag has the value `true`, or what `=` gives it; an option that is not known counts as one with a value.
    """
    found: list[tuple[str, str]] = []
    rest = list(words)
    while rest:
        if rest[0] == "--":
            return found, rest[1:]
        if rest[0].startswith("--"):
            found.append(_long(rest))
        elif rest[0].startswith("-") and rest[0] != "-":
            found += _short(rest)
        else:
            return found, rest
    return found, []


def _long(rest: list[str]) -> tuple[str, str]:
    name, equals, value = rest.pop(0)[2:].partition("=")
    name = ALIASES.get(name, name)
    if equals:
        return name, value
    if name in FLAGS:
        return name, "true"
    return name, rest.pop(0) if rest else ""


def _short(rest: list[str]) -> list[tuple[str, str]]:
    letters = rest.pop(0)[1:]
    found = []
    while letters:
        name = SHORT.get(letters[0], letters[0])
        letters = letters[1:]
        if letters.startswith("="):
            found.append((name, letters[1:]))
            break
        if name in FLAGS:
            found.append((name, "true"))
            continue
        if letters or rest:
            found.append((name, letters or rest.pop(0)))
        else:
            found.append((name, ""))
        break
    return found
