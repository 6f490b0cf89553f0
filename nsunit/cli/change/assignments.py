"""Keys with their values on the command line."""

from __future__ import annotations

from nsunit.errors import UsageError
from nsunit.names import printable


def assignment(text: str) -> tuple[str, str, str]:
    """Split `[SECTION.]KEY=VALUE`; the section is empty where it is not given."""
    left, equals, value = text.partition("=")
    section, dot, key = left.partition(".")
    if not equals or not (key if dot else left) or (dot and not section):
        raise UsageError(f"'{printable(text)}' is not a key with its value", hint="e.g. MemoryMax=1G")
    return (section, key, value) if dot else ("", left, value)
