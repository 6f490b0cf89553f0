"""The store of images: where things are, and finding one of them by name.  What a start needs, and nothing more.

    layers/CHAIN/root     the directory of a layer, with `layer` and `files` about it beside it
    images/ID             what a start reads of an image; config/ID is the document it was made of, about/ID the rest
    names/NAME            a link to ../images/ID
    staging/…             what is under way, with a lock; layers/.staging/… where layers are on a file system apart

All of it is its owner's alone, root's or a user's.  A layer and an image are there when they have their names, by a
rename of something whole.
"""

from __future__ import annotations

import os

from nsunit.errors import NotFoundError, NsunitError, UsageError
from nsunit.features.images.layout import (
    ID_MIN,
    Image,
    candidates,
    ends_as,
    file_of,
    is_digest,
    is_reference,
    load,
    name_of,
)
from nsunit.names import printable
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.storage.paths import Paths

LOCK = ".images"  # in the directory of locks, beside those of containers, whose names begin with a letter or digit


class Store:
    """The store of *paths*; *remove_tree* removes what may have files of ids that only its owner's containers have."""

    def __init__(self, paths: Paths, remove_tree: Callable[[str], bool] = files.remove_tree) -> None:
        self.paths, self.remove_tree = paths, remove_tree
        self.path = paths.images
        self.layers = self.path + "/layers"
        self.images = self.path + "/images"
        self.configs = self.path + "/config"
        self.about = self.path + "/about"
        self.names = self.path + "/names"

    @property
    def staging(self) -> str:
        """Where what is under way is: with the layers where nothing can be renamed to them."""
        return files.place_beside(self.path, self.layers, "staging", ".staging")

    def lock(self) -> Lock:
        """What is held while names, images or layers appear or go, and while a container takes an image in use."""
        return Lock(self.paths.locks, LOCK)

    def root_of(self, chain: str) -> str:
        """The directory of a layer."""
        return f"{self.layers}/{chain}/root"

    def image(self, identity: str) -> Image | None:
        """The image *identity*; None where it is not there.

        Raises:
            NsunitError: what is there is no image.
        """
        content = files.read_file(f"{self.images}/{identity}")
        try:
            return None if content is None else load(identity, content)
        except (LookupError, ValueError):
            hint = "'nsunit image check' has more; 'nsunit image check --repair' forgets it, to be brought in again"
            raise NsunitError(f"the image '{identity[:12]}' is damaged", hint=hint) from None

    def find(self, text: str) -> str:
        """The id of the image that *text* names: a full name, or the end of one, or an id or the beginning of one.

        Raises:
            UsageError: it is no name.
            NotFoundError: there is no such image, or more than one.
        """
        if not is_reference(text.removeprefix("sha256:") if is_digest(text.removeprefix("sha256:")) else text):
            raise UsageError(
                f"'{printable(text)}' is not the name of an image", hint="e.g. docker.io/library/nginx:1.27"
            )
        if (name := self.named(text)) and (identity := self.led_to(name)):
            return identity
        digits = text.removeprefix("sha256:")
        if len(digits) >= ID_MIN:
            found = [name for name in files.list_directory(self.images) if name.startswith(digits) and is_digest(name)]
            if len(found) == 1:
                return found[0]
            if found:
                raise NotFoundError(
                    f"'{printable(text)}' is the beginning of {len(found)} images", hint="give more of it"
                )
        hint = f"see 'nsunit image list'; 'nsunit image pull {printable(text)}' fetches it"
        if text.startswith("localhost/"):
            hint = "see 'nsunit image list'; 'nsunit build' and 'nsunit image import' make images of localhost"
        raise NotFoundError(f"there is no image '{printable(text)}'", hint=hint)

    def named(self, text: str) -> str:
        """The full name in the store that *text* is, or is the end of; empty if there is none.

        Raises:
            NotFoundError: it is the end of more than one.
        """
        if text.startswith("sha256:"):
            return ""
        for name in candidates(text):
            if os.path.lexists(f"{self.names}/{file_of(name)}"):
                return name
        found = [name for name in map(name_of, files.list_directory(self.names)) if ends_as(name, text)]
        if len(found) > 1:
            raise NotFoundError(
                f"'{printable(text)}' may be {' or '.join(sorted(found))}", hint="say which, with its host"
            )
        return found[0] if found else ""

    def led_to(self, name: str) -> str:
        """The id of the image that the full name *name* leads to; empty where there is no such name."""
        try:
            return os.readlink(f"{self.names}/{file_of(name)}").rpartition("/")[2]
        except FileNotFoundError:
            return ""  # it was taken away meanwhile

    def identities(self) -> list[str]:
        """The ids of all images."""
        return [name for name in files.list_directory(self.images) if is_digest(name)]

    def chains(self) -> list[str]:
        """The ids of all layers."""
        return [name for name in files.list_directory(self.layers) if is_digest(name)]


def names_of(store: Store) -> dict[str, list[str]]:
    """The full names of each image by its id, those by digest last."""
    found: dict[str, list[str]] = {}
    listed = [name for name in files.list_directory(store.names) if not name.startswith(".")]
    for name in sorted(listed, key=lambda name: ("@" in name, name)):
        try:
            identity = os.path.basename(os.readlink(f"{store.names}/{name}"))
        except FileNotFoundError:
            continue  # it was taken away meanwhile
        found.setdefault(identity, []).append(name_of(name))
    return found
