"""Changing the store: what is whole gets its name, and what has none any more goes.

Everything is on its disk before it has a name: a power cut leaves a layer or an image there, or not there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os

from nsunit.features.images.layout import dump, file_of, is_digest
from nsunit.setup import linux
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Self

    from nsunit.features.images.layout import Image
    from nsunit.features.images.store import Store
    from nsunit.storage.lock import Lock

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRASH = "trash-"
_PIECE = 1 << 20


class Workplace:
    """A directory of its own below *place* for what is under way, as a context; it is gone at the end, taken by none.

    *lock* makes the lock that is held while one appears or is swept, *remove_tree* takes it away.
    """

    def __init__(self, place: str, lock: Callable[[], Lock], remove_tree: Callable[[str], object]) -> None:
        self.place = place
        self.token = os.urandom(6).hex()
        self.path = f"{place}/{self.token}"
        self._lock, self._remove_tree = lock, remove_tree
        self._fd = -1

    def __enter__(self) -> Self:
        """Make it."""
        files.make_private_directory(self.place)
        try:
            with self._lock():
                os.mkdir(self.path, 0o700)
                self._fd = os.open(self.path, _DIRECTORY)
                fcntl.flock(self._fd, fcntl.LOCK_SH)
        except BaseException as error:
            self.__exit__(error)
            raise
        return self

    def __exit__(self, error: object = None, *_exception: object) -> None:
        """Remove it; of what has failed before, that is told."""
        try:
            self._remove_tree(self.path)
        except OSError:
            if error is None:
                raise
        finally:
            if self._fd >= 0:
                os.close(self._fd)

    def sync(self) -> None:
        """Have all that is in it on the disk."""
        linux.syncfs(self._fd)


def sweep_place(place: str, lock: Callable[[], Lock], remove_tree: Callable[[str], bool]) -> int:
    """Remove what processes have left below *place* that have ended, or put aside; returns how much that was."""
    swept = 0
    for name in files.list_directory(place):
        path = f"{place}/{name}"
        try:
            fd = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            continue  # who made it has just ended
        try:
            with lock():  # one that is being made is not locked yet
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            swept += remove_tree(path)
        except BlockingIOError:
            pass  # somebody is at work in it
        finally:
            os.close(fd)
    return swept


class Staging(Workplace):
    """One in the *store*, which is made as well."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.staging, store.lock, store.remove_tree)
        self.store = store

    def __enter__(self) -> Self:
        """Make it, and the directories of the store."""
        store = self.store
        for directory in (store.layers, store.images, store.configs, store.about, store.names):
            files.make_private_directory(directory)
        return super().__enter__()


def sweep(store: Store) -> int:
    """Remove what was under way in the *store* when its process ended, or was put aside; returns how much that was."""
    return sweep_place(store.staging, store.lock, store.remove_tree)


