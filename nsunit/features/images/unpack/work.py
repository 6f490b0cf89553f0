"""An image from its source into a directory of staged layers, layer by layer."""

from __future__ import annotations

import hashlib
import json
import os
import stat

from nsunit.errors import NsunitError
from nsunit.features.images.unpack import ahead, confine, sources, zstd
from nsunit.features.images.unpack.apply import CONTENTS_MAX, ID_MAX, Layer, Limits
from nsunit.features.images.unpack.catalog import write_catalog
from nsunit.features.images.unpack.sources import hex_of, member
from nsunit.features.images.unpack.stream import Content
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.features.images.unpack.sources import Found
    from nsunit.features.images.unpack.stream import Blob


def _find(job: dict[str, Any]) -> tuple[str, Found]:
    """The transport of what *job* names, and the image that is there."""
    transport, tag, platform = job["transport"], job["tag"], job["platform"]
    if transport == "oci":
        return transport, sources.from_layout(sources.Directory(job["path"]), tag, platform)
    if transport == "dir":
        return transport, sources.from_skopeo_directory(sources.Directory(job["path"]))
    if transport == "layers":
        return transport, sources.from_layers(sources.Directory(job["path"]))
    blob = sources.open_regular(job["path"]).replace(name=job["called"])
    if not blob.size:
        raise NsunitError(f"{blob.name}: it is empty", hint="get it anew")
    if transport == "tar" or (transport == "file" and not sources.looks_like_image(blob)):
        return "tar", sources.Found(b"", ((blob, ""),))
    archive = sources.Archive(sources.plain(blob, job["staging"]))
    if transport == "docker-archive" or (transport == "file" and "manifest.json" in archive.found):
        return "docker-archive", sources.from_docker_archive(archive, tag)
    return "oci-archive", sources.from_layout(archive, tag, platform)


def unpack(job: dict[str, Any]) -> dict[str, Any]:
    """Unpack the image that *job* names into job["staging"], but for the layers that job["layers"] has already.

    Returns what is to be known of it: its config, names and layers.

    Raises:
        NsunitError: it cannot be had, or is damaged.
        OSError: the host refuses something.
    """
    zstd.preload()
    ahead.preload()
    transport, found = _find(job)
    os.mkdir(job["staging"] + "/mount")
    diffs = _diff_ids(found)
    done: list[dict[str, Any]] = []
    lowers: list[str] = []
    below = ""
    described = _Described()
    for number, (blob, digest) in enumerate(found.layers):
        diff = diffs[number] if diffs else ""
        chain = chain_of(below, diff) if diff else ""
        if chain and os.path.isdir(f"{job['layers']}/{chain}"):
            done.append({"diff": diff, "chain": chain, "place": ""})
            lowers.insert(0, f"{job['layers']}/{chain}/root")
        elif blob is sources.ABSENT:
            raise NsunitError(f"layer {number} is not in the store any more", hint="try again")
        else:
            place = f"{job['staging']}/{number}"
            layer = _unpack_layer(job, blob, place, lowers)
            _compare(blob, layer, digest, diff)
            chain = chain_of(below, layer["diff"])
            if lowers and not diff:
                raise AssertionError("a tar has one layer")
            described.begin(place, layer["size"], layer.pop("contents"))
            done.append({**layer, "chain": chain, "place": str(number)})
            lowers.insert(0, place + "/root")
        below = chain
    described.finish()
    return {
        "config": found.config.decode("utf-8", "surrogateescape"),
        "transport": transport,
        "digest": found.digest,
        "names": list(found.names),
        "layers": done,
    }


def _diff_ids(found: Found) -> list[str]:
    if not found.config:
        return []
    rootfs = member(sources.parse(found.config, "config"), "rootfs", dict, "config")
    diffs = [hex_of(item, "config: rootfs.diff_ids") for item in member(rootfs, "diff_ids", list, "config")]
    if len(diffs) != len(found.layers):
        raise NsunitError(f"its config tells of {len(diffs)} layers, its manifest of {len(found.layers)}")
    if not diffs:
        raise NsunitError("it has no layers", hint="it may be some other artifact")
    return diffs


def _unpack_layer(job: dict[str, Any], blob: Blob, place: str, lowers: list[str]) -> dict[str, Any]:
    make_upper(place, lowers)

    def apply(root: int) -> bytes:
        return json.dumps(_apply(root, blob, limits)).encode()

    limits = Limits(ids=_ids() if job["ids"] else ID_MAX)
    ground = confine.Ground(job["staging"] + "/mount", place, lowers, bool(job["ids"]))
    layer: dict[str, Any] = json.loads(confine.run(ground, blob.fd, apply, _ANSWER_MAX))
    if "error" in layer:
        raise NsunitError(layer["error"], hint=layer["hint"])
    os.rename(place + "/upper", place + "/root")
    return layer


