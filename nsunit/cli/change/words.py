"""What shells complete keys with, and their values."""

from __future__ import annotations

import re

from nsunit.definition.setting import keys_of, lookup
from nsunit.definition.words import ValueProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Setting

_WORD = re.compile("[a-z][a-z-]*")
_SECTIONS = ("Container", "Slice", "Service", "Unit")  # of which a key needs no section in front


def keys() -> tuple[str, ...]:
    """All keys that a container has, each with the character that its value stands behind."""
    return tuple(dict.fromkeys(f"{key}=" for section in _SECTIONS for key in keys_of(section)))


def limits() -> tuple[str, ...]:
    """The keys of a slice that change while it is there, in the same way."""
    found = (lookup("Slice", key) for key in keys_of("Slice"))
    return tuple(f"{setting.key}=" for setting in found if setting is not None and setting.live)


def values() -> dict[tuple[str, ...], list[str]]:
    """The words that values can be, where the table knows some, each with the keys that have just these."""
    found: dict[tuple[str, ...], list[str]] = {}
    for key in dict.fromkeys(key for section in _SECTIONS for key in keys_of(section)):
        setting = next(filter(None, (lookup(section, key) for section in _SECTIONS)))
        if words := _values_of(setting):
            found.setdefault(words, []).append(key)
    return found


def _values_of(setting: Setting) -> tuple[str, ...]:
    """All that its parser takes, or what its syntax says of it: `no|always|…`."""
    known = tuple(filter(None, getattr(setting.parse, "options", ())))
    said = () if setting.syntax.startswith("[") else setting.syntax.split("|")
    return known or tuple(word for word in said if _WORD.fullmatch(word) and _is_taken(setting, word))


def _is_taken(setting: Setting, word: str) -> bool:
    try:
        setting.parse(word)
    except ValueProblem:
        return False
    return True
