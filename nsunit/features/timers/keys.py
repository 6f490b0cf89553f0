"""What there is to know of [Timer]."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.setting import Row

TABLES: dict[str, dict[str, Row]] = {}  # it has no key of its own


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note which keys it has, with their values."""
    fields["extras"]["timers"] = tuple(dict(values)["Timer"])
