"""Parsers for systemd.unit(5): dependencies, documentation, conditions, actions."""

from __future__ import annotations

from nsunit.definition.values import absolute_path, choice, is_digits, plain_path, string, word_list
from nsunit.definition.words import split, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UNIT_NAME_MAX = 255

UNIT_TYPES = frozenset("service mount swap socket target device automount timer path slice scope".split())
PATH_CONDITIONS = (
    "PathExists PathExistsGlob PathIsDirectory PathIsSymbolicLink PathIsMountPoint PathIsReadWrite PathIsEncrypted"
    " DirectoryNotEmpty FileNotEmpty FileIsExecutable NeedsUpdate PathIsSocket"
).split()

_UNIT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")
_FORCED = ("exit", "reboot", "poweroff", "soft-reboot", "kexec", "halt")

emergency_action = choice(
    "none",
    *_FORCED,
    *(f"{action}-force" for action in _FORCED),
    *(f"{action}-immediate" for action in ("reboot", "poweroff", "halt")),
)
job_mode = choice(
    *"fail replace replace-irreversibly isolate flush ignore-dependencies ignore-requirements triggering".split(),
    *("restart-dependencies", "lenient"),
)


def unit_names(text: str) -> tuple[str, ...]:
    """Full names of units, no templates."""
    names = _names(text)
    for name in names:
        stem, _, kind = name.rpartition(".")
        prefix, at, instance = stem.partition("@")
        known = kind in UNIT_TYPES and prefix and len(name) <= UNIT_NAME_MAX and _UNIT_CHARACTERS.issuperset(name)
        if not known or (at and not instance):
            raise wrong(name, "is not the name of a unit", "give the full name, e.g. nsunit-db.service")
    return names


def installed_names(text: str) -> tuple[str, ...]:
    """Names of units, templates included."""
    names = _names(text)
    for name in names:
        unit_names(name.replace("@.", "@x."))
    return names


def _names(text: str) -> tuple[str, ...]:
    """Words, in which a backslash is one: that of an escape in a unit's name, as systemd reads it."""
    return tuple(split(text, keep_escapes=True))


def documentation(text: str) -> tuple[str, ...]:
    """URLs: http, https, file, info, man."""
    urls = word_list(text)
    for url in urls:
        kind, colon, rest = url.partition(":")
        known = kind in ("http", "https", "file", "info", "man") and colon and rest.isascii() and rest
        if not known or any(char in " \"'\\" for char in url):
            raise wrong(url, "is not a URL", "start it with https://, file:/, man: or info:")
        if (kind in ("http", "https") and not rest.startswith("//")) or (kind == "file" and rest[0] != "/"):
            raise wrong(url, "is not a URL", "start it with https://, file:/, man: or info:")
    return urls


def paths(text: str) -> tuple[str, ...]:
    """Absolute paths."""
    return tuple(plain_path(word) for word in word_list(text))


def exit_status(text: str) -> int:
    """0 to 255."""
    if not is_digits(text) or int(text) > 255:
        raise wrong(text, "is not an exit status", "use 0 to 255")
    return int(text)


def condition(kind: str) -> Callable[[str], tuple[tuple[str, bool, bool, str], ...]]:
    """Return the parser of `ConditionKIND=` and `AssertKIND=`: `[|][!]VALUE` → (name, trigger, negate, value)."""

    def parse(text: str) -> tuple[tuple[str, bool, bool, str], ...]:
        trigger = text.startswith("|")
        rest = text.removeprefix("|").lstrip(" \t")
        negate = rest.startswith("!")
        value = string(rest.removeprefix("!").lstrip(" \t"))
        if not value:
            raise wrong(text, "checks nothing", "write [|][!]VALUE")
        if kind.removeprefix("Condition").removeprefix("Assert") in PATH_CONDITIONS:
            absolute_path(value)
        return ((kind, trigger, negate, value),)

    return parse
