"""What there is to know of `RuntimeMaxSec=`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.setting import Row

TABLES: dict[str, dict[str, Row]] = {}  # it has no key of its own


def build(fields: dict[str, Any], _values: object) -> None:
    """Note that there is one."""
    fields["extras"]["runtime"] = None
