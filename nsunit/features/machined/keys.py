"""`Register=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.setting import Row

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Register": own(
            boolean, False, "yes|no", "Register with systemd-machined; the default is that of Boot=.", "yes"
        ),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note what is said; None, as left by Boot=, is to register where systemd-machined is installed."""
    fields["extras"]["machined"] = dict(values)["Register"]