class _Described:
    """The catalogs of layers, each written by a process of its own while the next layers are unpacked."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def begin(self, place: str, size: int, known: dict[str, str]) -> None:
        """Write that of the layer in *place*, of *size* bytes, with digests that are *known*."""
        if len(self._workers) == _WORKERS_MAX:
            raise_first([self._workers.pop(0).result()])
        self._workers.append(Worker(lambda: _describe(place, size, known), ()))

    def finish(self) -> None:
        """Wait for them.

        Raises:
            NsunitError: one cannot be written.
        """
        raise_first([worker.result() for worker in self._workers])


_ANSWER_MAX = 8 * CONTENTS_MAX  # as JSON has them, a character may take six
_WORKERS_MAX = 4
_LARGE = 16 << 20  # bytes; what a layer has at least that is written to the disk while others are unpacked


def _describe(place: str, size: int, known: dict[str, str]) -> tuple[str, ...]:
    write_catalog(place, known)
    if size >= _LARGE:
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        linux.syncfs(fd)
        os.close(fd)
    return ()


def make_upper(place: str, lowers: Sequence[str]) -> None:
    """Make the directory *place* with what an overlay on *lowers*, the topmost first, writes to."""
    os.mkdir(place)
    os.mkdir(place + "/work")
    upper = place + "/upper"
    os.mkdir(upper)
    os.chmod(upper, 0o755)
    if not lowers:
        os.utime(upper, (0, 0))
        return
    # The root of what is merged is the topmost layer's.
    status = os.stat(lowers[0])
    os.chown(upper, status.st_uid, status.st_gid)
    os.chmod(upper, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(lowers[0]):
        if not name.startswith(("trusted.", "user.overlay.")):
            os.setxattr(upper, name, os.getxattr(lowers[0], name))
    os.utime(upper, ns=(status.st_mtime_ns, status.st_mtime_ns))


def _ids() -> int:
    """The highest id that there is for users and groups, in the user namespace of somebody who has some."""
    highest = []
    for kind in ("uid", "gid"):
        with open(f"/proc/self/{kind}_map") as file:
            highest.append(max(int(line.split()[0]) + int(line.split()[2]) for line in file) - 1)
    return min(highest)


def _apply(root: int, blob: Blob, limits: Limits) -> dict[str, Any]:
    content = Content(blob, limits.size)
    content.read_ahead()
    layer = Layer(root, limits)
    try:
        layer.apply(content)
    except NsunitError as error:
        return {"error": error.message, "hint": error.hint}
    except OSError as error:
        return {"error": f"{blob.name}: {error.strerror or error}", "hint": None}
    except MemoryError:
        return {"error": f"{blob.name}: it takes more memory than an image may", "hint": None}
    except Exception as error:
        return {"error": f"{blob.name}: internal error: {type(error).__name__}: {error}", "hint": None}
    return {
        "diff": content.digest.hexdigest(),
        "blob": content.blob_digest.hexdigest(),
        "size": layer.size,
        "entries": layer.entries,
        "warnings": layer.warnings,
        "contents": layer.contents,
    }


def _compare(blob: Blob, layer: dict[str, Any], digest: str, diff: str) -> None:
    if digest and hex_of(digest, blob.name) != layer["blob"]:
        raise NsunitError(f"{blob.name}: its content does not have its digest", hint="get the image anew")
    if diff and diff != layer["diff"]:
        raise NsunitError(
            f"{blob.name}: its decompressed content is not what the config says",
            hint="get the image anew; 'sha256:" + layer["diff"][:12] + "…' is not 'sha256:" + diff[:12] + "…'",
        )


def chain_of(below: str, diff: str) -> str:
    """The id of a layer *diff* on top of the layer *below*, empty for none: OCI's ChainID.

    What a layer's directory has depends on what is further down: which directory a link in a path leads to, the mode of
    one that is only passed through, the file that a hard link means.
    """
    return hashlib.sha256(f"sha256:{below} sha256:{diff}".encode()).hexdigest() if below else diff


def identity_of(content: bytes) -> str:
    """What an image is known by: the digest of its config."""
    return hashlib.sha256(content).hexdigest()
