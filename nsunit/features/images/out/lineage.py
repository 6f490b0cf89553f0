"""Layers as git has commits: `image log`, `branch`, `revert` and `bisect`.

An image is the end of a chain of layers, and its name is a branch.  To go back is to let the name lead to the image
that was there before; where that is not known any more, to one of the lower layers with the same config.
"""

from __future__ import annotations

import json

from nsunit.errors import NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.bring import check_names
from nsunit.features.images.config import image_of
from nsunit.features.images.layout import local_name
from nsunit.features.images.look import layer_of
from nsunit.features.images.out.changes import dumped, without_top
from nsunit.features.images.out.parts import damaged, document_of
from nsunit.features.images.store import Store, names_of
from nsunit.features.images.unpack.work import identity_of
from nsunit.names import printable
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.features.images.layout import Image


class Entry(Record):
    """A layer, and who made it by which command and when, as far as that is told; *size* is in bytes of content.

    *names* are those of the images that end with it.
    """

    layer: str
    names: tuple[str, ...]
    created: str
    author: str
    by: str
    message: str
    size: int


def log(context: Context, text: str) -> list[Entry]:
    """The layers of the image *text*, the topmost first.

    Raises:
        NotFoundError: there is no such image.
    """
    store = Store(context.paths)
    image, document = _image(store, text)
    told = [item for item in document.get("history") or () if isinstance(item, dict) and not item.get("empty_layer")]
    if len(told) != len(image.layers):
        told = [{}] * len(image.layers)
    heads: dict[str, list[str]] = {}
    for identity, names in names_of(store).items():
        other = store.image(identity)
        if other is not None:
            heads.setdefault(other.layers[0], []).extend(name for name in names if "@" not in name)
    found = []
    for chain, item in zip(image.layers, reversed(told), strict=True):
        created, author, by, message = (
            str(item.get(key) or "") for key in ("created", "author", "created_by", "comment")
        )
        size = int(layer_of(store, chain).get("size", 0))
        found.append(Entry(chain, tuple(sorted(heads.get(chain, ()))), created, author, by, message, size))
    return found


def branch(context: Context, name: str, text: str, count: int) -> str:
    """Call the image *text*, or the one *count* layers below it, *name* as well; returns its id.

    Raises:
        NotFoundError: there is no such image.
        UsageError: it does not have so many layers, or that is no name.
    """
    check_names((name,))
    return _lead(context, local_name(name), text, count)


def revert(context: Context, text: str, count: int) -> str:
    """Let the name *text* lead to the image *count* layers below the one that it is; returns the id of that.

    Raises:
        NotFoundError: there is no such image.
        UsageError: it is no name, or the image does not have so many layers.
    """
    store = Store(context.paths)
    store.find(text)
    name = store.named(text)
    if not name or "@" in name:
        raise UsageError(f"'{printable(text)}' is no name that can move", hint="an id stays what it is")
    return _lead(context, name, text, count)


def _lead(context: Context, name: str, text: str, count: int) -> str:
    store = Store(context.paths)
    with store.lock():
        identity, _ = _below(store, store.find(text), count)
        writing.add_name(store, name, identity)
    return identity


def _image(store: Store, text: str) -> tuple[Image, dict[str, Any]]:
    identity = store.find(text)
    image = store.image(identity)
    document = document_of(store, identity)
    if image is None or len(document["rootfs"]["diff_ids"]) != len(image.layers):
        raise damaged(identity)
    return image, document


def _below(store: Store, identity: str, count: int) -> tuple[str, bool]:
    """The id of the image *count* layers below *identity*, and whether it was made now.  The caller holds the lock."""
    image, document = _image(store, f"sha256:{identity}")
    if not 0 <= count < len(image.layers):
        there = len(image.layers)
        raise UsageError(f"of the image's {there} layers {count} cannot be taken off", hint="one at least has to stay")
    if not count:
        return identity, False
    wanted = image.layers[count:]
    former = identity
    while former := _parent(store, former):
        known = store.image(former)
        if known is not None and known.layers == wanted:
            return former, False
    config = dumped(without_top(document, count))
    found = identity_of(config)
    if store.image(found) is not None:
        return found, False
    source = f"{identity[:12]}~{count}"
    writing.add_image(
        store, image_of(found, wanted, json.loads(config), lambda _text: None), config, {"source": source}
    )
    return found, True


def _parent(store: Store, identity: str) -> str:
    try:
        about = json.loads(files.read_file(f"{store.about}/{identity}") or b"{}")
        return str(about.get("parent") or "")
    except (ValueError, AttributeError):
        return ""


# Bisecting


class Verdict(Record):
    """Which layer is the first bad one: *layers* are several where some could not be told; so many were *tried*."""

    layers: tuple[Entry, ...]
    tried: int


SKIP = 125
_LAST_BAD = 127


def bisect(context: Context, good: str, bad: str, test: Callable[[str, Entry], int]) -> Verdict:
    """Find the layer between the images *good* and *bad* that made it so.

    *test* runs a command in the image of an id, that ends with that layer, and returns its status: 0 is good, 125 that
    it cannot be told, 1 to 127 bad, as for git-bisect(1).

    Raises:
        NotFoundError: there is no such image.
        UsageError: *bad* does not lie on top of *good*.
        NsunitError: the command ended with another status.
    """
    store = Store(context.paths)
    lower, _ = _image(store, good)
    upper, _ = _image(store, bad)
    above = len(upper.layers) - len(lower.layers)
    if above < 1 or upper.layers[above:] != lower.layers:
        hint = f"'nsunit image log {printable(bad)}' shows what it is made of"
        raise UsageError(f"the image '{printable(bad)}' has no layers on top of '{printable(good)}'", hint=hint)
    entries = log(context, bad)[:above][::-1]
    first, last, tried = search(
        above, lambda place: _tried(store, upper.id, above - 1 - place, lambda identity: test(identity, entries[place]))
    )
    return Verdict(tuple(entries[first : last + 1]), tried)


def search(count: int, test: Callable[[int], int]) -> tuple[int, int, int]:
    """The first of *count* places that is bad, where the last one is; and the last that may be the first, and how
    many were tried.  *test* gives the status for a place.

    Raises:
        NsunitError: that is none of the statuses that mean something.
    """
    first, last, tried = 0, count - 1, 0
    skipped: set[int] = set()
    while candidates := [place for place in range(first, last) if place not in skipped]:
        near = (first + last - 1) // 2
        middle = min(candidates, key=lambda place: (abs(place - near), place))
        status = test(middle)
        tried += 1
        if status == SKIP:
            skipped.add(middle)
        elif status == 0:
            first = middle + 1
        elif status <= _LAST_BAD:
            last = middle
        else:
            raise NsunitError(f"the command ended with status {status}", hint="0 is good, 125 untold, 1 to 127 bad")
    return first, last, tried


def _tried(store: Store, identity: str, count: int, test: Callable[[str], int]) -> int:
    with store.lock():
        found, is_new = _below(store, identity, count)
    try:
        return test(found)
    finally:
        if is_new:
            with store.lock():
                if found not in names_of(store):
                    writing.remove_image(store, found)
