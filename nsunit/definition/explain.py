"""What to say about a key that nobody knows.  Imported only when there is one."""

from __future__ import annotations

from nsunit.definition import foreign, setting
from nsunit.definition.syntax import NETWORK_SECTIONS, SECTIONS
from nsunit.definition.systemd import kernel
from nsunit.errors import did_you_mean

__all__ = ["refusal", "unknown_key"]


def refusal(section: str, name: str) -> str | None:
    """Why *name*, of the kernel or of another tool, is no key, and after a `; ` what to use; None if nobody has it."""
    found = kernel.refusal(foreign.kernels_name(name))
    if section in NETWORK_SECTIONS:
        return found or foreign.NETWORK.get(name)
    return found or (None if section == "Pod" else foreign.refusal(name))


def unknown_key(section: str, key: str) -> str:
    """Return the hint: the section it belongs to, what to use instead, the nearest key, or where to look."""
    if section in NETWORK_SECTIONS:
        return did_you_mean(key, setting.keys_of(section), "{}=") or "see nsunit.network(5) for all keys"
    if section not in SECTIONS:
        known = ", ".join(SECTIONS)
        return did_you_mean(section, SECTIONS, "[{}]") or f"the sections are {known}"
    homes = [other for other in SECTIONS if other != section]
    known_there = [(other, found) for other in homes if (found := setting.lookup(other, key)) is not None]
    for other, found in known_there:
        if found.refused is None:
            return f"it belongs in [{other}]"
    for _, found in known_there:  # e.g. ExecStart=, out of a unit
        return (found.refused or "").partition("; ")[2] or "leave it out"
    guess = did_you_mean(key, setting.keys_of(section), "{}=")
    if guess:
        return guess
    for other in homes:
        guess = did_you_mean(key, setting.keys_of(other), "[" + other + "] {}=")
        if guess:
            return guess
    return "see nsunit.container(5) for all keys"
