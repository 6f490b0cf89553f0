"""The images that a Containerfile is built on, as far as its text tells.  Pure."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")


def bases(text: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """What FROM, COPY --from= and RUN --mount=from= name in *text*: as it is written there, and with ARGs expanded.

    *arguments* are those of --build-arg.  Stages of the file itself, and `scratch`, are no images.  What looks like an
    instruction within a here-document is taken for one: that names an image too many at worst.
    """
    values: dict[str, str] = {}
    found: dict[str, str] = {}
    stages = {"scratch"}
    for instruction, words in _instructions(text):
        if instruction == "ARG":
            # Those after a FROM hold in their stage alone; the first one counts for what FROM says.
            for name, _, default in (word.partition("=") for word in words):
                values.setdefault(name, arguments.get(name, _expanded(default.strip("\"'"), values)))
            continue
        for said in _named(instruction, words):
            name = _expanded(said, values)
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


def _expanded(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2]) or match[3] or "", text)
