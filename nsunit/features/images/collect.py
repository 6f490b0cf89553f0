"""Who uses what in the store, and taking away what nobody does.

An image is in use by each container that was started of it, running or not, until `nsunit rm`, and by each enabled one;
a layer besides by each plan that names it, since a container may run from another image than it would start from.
"""

from __future__ import annotations

import os

from nsunit.core.running import is_running
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.images import pins, writing
from nsunit.features.images.deeds import recorded
from nsunit.features.images.layout import DIGEST_LENGTH, ends_as, file_of, full_name, is_digest, local_name
from nsunit.features.images.store import Store, names_of
from nsunit.names import RUN_PREFIX, printable
from nsunit.record import Record
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nsunit.core.context import Context


class Removed(Record):
    """What was taken away: full names, ids of images, and how many layers."""

    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    layers: int = 0


def users(context: Context) -> dict[str, list[str]]:
    """The containers that use each image, by its id: that which they have, and that which they would start from."""
    store, paths = Store(context.paths), context.paths
    found: dict[str, list[str]] = {}
    for name in _containers(context):
        for directory in (paths.state_of(name), paths.runtime_of(name)):
            reference, identity = recorded(directory)
            pin = pins.read(directory)
            pinned = (pin.identity, pin.former) if pin else ()
            for used in (identity, _meant_by(store, reference), *pinned):
                if used and name not in found.setdefault(used, []):
                    found[used].append(name)
    return found


def _meant_by(store: Store, reference: str) -> str:
    try:
        return store.find(reference) if reference else ""
    except NsunitError:
        return ""


def layers_in_plans(context: Context, store: Store) -> set[str]:
    """The layers that a container runs with, or that an enabled one starts with."""
    found: set[str] = set()
    prefix = os.fsencode(f"{store.layers}/")
    for name in _containers(context):
        for directory in (context.paths.runtime_of(name), context.paths.boot_of(name)):
            pieces = (files.read_file(f"{directory}/plan") or b"").split(prefix)[1:]
            found |= {digits for piece in pieces if is_digest(digits := piece[:DIGEST_LENGTH].decode("latin-1"))}
    return found


def _containers(context: Context) -> list[str]:
    paths = context.paths
    names = {*files.list_directory(paths.states), *files.list_directory(paths.runtimes)}
    return sorted(name for name in names if not _has_ended(context, name))


def _has_ended(context: Context, name: str) -> bool:
    """Whether *name* is what a foreground container without a name of its own has left behind."""
    if not name.startswith(RUN_PREFIX) or os.path.lexists(context.paths.state_of(name)):
        return False
    try:
        with Lock(context.paths.locks, name, timeout=0):
            return not is_running(context, name)
    except NsunitError:
        return False  # its lock is held: it is being started


def remove(context: Context, texts: Sequence[str]) -> Removed:
    """Take away the names *texts*, or all names of the images whose ids they are, and images without a name.

    Raises:
        NotFoundError: there is no such image.
        NsunitError: a container uses it; nothing was taken away.
    """
    store = Store(context.paths, context.remove_tree)
    with store.lock():
        known, used = names_of(store), users(context)
        going: dict[str, list[str]] = {}
        for text in texts:
            identity = store.find(text)
            going.setdefault(identity, []).extend(_meant(text, known.get(identity, [])))
        for identity, names in going.items():
            if not _left(known.get(identity, []), names) and identity in used:
                called = printable(names[0] if names else identity[:12])
                raise NsunitError(
                    f"the image '{called}' is used by {', '.join(used[identity])}",
                    hint=f"'nsunit rm {used[identity][0]}' forgets the container, with what it has written",
                )
        removed: list[str] = []
        images: list[str] = []
        for identity, names in going.items():
            left = _left(known.get(identity, []), names)
            going_names = tuple(dict.fromkeys(names if left else known.get(identity, [])))
            writing.take_away(store, identity, going_names, whole=not left)
            removed += going_names
            if not left:
                images.append(identity)
        layers = _put_layers_aside(context, store)
    writing.sweep(store)
    return Removed(tuple(removed), tuple(images), layers)


