"""What is in the store, for those who look at it."""

from __future__ import annotations

import json

from nsunit.errors import NsunitError
from nsunit.features.images.collect import users
from nsunit.features.images.layout import Image
from nsunit.features.images.store import Store, names_of
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.core.context import Context


class Shown(Record):
    """An image and all that is known of it; *sizes* are of its layers, the topmost first, in bytes of content."""

    image: Image
    names: tuple[str, ...]
    used_by: tuple[str, ...]
    sizes: tuple[int, ...]
    config: Any
    about: Any

    @property
    def size(self) -> int:
        """Of all that is in its layers."""
        return sum(self.sizes)

    @property
    def created(self) -> str:
        """When it was made, as it says itself."""
        return str(self.config.get("created") or "") if isinstance(self.config, dict) else ""

    @property
    def said(self) -> dict[str, Any]:
        """What the config says of how it is run."""
        found = self.config.get("config") if isinstance(self.config, dict) else None
        return found if isinstance(found, dict) else {}


def images(context: Context, texts: Sequence[str] = ()) -> list[Shown]:
    """The images *texts*, or all, by their names.

    Raises:
        NotFoundError: one is not there.
    """
    store = Store(context.paths)
    known, used = names_of(store), users(context)
    wanted = [store.find(text) for text in texts] or store.identities()
    found = []
    for identity in dict.fromkeys(wanted):
        try:
            image = store.image(identity)
        except NsunitError as error:
            if texts:
                raise
            context.warn(f"warning: {error}: see 'nsunit image check'")
            continue
        if image is None:
            if texts:
                raise NsunitError(f"the image '{identity[:12]}' is damaged", hint="see 'nsunit image check'")
            continue  # it was taken away meanwhile
        sizes = tuple(layer_of(store, chain).get("size", 0) for chain in image.layers)
        named, using = tuple(known.get(identity, ())), tuple(used.get(identity, ()))
        config, about = _document(f"{store.configs}/{identity}"), _document(f"{store.about}/{identity}")
        found.append(Shown(image, named, using, sizes, config, about))
    return found if texts else sorted(found, key=lambda item: (not item.names, item.names, item.image.id))


def layer_of(store: Store, chain: str) -> dict[str, Any]:
    """What is known of a layer; nothing where it is damaged."""
    found = _document(f"{store.layers}/{chain}/layer")
    return found if isinstance(found, dict) else {}


def _document(path: str) -> Any:
    try:
        return json.loads(files.read_file(path) or b"{}")
    except ValueError:
        return {}


class Usage(Record):
    """Bytes of content, and how many; *reclaimable* is what `prune --all` would take away."""

    images: int
    layers: int
    size: int
    reclaimable: int


def usage(context: Context) -> Usage:
    """What the store holds."""
    store = Store(context.paths)
    found = images(context)
    sizes = {chain: int(layer_of(store, chain).get("size", 0)) for chain in store.chains()}
    kept = {chain for item in found if item.used_by for chain in item.image.layers}
    total = sum(sizes.values())
    return Usage(len(found), len(sizes), total, total - sum(size for chain, size in sizes.items() if chain in kept))


class Step(Record):
    """One step in the making of an image, the last one first; *size* is None where it brought no files."""

    created: str
    by: str
    size: int | None
    comment: str


def history(context: Context, text: str) -> list[Step]:
    """How an image was made, as it says itself.

    Raises:
        NotFoundError: it is not there.
    """
    item = images(context, [text])[0]
    told = item.config.get("history") if isinstance(item.config, dict) else None
    entries = [entry for entry in told if isinstance(entry, dict)] if isinstance(told, list) else []
    sizes = list(item.sizes)[::-1]
    with_files = sum(not entry.get("empty_layer") for entry in entries)
    if with_files != len(sizes):
        entries = [{}] * len(sizes)  # it does not tell, or not all
    found = []
    for entry in entries:
        size = None if entry.get("empty_layer") else sizes.pop(0)
        words = [str(entry.get(key) or "") for key in ("created", "created_by", "comment")]
        found.append(Step(words[0], words[1], size, words[2]))
    return found[::-1]
