"""Waiting for the end of containers."""

from __future__ import annotations

from nsunit.bus.watch import wait_inactive
from nsunit.names import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.bus.watch import Ended
    from nsunit.core.context import Context


def wait(context: Context, names: Sequence[str], *, timeout: float | None = None) -> list[Ended]:
    """Wait until the containers *names* have ended, or *timeout* seconds; tells how each did."""
    return wait_inactive(*(service_name(name) for name in names), timeout=timeout, user=context.user)
