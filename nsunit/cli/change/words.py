"""What shells complete keys with."""

from __future__ import annotations

from nsunit.definition.setting import keys_of, lookup

_SECTIONS = ("Container", "Slice", "Service", "Unit")  # of which a key needs no section in front


def keys() -> tuple[str, ...]:
    """All keys that a container has, each with the character that its value stands behind."""
    return tuple(dict.fromkeys(f"{key}=" for section in _SECTIONS for key in keys_of(section)))


def limits() -> tuple[str, ...]:
    """The keys of a slice that change while it is there, in the same way."""
    found = (lookup("Slice", key) for key in keys_of("Slice"))
    return tuple(f"{setting.key}=" for setting in found if setting is not None and setting.live)