def _meant(text: str, names: list[str]) -> list[str]:
    """Those of *names* that *text* means: all of them if it is an id."""
    full = {full_name(text), full_name(f"localhost/{text}")} if not text.startswith("sha256:") else set()
    return [name for name in names if name in full] or [name for name in names if ends_as(name, text)] or list(names)


def _left(names: list[str], going: list[str]) -> list[str]:
    """Which names an image keeps; one by digest does not count, as nobody gave it."""
    return [name for name in names if name not in going and "@" not in name]


def prune(
    context: Context, *, everything: bool = False, only: Sequence[str] | None = None, dry_run: bool = False
) -> Removed:
    """Take away images without a name, with *everything* all that no container uses, and layers of no image.

    Of images it takes those with ids in *only*, where that is given; with *dry_run* it says what it would take away.
    """
    store = Store(context.paths, context.remove_tree)
    with store.lock():
        known, used = names_of(store), users(context)
        images = [
            identity
            for identity in store.identities()
            if identity not in used
            and (everything or all("@" in name for name in known.get(identity, [])))
            and (only is None or identity in only)
        ]
        removed = [name for identity in images for name in known.get(identity, [])]
        if dry_run:
            return Removed(tuple(removed), tuple(images), len(_unneeded_layers(context, store, images)))
        for identity in images:
            writing.take_away(store, identity, known.get(identity, []), whole=True)
        layers = _put_layers_aside(context, store)
    writing.sweep(store)
    return Removed(tuple(removed), tuple(images), layers)


def _unneeded_layers(context: Context, store: Store, going: Sequence[str] = ()) -> list[str]:
    """The layers of no image but those that are *going*, which no container runs with."""
    needed = layers_in_plans(context, store)
    try:
        for identity in store.identities():
            image = store.image(identity) if identity not in going else None
            needed |= set(image.layers if image else ())
    except NsunitError as error:
        context.warn(f"warning: {error}, so all layers stay, since any may be its own")
        return []
    return [chain for chain in store.chains() if chain not in needed]


def _put_layers_aside(context: Context, store: Store) -> int:
    writing.remove_strays(store)
    unneeded = _unneeded_layers(context, store)
    for chain in unneeded:
        writing.put_layer_aside(store, chain)
    return len(unneeded)


def forget_damaged(context: Context, chains: Iterable[str], identities: Iterable[str]) -> tuple[Removed, list[str]]:
    """Take away the images *identities* and those with a layer of *chains*; returns also who keeps one from going."""
    store = Store(context.paths, context.remove_tree)
    damaged, bad = set(chains), set(identities)
    kept: list[str] = []
    removed: list[str] = []
    images: list[str] = []
    with store.lock():
        known, used = names_of(store), users(context)
        for identity in store.identities():
            image = None if identity in bad else store.image(identity)
            if identity not in bad and not damaged & set(image.layers if image else ()):
                continue
            if identity in used:
                kept += used[identity]
                continue
            writing.take_away(store, identity, known.get(identity, []), whole=True)
            removed += known.get(identity, [])
            images.append(identity)
        for identity in known.keys() - set(store.identities()) - set(images):
            for name in known[identity]:
                writing.remove_name(store, name)
                removed.append(name)
        layers = _put_layers_aside(context, store)
    writing.sweep(store)
    return Removed(tuple(removed), tuple(images), layers), kept


def tag(context: Context, text: str, names: Sequence[str]) -> tuple[str, ...]:
    """Give the image *text* further names; each leads to no other image any more.

    Raises:
        NotFoundError: there is no such image.
    """
    store = Store(context.paths, context.remove_tree)
    full = tuple(local_name(name) for name in names)
    with store.lock():
        identity = store.find(text)
        for name in full:
            if len(file_of(name)) > _FILE_NAME_MAX:
                raise NotFoundError(f"'{printable(name)}' is too long a name")
        writing.add_names(store, full, identity)
    return full


_FILE_NAME_MAX = 255
