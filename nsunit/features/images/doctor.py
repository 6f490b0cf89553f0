"""What was being brought into the store of images when its process ended."""

from __future__ import annotations

import os

from nsunit.core.findings import BROUGHT_IN, Leftover, is_locked
from nsunit.features.images.layout import is_digest
from nsunit.features.images.store import Store
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.findings import Owners


def left(owners: Owners) -> Iterator[Leftover]:
    """Directories that nobody is at work in, as the next import would sweep them."""
    store = Store(owners.context.paths)
    place = store.staging
    for name in files.list_directory(place):
        if not is_locked(f"{place}/{name}"):
            yield Leftover("directory", f"{place}/{name}", BROUGHT_IN)
    for directory in (store.names, store.images, store.configs, store.about):
        for name in files.list_directory(directory):
            head, _, writer = name.removesuffix(".new").rpartition(".")
            is_half = name.endswith(".new") and (not head or is_digest(head))
            if is_half and writer.isdigit() and not os.path.exists(f"/proc/{writer}"):
                yield Leftover("file", f"{directory}/{name}", "who was writing it is gone")
