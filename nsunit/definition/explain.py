"""What to say about a key that nobody knows.  Imported only when there is one."""

from __future__ import annotations

from nsunit.definition import setting
from nsunit.definition.syntax import NETWORK_SECTIONS, SECTIONS
from nsunit.definition.systemd.kernel import refusal
from nsunit.errors import did_you_mean

__all__ = ["refusal", "unknown_key"]


def unknown_key(section: str, key: str) -> str:
    """Return the hint: the section it belongs to, else the nearest key, else where to look."""
    if section in NETWORK_SECTIONS:
        return did_you_mean(key, setting.keys_of(section), "{}=") or "see nsunit.network(5) for all keys"
    if section not in SECTIONS:
        known = ", ".join(SECTIONS)
        return did_you_mean(section, SECTIONS, "[{}]") or f"the sections are {known}"
    homes = [other for other in SECTIONS if other != section]
    for other in homes:
        found = setting.lookup(other, key)
        if found is not None and found.refused is None:
            return f"it belongs in [{other}]"
    guess = did_you_mean(key, setting.keys_of(section), "{}=")
    if guess:
        return guess
    for other in homes:
        guess = did_you_mean(key, setting.keys_of(other), "[" + other + "] {}=")
        if guess:
            return guess
    return "see nsunit.container(5) for all keys"
