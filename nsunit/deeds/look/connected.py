"""The addresses and ports of containers, for many at once: their definitions are not read for it."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.features import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.core.context import Context


def connected(context: Context, name: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The addresses of container *name*, and ports of the host that lead to it, features.network.values.Port."""
    paths = context.paths
    if not any(os.path.lexists(place) for place in (paths.network_of(name), paths.boot_network_of(name))):
        return (), ()
    found: dict[str, tuple[Any, ...]] = {}
    try:
        for show in hooks(("network",), "deeds.shown"):
            found |= show(context, name)
    except (NsunitError, PermissionError):  # one record, broken or not the caller's to read, is no reason to list none
        return (), ()
    return found.get("addresses", ()), found.get("ports", ())
