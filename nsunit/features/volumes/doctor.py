"""What was left half-made of volumes, or half-removed, when its process ended."""

from __future__ import annotations

import os

from nsunit.core.findings import Leftover, is_locked
from nsunit.features.volumes.setup import NEW, OLD
from nsunit.features.volumes.store import Store
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.core.findings import Owners

_KIND = "volume"


def left(owners: Owners) -> Iterator[Leftover]:
    """What `volume prune` would remove, where nobody is at work in it."""
    store = Store(owners.context)
    for path in store.put_aside():
        if not is_locked(path):
            yield Leftover(_KIND, path, "who was removing it is gone")
    for name in files.list_directory(store.path):
        path = store.path_of(name)
        if name.startswith(".") or not os.path.isdir(path):
            continue
        listed = files.list_directory(path)
        if (not listed or any(item == NEW or item.startswith(OLD) for item in listed)) and not is_locked(path):
            yield Leftover(_KIND, path, "who was filling it is gone")


def take_away(context: Context, item: Leftover) -> None:
    """Remove it; what is a volume by now stays."""
    if item.kind == _KIND:
        store = Store(context)
        with store.lock():
            store.discard(item.what)
        store.sweep()
