"""A definition that is to become something else: what counts of it, key by key."""

from __future__ import annotations

from nsunit.definition.words import ValueProblem, split
from nsunit.imports.model import NotCarried, Remark
from nsunit.imports.podman.mounts import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nsunit.imports.model import Line


class Source:
    """The assignments that count of a definition, and what is told of those that are not carried over."""

    def __init__(self, name: str, lines: Sequence[Line]) -> None:
        self.name = name
        self.remarks: list[Remark] = []
        self.lines: list[Line] = []
        self.line: Line | None = None  # the one at hand, in each()
        for line in lines:
            if line.value:
                self.lines.append(line)
            else:
                self.lines = [old for old in self.lines if (old.section, old.key) != (line.section, line.key)]

    def last(self, section: str, key: str) -> str:
        """What is said last of *key*; empty where that is nothing."""
        return next((line.value for line in reversed(self.lines) if (line.section, line.key) == (section, key)), "")

    def has(self, section: str, key: str) -> bool:
        """Whether *key* is said."""
        return bool(self.last(section, key))

    def is_true(self, key: str) -> bool:
        """Whether a boolean of [Container] is said and true."""
        return self.last("Container", key).lower() in ("1", "yes", "y", "true", "t", "on")

    def remark(self, line: Line, reason: str, instead: str) -> None:
        """Tell what of *line* is not carried over."""
        self.remarks.append(Remark(line.origin, reason, instead))

    def binds(self, line: Line, text: str) -> Iterator[tuple[str, str, list[str]]]:
        """Source, target and options of each bind in *text*, the value of *line*.

        Raises:
            NotCarried: they are none.
        """
        for item in paths(text):
            if item.startswith("-"):
                self.remark(line, "what is not there is an error", "make it before the start")
            source, *rest = fields(item.removeprefix("-"))
            options = [option for option in (rest[1] if len(rest) > 1 else "").split(",") if option]
            yield source, rest[0] if rest else source, options

    def each(self, handlers: Mapping[tuple[str, str], Callable[[Line], None]], other: Callable[[Line], None]) -> None:
        """Hand each line to its handler, or to *other*; what they raise is told."""
        for line in self.lines:
            self.line = line
            try:
                handlers.get((line.section, line.key), other)(line)
            except NotCarried as lost:
                self.remark(line, lost.reason, lost.instead)
        self.line = None


def words(text: str) -> list[str]:
    """The words of a list.

    Raises:
        NotCarried: they are none.
    """
    return _split(text, c_escapes=True, controls=True)


def paths(text: str) -> list[str]:
    """The words of a list of paths and what follows them, in which backslashes are before colons and backslashes.

    Raises:
        NotCarried: they are none.
    """
    return _split(text, keep_escapes=True)


def _split(text: str, **how: bool) -> list[str]:
    try:
        return split(text, **how)
    except ValueProblem as problem:
        raise NotCarried(problem.message, problem.hint or "mind the quotes") from None


def plain(text: str) -> str:
    """*text* without specifiers, where nobody replaces them.

    Raises:
        NotCarried: there is one.
    """
    rest = text.replace("%%", "")
    if "%" in rest:
        raise NotCarried("a specifier is not replaced there", "write what it stands for")
    return text.replace("%%", "%")
