"""The images that a Containerfile is built on, as far as its text tells.  Pure."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(:?[-+?])?)")


def bases(text: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """What FROM, COPY --from= and RUN --mount=from= name in *text*: as it is written there, and with ARGs expanded.

    *arguments* are those of --build-arg; an ARG before the first FROM counts for each FROM, and in stages that name it
    again, and all others in their stage alone.  Stages of the file itself, and `scratch`, are no images.  What looks
    like an instruction within a here-document is taken for one: that names an image too many at worst.
    """
    above: dict[str, str] = {}
    values = above
    found: dict[str, str] = {}
    stages = {"scratch"}
    for instruction, words in _instructions(text):
        if instruction == "ARG":
            _declare(words, values, arguments, above)
            continue
        if instruction == "FROM":
            values = {}
        for said in _named(instruction, words):
            name = _expanded(said, above if instruction == "FROM" else values)
            if name and not name.isdigit() and name.lower() not in stages:
                found.setdefault(said, name)
        if instruction == "FROM" and len(words) > 2 and words[-2].upper() == "AS":
            stages.add(words[-1].lower())
    return found


def _instructions(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each instruction of *text*, in upper case, and its words."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if words := line.split():
            yield words[0].upper(), words[1:]


def _named(instruction: str, words: list[str]) -> Iterator[str]:
    """What *words* of an *instruction* name: the image of FROM, or those of its options."""
    if instruction == "FROM":
        yield from [word for word in words if not word.startswith("--")][:1]
    elif instruction in ("COPY", "ADD"):
        yield from (word.removeprefix("--from=") for word in words if word.startswith("--from="))
    elif instruction == "RUN":
        parts = (part for word in words if word.startswith("--mount=") for part in word[len("--mount=") :].split(","))
        yield from (part.removeprefix("from=") for part in parts if part.startswith("from="))


def _declare(words: list[str], values: dict[str, str], arguments: Mapping[str, str], above: Mapping[str, str]) -> None:
    """Set in *values* what an ARG with *words* declares; one without a value anywhere stays unset."""
    for name, given, default in (word.partition("=") for word in words):
        if name in arguments:
            values[name] = arguments[name]
        elif given:
            values[name] = _expanded(default.strip("\"'"), values)
        elif name in above:
            values[name] = above[name]


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """*text* with variables replaced as Dockerfiles have it: `$X`, `${X}`, `${X:-word}`, `${X-word}`, also with +."""
    found, rest = "", text
    while match := _VARIABLE.search(rest):
        found += rest[: match.start()]
        rest = rest[match.end() :]
        value = values.get(match[1] or match[2])
        if match[2]:
            word, rest = _to_brace(rest)
            value = _substituted(value, match[3] or "", word, values)
        found += value or ""
    return found + rest


def _substituted(value: str | None, how: str, word: str, values: Mapping[str, str]) -> str | None:
    """What a variable with *value*, None if it is unset, is by the modifier *how*, with a colon or without."""
    is_there = bool(value) if how.startswith(":") else value is not None
    if how.endswith("-"):
        return value if is_there else _expanded(word, values)
    if how.endswith("+"):
        return _expanded(word, values) if is_there else ""
    return value


def _to_brace(text: str) -> tuple[str, str]:
    """What is before the brace that ends *text*'s first part, in which others may open and close, and behind it."""
    depth = 0
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return text[:place], text[place + 1 :]
    return text, ""
