"""`commit`: an image of what a container has written, on top of the image or the layers that it runs on."""

from __future__ import annotations

import contextlib
import json
import os
import time

from nsunit.errors import NsunitError
from nsunit.features.images import writing
from nsunit.features.images.bring import Imported, Source, bring_in, check_names
from nsunit.features.images.config import image_of, platform_of
from nsunit.features.images.layout import local_name
from nsunit.features.images.out.changes import Told, changed, config_of, dumped, with_layers
from nsunit.features.images.out.packing import Layer, packed
from nsunit.features.images.out.parts import damaged
from nsunit.features.images.out.pause import Paused
from nsunit.features.images.out.roots import written
from nsunit.features.images.store import Store
from nsunit.names import printable
from nsunit.record import Record
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.features.images.out.roots import Written


class Wish(Record):
    """What is to be said of the new image; see `changes.changed` for *changes*.  *pause*: nothing runs meanwhile."""

    message: str = ""
    author: str = ""
    changes: tuple[str, ...] = ()
    pause: bool = True


def commit(context: Context, name: str, reference: str, wish: Wish) -> Imported:
    """Make the image *reference* of container *name*: its image and one layer more, or all of its layers.

    Raises:
        NotFoundError: there is no such container.
        NsunitError: nothing that it writes is kept, or it cannot be in an image; no image is left.
    """
    check_names((reference,))
    image_of("", (), changed({}, wish.changes), lambda _text: None)  # what cannot be is told before all else
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        with Lock(context.paths.locks, name):
            found = written(context, name)
            document = _packed(context, store, staging, found, wish)
        files.write_file(f"{staging.path}/config.json", dumped(document))
        source = Source("layers", staging.path, origin=f"commit:{name}", parent=found.image)
        return bring_in(context, source, (local_name(reference),))


def _packed(context: Context, store: Store, staging: writing.Staging, found: Written, wish: Wish) -> dict[str, Any]:
    """The config of the new image, whose new layers are archives in *staging* by their number then."""
    base, own = _base(store, found)
    # One that never ran has written nothing.
    tops = (found.upper,) if found.upper and os.path.isdir(found.upper) else ()
    stack, count = (*tops, *found.layers), len(tops) + len(own)
    if not count:
        raise NsunitError(f"{found.name}: it has written nothing on its image", hint="'nsunit image tag' names that")
    last = len((base.get("rootfs") or {}).get("diff_ids") or ()) + count - 1
    identities = (0, found.start, found.base)
    layers = [
        Layer(
            stack[place],
            f"{staging.path}/{last - place}.tar",
            stack[place + 1 :],
            found.base,
            identities,
            found.targets if stack[place] == found.upper else (),
        )
        for place in reversed(range(count))
    ]
    running = found.running if wish.pause and not found.is_frozen else None
    with Paused(context, running) if running else contextlib.nullcontext():
        archives = packed(context, staging, layers, "")
    return _document(base, found, wish, [item.diff for item in archives])


def _base(store: Store, found: Written) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the new image is on top of, and the layers that are the container's own, the topmost first."""
    if not found.image:
        return config_of(found.container, platform_of(os.uname().machine)), found.layers
    image = store.image(found.image)
    content = files.read_file(f"{store.configs}/{found.image}")
    if image is None or content is None:
        raise damaged(found.image)
    below = tuple(map(store.root_of, image.layers))
    own = found.layers[: len(found.layers) - len(below)]
    if found.layers[len(own) :] != below:
        raise NsunitError(f"{found.name}: it does not run on the layers of its image", hint="start it again")
    document: dict[str, Any] = json.loads(content)
    return document, own


def _document(base: dict[str, Any], found: Written, wish: Wish, diffs: list[str]) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    command = printable(" ".join(found.container.exec))
    told = [Told(now, "a layer of the container's") for _ in diffs[:-1]]
    told.append(Told(now, command, wish.author, wish.message))
    return changed(with_layers(base, diffs, told), wish.changes)
