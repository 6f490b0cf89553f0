"""An image as the documents and blobs that others take: layers packed again from their directories.

The store has no blobs, and what archive a layer came in cannot be made of its files again.  So an image that comes from
elsewhere has other digests when it goes out, its config with them; the same ones each time.  A layer that was made
here, by commit, has the digest that it had.
"""

from __future__ import annotations

import hashlib
import json
import os

from nsunit.errors import NsunitError
from nsunit.features.images.out.changes import dumped, with_diffs
from nsunit.features.images.out.packing import Layer, Packed, packed
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.features.images.layout import Image
    from nsunit.features.images.store import Store
    from nsunit.features.images.writing import Staging

_TYPE = "application/vnd.oci.image"


class Parts(Record):
    """An image's config and its layers, the lowest first, with the *compression* "gzip", "zstd" or none.

    *same* of the layers have the digest of their content that they came with.
    """

    config: bytes
    layers: tuple[Packed, ...]
    compression: str
    same: int

    @property
    def id(self) -> str:
        """The digest of its config."""
        return hashlib.sha256(self.config).hexdigest()

    @property
    def manifest(self) -> bytes:
        """The manifest that OCI has for it."""
        kind = f"{_TYPE}.layer.v1.tar{'+' if self.compression else ''}{self.compression}"
        layers = [descriptor(kind, item.blob, item.size) for item in self.layers]
        config = descriptor(f"{_TYPE}.config.v1+json", self.id, len(self.config))
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        return dumped(document)


MANIFEST = f"{_TYPE}.manifest.v1+json"


def descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    """What OCI says of a blob."""
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def document_of(store: Store, identity: str) -> dict[str, Any]:
    """The config of the image *identity*.

    Raises:
        NsunitError: it is damaged.
    """
    content = files.read_file(f"{store.configs}/{identity}")
    try:
        document = json.loads(content or b"")
        if len(document["rootfs"]["diff_ids"]):
            found: dict[str, Any] = document
            return found
    except (ValueError, LookupError, TypeError):
        pass  # as below
    raise damaged(identity)


def damaged(identity: str) -> NsunitError:
    """What is raised for an image that is not what it was."""
    return NsunitError(f"the image {identity[:12]} is damaged", hint="see 'nsunit image check'")


def parts_of(context: Context, store: Store, staging: Staging, identity: str, compression: str) -> Parts:
    """The parts of the image *identity*, its layers packed into *staging*.

    Raises:
        NsunitError: it was taken away meanwhile, or is damaged.
    """
    image = store.image(identity)
    if image is None:
        raise damaged(identity)
    roots = [store.root_of(chain) for chain in reversed(image.layers)]
    before = _marks(roots)
    layers = [
        Layer(root, f"{staging.path}/{number}.blob", tuple(roots[:number][::-1])) for number, root in enumerate(roots)
    ]
    archives = packed(context, staging, layers, compression)
    with store.lock():
        if store.image(identity) is None or _marks(roots) != before:
            raise NsunitError(f"the image {identity[:12]} was removed while it was read")
    document = document_of(store, identity)
    diffs = [item.diff for item in archives]
    same = [item.removeprefix("sha256:") == diff for item, diff in zip(_told(document, image), diffs, strict=True)]
    config = files.read_file(f"{store.configs}/{identity}") or b""
    return Parts(config if all(same) else dumped(with_diffs(document, diffs)), tuple(archives), compression, sum(same))


def _told(document: dict[str, Any], image: Image) -> list[str]:
    found: list[str] = document["rootfs"]["diff_ids"]
    if len(found) != len(image.layers):
        raise damaged(image.id)
    return found


def _marks(paths: Sequence[str]) -> list[int]:
    return [os.stat(path).st_ino if os.path.isdir(path) else 0 for path in paths]
