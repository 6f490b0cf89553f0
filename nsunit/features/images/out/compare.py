"""`diff`: what a container has changed of its root, by what overlayfs holds; and how two images differ."""

from __future__ import annotations

import json
import os
import stat

from nsunit.errors import NsunitError
from nsunit.features import load
from nsunit.features.images.out.lowers import Lowers
from nsunit.features.images.out.parts import damaged
from nsunit.features.images.out.places import mount_points
from nsunit.features.images.out.roots import written
from nsunit.features.images.out.walk import MARKS, USERS_MARKS, attributes_of, is_whiteout, open_root, walk
from nsunit.features.images.store import Store
from nsunit.features.images.unpack.catalog import unescaped
from nsunit.features.images.unpack.places import joined
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.features.images.layout import Image
    from nsunit.features.images.out.roots import Written

ADDED, CHANGED, DELETED = "A", "C", "D"
_WHITEOUT = f"{stat.S_IFCHR:o}"
_DIRECTORY = f"{stat.S_IFDIR:o}"
_OPAQUE = {f"{marks}opaque=79" for marks in (MARKS, USERS_MARKS)}  # an image has none of either by itself


class Change(Record):
    """What became of the file *path*: "A" added, "C" changed or with something changed in it, "D" deleted."""

    kind: str
    path: str


def container_changes(context: Context, name: str) -> list[Change]:
    """What container *name* has changed of its image or layers.

    Raises:
        NotFoundError: there is no such container.
        NsunitError: it has no layers, or nothing of what it writes is kept.
    """
    found = written(context, name)
    if not found.upper:
        hint = "with Layer= in place of Rootfs=, what it writes is kept apart"
        raise NsunitError(f"{name}: it writes into the directory that its root is, so nothing tells what", hint=hint)
    if not os.path.isdir(found.upper):
        return []  # it never ran
    if not context.user:
        return _with_parents(_changes(found, MARKS))
    # What belongs to its other ids is open to the user as their root only.
    answer = load("rootless", "deeds").within(context, lambda: _told(found))
    changes = json.loads(answer or "null")
    if not isinstance(changes, dict):
        raise NsunitError(f"{name}: what it has written cannot be read", hint=changes)
    return _with_parents(changes)


def _told(found: Written) -> str:
    """The changes of a user's container as JSON, or why they cannot be told."""
    try:
        return json.dumps(_changes(found, USERS_MARKS))
    except NsunitError as error:
        return json.dumps(error.message)
    except OSError as error:
        return json.dumps(error.strerror)


def _changes(found: Written, marks: str) -> dict[str, str]:
    root = open_root(found.upper)
    try:
        lowers = Lowers(found.layers, marks)
        made = mount_points(root, found.targets, lowers)
        return {path: kind for path, kind in _upper_changes(root, lowers) if path not in made}
    finally:
        os.close(root)


def _upper_changes(root: int, lowers: Lowers) -> Iterator[tuple[str, str]]:
    for node in walk(root):
        if not node.path:
            continue
        lower = lowers.find(node.path)
        if is_whiteout(node.status):
            if lower is not None:
                yield node.path, DELETED
            continue
        is_directory = stat.S_ISDIR(node.status.st_mode)
        if lower is None:
            yield node.path, ADDED
        elif not is_directory or _identity(lower) != _identity(node.status):
            yield node.path, CHANGED
        if is_directory:
            yield from ((joined(node.path, name), DELETED) for name in lowers.hidden(node, attributes_of(node)))


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


def _with_parents(changes: dict[str, str]) -> list[Change]:
    """*changes* by path, with the directories that something was changed in."""
    for path in list(changes):
        while path := path.rpartition("/")[0]:
            changes.setdefault(path, CHANGED)
    return [Change(changes[path], f"/{path}") for path in sorted(changes, key=lambda path: path.split("/"))]


# Images: what their layers consist of is known from their unpacking


class _File:
    """What an image has at a place: the *line* about it and, in a directory, what is in that."""

    __slots__ = ("line", "below")

    def __init__(self, line: tuple[str, ...]) -> None:
        self.line = line
        self.below: dict[str, _File] = {}

    @property
    def is_directory(self) -> bool:
        return self.line[0] == _DIRECTORY

    @property
    def said(self) -> tuple[str, ...]:
        """What makes it another one; a directory has another time whenever something was made in it."""
        return self.line[:4] if self.is_directory else self.line


def image_changes(context: Context, first: str, second: str) -> list[Change]:
    """What is different in the image *second*: type, mode, owner, size, time, attributes or content of its files.

    Raises:
        NotFoundError: there is no such image.
    """
    store = Store(context.paths)
    trees = []
    for text in (first, second):
        image = store.image(store.find(text))
        if image is None:
            raise damaged(store.find(text))
        trees.append(_tree(store, image))
    changes: dict[str, str] = {}
    waiting = [("", trees[0], trees[1])]
    while waiting:
        place, old, new = waiting.pop()
        for name in old.below.keys() | new.below.keys():
            path = joined(place, name)
            before, after = old.below.get(name), new.below.get(name)
            if before is None or after is None:
                changes[path] = ADDED if before is None else DELETED
                if after is not None:
                    waiting.append((path, _File(()), after))
                continue
            if before.said != after.said:
                changes[path] = CHANGED
            waiting.append((path, before, after))
    return _with_parents(changes)


def _tree(store: Store, image: Image) -> _File:
    top = _File((_DIRECTORY,))
    for chain in reversed(image.layers):
        try:
            with open(
                f"{store.layers}/{chain}/files", encoding="utf-8", errors="surrogateescape", newline="\n"
            ) as file:
                for line in file:
                    _add(top, line.rstrip("\n").split("\t"))
        except (OSError, ValueError, LookupError):
            raise damaged(image.id) from None
    return top


def _add(top: _File, fields: list[str]) -> None:
    path = unescaped(fields[0]).strip("/")
    if not path:
        return
    *parents, name = path.split("/")
    parent = top
    for part in parents:
        parent = parent.below[part]
    kind, mode, uid, gid, size, mtime, attributes, content = fields[1:]
    if kind == _WHITEOUT and size == "0":
        parent.below.pop(name, None)
        return
    marked = attributes.split(",")
    own = [item for item in marked if not item.startswith(("trusted.", USERS_MARKS))]
    owner = (kind, mode, uid, gid)
    file = _File((*owner, *own) if kind == _DIRECTORY else (*owner, size, mtime, content, *own))
    old = parent.below.get(name)
    if old is not None and old.is_directory and file.is_directory and not _OPAQUE.intersection(marked):
        file.below = old.below
    parent.below[name] = file
