"""Variables in compose files: `$NAME`, `${NAME}`, and with defaults, errors and alternatives."""

from __future__ import annotations

from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_REST = _FIRST | frozenset("0123456789")


class WrongVariable(Exception):
    """A text *where* has a variable that cannot be replaced; why is in *lost*."""

    def __init__(self, where: tuple[str, ...], lost: NotCarried) -> None:
        super().__init__(lost.reason)
        self.where = where
        self.lost = lost


def expand(text: str, environ: Mapping[str, str], unset: Callable[[str], None]) -> str:
    """*text* with its variables replaced; *unset* is told of those that are not there.

    Raises:
        NotCarried: a variable that has to be there is not, or it is not written so.
    """
    found, place = "", 0
    while place < len(text):
        char = text[place]
        if char != "$":
            found += char
            place += 1
        elif text[place + 1 : place + 2] == "$":
            found += "$"
            place += 2
        elif text[place + 1 : place + 2] == "{":
            end = _closing(text, place + 2)
            found += _braced(text[place + 2 : end], environ, unset)
            place = end + 1
        else:
            end = place + 1
            while end < len(text) and text[end] in (_REST if end > place + 1 else _FIRST):
                end += 1
            if end == place + 1:
                raise NotCarried(f"'{text}' has a '$' that begins no variable", "write $$ for the character")
            found += _value(text[place + 1 : end], environ, unset)
            place = end
    return found


def _closing(text: str, place: int) -> int:
    depth = 1
    while place < len(text):
        if text[place] == "{" and text[place - 1] == "$":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if not depth:
                return place
        place += 1
    raise NotCarried(f"'{text}' has a '${{' that does not end", "write ${NAME}, or $$ for the character")


def _braced(text: str, environ: Mapping[str, str], unset: Callable[[str], None]) -> str:
    end = 0
    while end < len(text) and text[end] in _REST:
        end += 1
    name, rest = text[:end], text[end:]
    if not name or name[0] not in _FIRST:
        raise NotCarried(f"'${{{text}}}' is no variable", "write ${NAME}")
    if not rest:
        return _value(name, environ, unset)
    colon, operator, word = rest[0] == ":", rest[1:2] if rest[0] == ":" else rest[0], rest.lstrip(":")[1:]
    is_there = bool(environ.get(name)) if colon else name in environ
    if operator == "-":
        return environ[name] if is_there else expand(word, environ, unset)
    if operator == "+":
        return expand(word, environ, unset) if is_there else ""
    if operator == "?":
        if not is_there:
            raise NotCarried(f"the variable '{name}' is not set: {word or 'it has to be'}", f"set it: {name}=VALUE")
        return environ[name]
    raise NotCarried(f"'${{{text}}}' is no variable", "after the name come :- - :? ? :+ or +")


def _value(name: str, environ: Mapping[str, str], unset: Callable[[str], None]) -> str:
    if name not in environ:
        unset(name)
    return environ.get(name, "")


def in_all(
    data: Any, environ: Mapping[str, str], unset: Callable[[str, tuple[str, ...]], None], where: tuple[str, ...] = ()
) -> Any:
    """*data*, which stands at *where*, with the variables in all of its texts replaced; keys stay.

    *unset* is told of those that are not there, each with where it stands.

    Raises:
        WrongVariable: one is not there that has to be, or is not written so.
    """
    if isinstance(data, dict):
        return {key: in_all(value, environ, unset, (*where, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [in_all(item, environ, unset, (*where, str(place))) for place, item in enumerate(data)]
    if type(data) is not str or "$" not in data:
        return data
    try:
        return expand(data, environ, lambda name: unset(name, where))
    except NotCarried as lost:
        raise WrongVariable(where, lost) from None


def environment_file(text: str, before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a .env file: NAME=VALUE lines, in quotes or not, with comments.

    A variable in a value is that of *before*, if it is there, and else that of a line above, as docker compose has it.
    """
    found: dict[str, str] = {}

    def expanded(value: str) -> str:
        return expand(value, {**found, **(before or {})}, lambda _name: None) if "$" in value else value

    for line in text.splitlines():
        bare = line.strip().removeprefix("export ")
        name, equals, value = bare.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or name[0] == "#":
            continue
        if value[:1] in ("'", '"') and value[:1] in value[1:]:
            quote = value[0]
            value = value[1 : value.index(quote, 1)]
            if quote == '"':
                value = expanded(value.replace("\\n", "\n"))
        else:
            value = expanded("" if value[:1] == "#" else value.partition(" #")[0].rstrip())
        found[name] = value
    return found