def spool(source: str, path: str) -> None:
    """Make the file *path* of all that comes from *source*, or from standard input for `-`, which cannot be sought.

    Raises:
        OSError: *source* cannot be read, or there is no room for it; with the path of that one.
    """
    reader = 0 if source == "-" else os.open(source, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        with open(path, "xb", 0) as file:
            while piece := os.read(reader, _PIECE):  # not by a file of Python's, which would not hear of a signal
                while piece:
                    piece = piece[file.write(piece) :]
    except OSError as error:
        called = "standard input" if source == "-" else source
        raise OSError(error.errno, error.strerror, path if error.errno in files.NO_ROOM else called) from None
    finally:
        if reader:
            os.close(reader)


def swap(new: str, path: str) -> None:
    """Give *new* the name *path*, and what is there the name of *new*: whatever is killed, one of them is there.

    Where the file system cannot do that, for a moment nothing is.
    """
    try:
        linux.rename_exchange(new, path)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        os.rename(path, f"{new}.former")
        os.rename(new, path)
        os.rename(f"{new}.former", new)


def swap_back(new: str, path: str, former: os.stat_result) -> None:
    """Take back as much of `swap` as was done; *former* is what lstat(2) says of what *path* was before."""
    aside = f"{new}.former"
    if os.path.lexists(aside):  # it has ended between two renames
        if os.path.lexists(path):
            os.rename(path, new)
        os.rename(aside, path)
    elif os.path.samestat(os.lstat(new), former):
        swap(new, path)


class LayerLostError(Exception):
    """A layer that was there when its image was unpacked is not there any more."""


def add_layers(store: Store, staging: Staging, layers: Iterable[dict[str, Any]]) -> None:
    """Give the unpacked *layers* their names, the lowest first.  The caller holds the lock, and has synced them.

    Raises:
        LayerLostError: one is neither unpacked nor there.
    """
    for layer in layers:
        target = f"{store.layers}/{layer['chain']}"
        if os.path.isdir(target):
            continue
        if not layer["place"]:
            raise LayerLostError(layer["chain"])
        os.rename(f"{staging.path}/{layer['place']}", target)
    files.sync_directory(store.layers)


def describe_layers(staging: Staging, layers: Iterable[dict[str, Any]]) -> None:
    """Write beside each unpacked layer what is known of it."""
    below = ""
    for layer in layers:
        if layer["place"]:
            place = f"{staging.path}/{layer['place']}"
            staging.store.remove_tree(place + "/work")
            known = {key: layer[key] for key in ("diff", "blob", "size", "entries")}
            files.write_file(place + "/layer", json.dumps({**known, "below": below}).encode())
        below = layer["chain"]


def add_image(store: Store, image: Image, config: bytes, about: dict[str, Any]) -> None:
    """Make an image known, of which all layers are there.  The caller holds the lock."""
    _write(f"{store.configs}/{image.id}", config)
    _write(f"{store.about}/{image.id}", json.dumps(about).encode())
    _write(f"{store.images}/{image.id}", dump(image))


def add_name(store: Store, name: str, identity: str) -> None:
    """Let the full name *name* lead to an image, and no other.  The caller holds the lock."""
    path = f"{store.names}/{file_of(name)}"
    temporary = f"{store.names}/.{os.getpid()}.new"
    try:
        files.discard(temporary)  # of one that was killed
        os.symlink(f"../images/{identity}", temporary)
        os.rename(temporary, path)
    except BaseException as error:  # an interrupt may come when it has the other name, which nobody knows
        with contextlib.suppress(OSError):
            files.discard(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, path) from None
        raise
    files.sync_directory(store.names)


def admit(
    store: Store,
    staging: Staging,
    layers: Sequence[dict[str, Any]],
    image: Image,
    config: bytes,
    about: dict[str, Any] | None,
    names: Iterable[str],
) -> None:
    """Make the unpacked *layers*, the *image* of them and its *names* known.  The caller holds the lock.

    *about* is None where the image stays as it is known already.

    Raises:
        LayerLostError: one is neither unpacked nor there.
        OSError: one cannot be made known, and nothing of it is.
    """
    undo: list[Callable[[], object]] = []
    for layer in layers:
        if not os.path.isdir(f"{store.layers}/{layer['chain']}"):
            undo.append(lambda layer=layer: _put_layer_back(store, staging, layer))  # type: ignore[misc]
    if not os.path.lexists(f"{store.images}/{image.id}"):
        undo.append(lambda: remove_image(store, image.id))
    try:
        add_layers(store, staging, layers)
        if about is not None:
            add_image(store, image, config, about)
        _lead(store, names, image.id, undo)
    except BaseException:
        _take_back(undo)
        raise


def add_names(store: Store, names: Iterable[str], identity: str) -> None:
    """`add_name` for all of *names*, or for none.  The caller holds the lock."""
    undo: list[Callable[[], object]] = []
    try:
        _lead(store, names, identity, undo)
    except BaseException:
        _take_back(undo)
        raise


def _lead(store: Store, names: Iterable[str], identity: str, undo: list[Callable[[], object]]) -> None:
    for name in names:
        former = store.led_to(name)
        undo.append(lambda name=name, former=former: _lead_back(store, name, former))  # type: ignore[misc]
        add_name(store, name, identity)


def _take_back(undo: list[Callable[[], object]]) -> None:
    for step in reversed(undo):
        with contextlib.suppress(OSError):  # the first error is the one to be told
            step()


def _lead_back(store: Store, name: str, former: str) -> None:
    if former:
        add_name(store, name, former)
    elif store.led_to(name):
        remove_name(store, name)


def _put_layer_back(store: Store, staging: Staging, layer: dict[str, Any]) -> None:
    """Take back that an unpacked *layer* has its name."""
    files.move_back(f"{store.layers}/{layer['chain']}", f"{staging.path}/{layer['place']}")


def remove_name(store: Store, name: str) -> None:
    """Take a full name away.  The caller holds the lock."""
    os.unlink(f"{store.names}/{file_of(name)}")
    files.sync_directory(store.names)


def remove_image(store: Store, identity: str) -> None:
    """Take an image without names away; its layers stay.  The caller holds the lock."""
    for directory in (store.images, store.about, store.configs):
        files.discard(f"{directory}/{identity}")  # gone already where a removal was cut short
    files.sync_directory(store.images)


def take_away(store: Store, identity: str, names: Sequence[str], *, whole: bool) -> None:
    """Take *names* of an image away, and with *whole* that as well: all, or nothing.  The caller holds the lock."""
    try:
        for name in names:
            remove_name(store, name)
        if whole:
            remove_image(store, identity)
    except BaseException:
        if os.path.lexists(f"{store.images}/{identity}"):
            _take_back([lambda name=name: add_name(store, name, identity) for name in names])  # type: ignore[misc]
        raise


def remove_strays(store: Store) -> None:
    """Remove documents of images that are not there: who brought one in, or took it away, was killed.

    The caller holds the lock.
    """
    known = set(store.identities())
    for directory in (store.about, store.configs):
        for name in files.list_directory(directory):
            if is_digest(name) and name not in known:
                files.discard(f"{directory}/{name}")


def put_layer_aside(store: Store, chain: str) -> None:
    """Take a layer's name away; `sweep` removes the rest.  The caller holds the lock."""
    os.rename(f"{store.layers}/{chain}", f"{store.staging}/{_TRASH}{os.urandom(6).hex()}")
    files.sync_directory(store.layers)


def _write(path: str, content: bytes) -> None:
    files.write_file(path, content)
    files.sync_directory(os.path.dirname(path))
