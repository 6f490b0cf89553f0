"""The syntax of cgconfig.conf(5): words, braces, and `NAME = VALUE;`.  As libcgroup's own lex.l and parse.y have it."""

from __future__ import annotations

from nsunit.imports.model import Origin, Unusable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    # Text and line of a word; what was quoted is never a brace.
    Word = tuple[str, int, bool]

_KINDS = ("group", "template", "mount", "namespace", "default")
_PUNCTUATION = "{}=;"
_HINT = "see cgconfig.conf(5)"


class Pair(Record):
    """`NAME = VALUE;`, whose name is the key of *origin*: `cpu.shares`, `task.uid`."""

    value: str
    origin: Origin


class Block(Record):
    """A section of the file: *kind* is group, template, mount, namespace or default; *name* that of a group.

    *pairs* are files of controllers with their values, or mounts; *permissions* are those of `perm`, `admin.uid` and
    the like.
    """

    kind: str
    name: str
    origin: Origin
    pairs: tuple[Pair, ...] = ()
    permissions: tuple[Pair, ...] = ()
    controllers: tuple[str, ...] = ()


def parse(path: str, text: str) -> list[Block]:
    """The sections of a file.

    Raises:
        Unusable: it is none.
    """
    return list(_Parser(path, text).blocks())


def _words(text: str) -> Iterator[Word]:
    """Words and punctuation, without comments: lines that begin with `#`, or `*`, and what is behind a `#`."""
    place, line, size = 0, 1, len(text)
    fresh = True  # nothing of the line was seen yet
    while place < size:
        char = text[place]
        if char == "\n":
            line, fresh, place = line + 1, True, place + 1
        elif char == "#" or (char == "*" and fresh):
            end = text.find("\n", place)
            place = size if end < 0 else end
        elif char.isspace():
            place += 1
        elif char in _PUNCTUATION:
            yield char, line, False
            fresh, place = False, place + 1
        elif char == '"':
            end = text.find('"', place + 1)
            end = size if end < 0 else end
            yield text[place + 1 : end], line, True
            line += text.count("\n", place, end)
            fresh, place = False, end + 1
        else:
            end = place
            while end < size and not text[end].isspace() and text[end] not in _PUNCTUATION + '"':
                end += 1
            yield text[place:end], line, False
            fresh, place = False, end


class _Parser:
    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.words = list(_words(text))
        self.place = 0
        self.last = text.count("\n") + 1

    def _wrong(self, expected: str) -> Unusable:
        seen, line, _ = (
            self.words[self.place] if self.place < len(self.words) else ("the end of the file", self.last, True)
        )
        return Unusable(Origin(self.path, line, seen), f"there should be {expected}", _HINT)

    def _next(self, expected: str) -> Word:
        if self.place >= len(self.words):
            raise self._wrong(expected)
        self.place += 1
        return self.words[self.place - 1]

    def _sign(self, sign: str) -> None:
        if self.place >= len(self.words) or self.words[self.place][::2] != (sign, False):
            raise self._wrong(f"'{sign}'")
        self.place += 1

    def _name(self, expected: str) -> tuple[str, int]:
        text, line, quoted = self._next(expected)
        if not quoted and text in _PUNCTUATION:
            self.place -= 1
            raise self._wrong(expected)
        return text, line

    def _at(self, sign: str) -> bool:
        return self.place < len(self.words) and self.words[self.place][::2] == (sign, False)

    def blocks(self) -> Iterator[Block]:
        while self.place < len(self.words):
            kind, line = self._name("a section")
            if kind not in _KINDS:
                self.place -= 1
                raise self._wrong(" or ".join((", ".join(_KINDS[:-1]), _KINDS[-1])))
            named = kind in ("group", "template")
            name = self._name(f"the name of a {kind}")[0] if named else ""
            self._sign("{")
            if kind in ("mount", "namespace"):
                yield Block(kind, name, Origin(self.path, line, kind), tuple(self._pairs("")))
            else:
                yield self._group(Block(kind, name, Origin(self.path, line, f"{kind} {name}".strip())))
            self._sign("}")

    def _group(self, block: Block) -> Block:
        pairs: list[Pair] = []
        permissions: list[Pair] = []
        controllers: list[str] = []
        while not self._at("}"):
            controller, _ = self._name("a controller, or perm")
            self._sign("{")
            if controller == "perm":
                while not self._at("}"):
                    whose, _ = self._name("task or admin")
                    self._sign("{")
                    permissions += self._pairs(f"{whose}.")
                    self._sign("}")
            else:
                controllers.append(controller)
                pairs += self._pairs("")
            self._sign("}")
        return block.replace(pairs=tuple(pairs), permissions=tuple(permissions), controllers=tuple(controllers))

    def _pairs(self, prefix: str) -> Iterator[Pair]:
        while not self._at("}"):
            name, line = self._name("a name")
            self._sign("=")
            value, _ = self._name("a value")
            self._sign(";")
            yield Pair(value, Origin(self.path, line, prefix + name))
