"""What the unit does that packs layers: each into a file of its own, with the digests of both forms."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zlib

from nsunit.errors import NsunitError
from nsunit.features.images.fetch.work import call
from nsunit.features.images.out.tar import Owners, pack
from nsunit.features.images.out.walk import open_root
from nsunit.features.images.unpack import confine, zstd
from nsunit.features.images.unpack.work import make_upper
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_GZIP = 31  # of zlib: with gzip's header, without a time in it
_LEVEL = 6


class _Blob:
    """What is written to *file*, compressed or not, with the digests of both forms."""

    def __init__(self, file: BinaryIO, compression: str) -> None:
        self.file = file
        self.digest, self.blob_digest = hashlib.sha256(), hashlib.sha256()
        self.size = 0
        self._compressor: Any = None
        if compression == "zstd":
            self._compressor = zstd.Compressor()
        elif compression:
            self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def write(self, content: bytes) -> None:
        """Add *content*."""
        self.digest.update(content)
        self._put(self._compressor.compress(content) if self._compressor else content)

    def finish(self) -> None:
        """Write what is left."""
        if self._compressor:
            self._put(self._compressor.flush())

    def _put(self, content: bytes) -> None:
        if self._compressor:
            self.blob_digest.update(content)
        self.file.write(content)
        self.size += len(content)


def send(job: dict[str, Any]) -> dict[str, Any]:
    """Have skopeo send job["source"] to the registry in job["name"].

    Raises:
        NsunitError: the registry does not take it.
    """
    name = job["name"]
    words = ("copy", "--quiet", job["source"], f"docker://{name}")
    call(job["skopeo"], f"'{printable(name)}' cannot be sent", job["environment"], *words)
    return {}


def pack_all(job: dict[str, Any]) -> dict[str, Any]:
    """Pack each of job["layers"], a `packing.Layer`; job["compression"] is "gzip", "zstd" or empty.
    What the names of overlayfs's attributes begin with is job["marks"].

    Raises:
        NsunitError: something cannot be in an image.
        OSError: something cannot be read, or there is no room.
    """
    try:
        return {"layers": [_packed(item, job["compression"], job["marks"]) for item in job["layers"]]}
    except zstd.ZstdError as error:
        raise NsunitError(f"layers cannot be compressed by zstd: {error}", hint="use gzip") from None


def flatten(job: dict[str, Any]) -> dict[str, Any]:
    """Pack what the layers job["lowers"], the topmost first, show together, into the file job["to"].

    They are merged as for a container, and read by a process whose root that is.

    Raises:
        NsunitError: something cannot be in an archive.
        OSError: something cannot be read, or there is no room.
    """
    if job["compression"] == "zstd":
        zstd.preload()
    tarfile.TarInfo("x").tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")  # it loads what it needs
    staging = job["staging"]
    os.mkdir(f"{staging}/mount")
    make_upper(f"{staging}/merged", job["lowers"])
    ground = confine.Ground(f"{staging}/mount", f"{staging}/merged", job["lowers"], bool(job["ids"]))
    with open(job["to"], "xb", buffering=1 << 20) as file:
        answer = confine.run(ground, file.fileno(), lambda root: _flattened(root, file, job["compression"]), 16 << 20)
    found: dict[str, Any] = json.loads(answer)
    if "error" in found:
        raise NsunitError(found["error"], hint=found["hint"])
    return found


def _flattened(root: int, file: BinaryIO, compression: str) -> bytes:
    try:
        blob = _Blob(file, compression)
        warnings = pack(root, blob.write, Owners(), ())
        blob.finish()
        file.flush()
    except NsunitError as error:
        return json.dumps({"error": error.message, "hint": error.hint}).encode()
    except zstd.ZstdError as error:
        return json.dumps({"error": f"it cannot be compressed by zstd: {error}", "hint": "use gzip"}).encode()
    except OSError as error:
        return json.dumps({"error": error.strerror or str(error), "hint": None}).encode()
    return json.dumps({"warnings": warnings}).encode()


def _packed(item: dict[str, Any], compression: str, marks: str) -> dict[str, Any]:
    root = open_root(item["root"])
    try:
        with open(item["to"], "xb", buffering=1 << 20) as file:
            blob = _Blob(file, compression)
            owners = Owners(item["base"], tuple(item["roots"]))
            warnings = pack(root, blob.write, owners, item["lowers"], marks, item["targets"])
            blob.finish()
    finally:
        os.close(root)
    diff = blob.digest.hexdigest()
    digest = blob.blob_digest.hexdigest() if compression else diff
    return {"diff": diff, "blob": digest, "size": blob.size, "warnings": warnings}
