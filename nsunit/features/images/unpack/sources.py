"""Where images come from: OCI layouts, docker's archives, skopeo's directories, tars of a root.

Whatever lies in them is somebody else's: a name leads to a regular file inside or to nothing, what has a digest is
checked against it, and documents have sizes that documents have.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile

from nsunit.errors import NsunitError
from nsunit.features.images.layout import is_digest
from nsunit.features.images.unpack.archive import entries, parts_of
from nsunit.features.images.unpack.stream import Blob, Content, Skimmed, is_compressed
from nsunit.names import printable
from nsunit.record import Record
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

DOCUMENT_MAX = 4 << 20  # bytes, of a manifest or a config, as registries have it
LAYERS_MAX = 500  # as overlayfs has it
_NESTED_MAX = 4  # indexes in indexes
_LINKS_MAX = 8
_ARCHIVE_MAX = 1 << 40  # bytes of a compressed archive's content
_INSIDE = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LAYER_TYPES = tuple(
    f"application/vnd.{kind}{ending}"
    for kind in ("oci.image.layer.v1.tar", "oci.image.layer.nondistributable.v1.tar")
    for ending in ("", "+gzip", "+zstd", "+xz")
) + tuple(f"application/vnd.docker.image.rootfs.{kind}" for kind in ("diff.tar", "diff.tar.gzip", "diff.tar.zstd"))
_LAYER_TYPES += ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",)


class Found(Record):
    """One image in a source.

    *layers* are its blobs, the lowest first, each with its digest, empty where the source has none; *config* is the
    document as it came, empty for a tar; *digest* that of its manifest, empty where there is none; *names* are those
    that the source gives it.
    """

    config: bytes
    layers: tuple[tuple[Blob, str], ...]
    digest: str = ""
    names: tuple[str, ...] = ()


def hex_of(digest: object, what: str) -> str:
    """The hexadecimal part of *digest*, `sha256:…`.

    Raises:
        NsunitError: it is not one.
    """
    text = digest if isinstance(digest, str) else ""
    kind, _, digits = text.partition(":")
    if kind != "sha256" or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise NsunitError(f"{what}: '{printable(str(digest)[:100])}' is not a sha256 digest")
    return digits


class Directory:
    """Files of the directory *path* of the host's."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def open(self, name: str) -> Blob:
        """The file *name*.

        Raises:
            NsunitError: it is not there, no regular file, or lies elsewhere.
        """
        try:
            fd = linux.openat2(self.fd, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, _INSIDE)
        except OSError as error:
            raise NsunitError(f"{self.path}: '{printable(name)}': {os.strerror(error.errno or 5)}") from None
        return _regular(fd, f"{self.path}/{name}")


class Archive:
    """Files in the tar archive *blob*, which is not compressed: nothing is taken out of it but what is read."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.found: dict[str, Blob | str] = {}
        content = Skimmed(blob, _ARCHIVE_MAX)
        try:
            self._index(content)
        except ValueError as error:
            raise content.damaged(str(error)) from None

    def _index(self, content: Content) -> None:
        blob = self.blob
        for entry in entries(content):
            if len(self.found) > 20_000:
                raise NsunitError(f"{blob.name}: it has too many entries for an image", hint="is it the tar of a root?")
            name = "/".join(parts_of(entry.name))
            if entry.isreg() and entry.sparse is None:
                data = Blob(blob.fd, entry.offset_data, entry.size, f"{blob.name}: '{printable(name)}'")
                self.found[name] = data
            elif entry.issym():
                self.found[name] = "/".join(parts_of(f"{os.path.dirname(name)}/{entry.linkname}"))
            elif entry.type == tarfile.LNKTYPE:
                self.found[name] = "/".join(parts_of(entry.linkname))

    def open(self, name: str) -> Blob:
        """The file *name*; docker puts links in place of layers that it has twice.

        Raises:
            NsunitError: it is not there.
        """
        found: Blob | str | None = name
        for _ in range(_LINKS_MAX):
            if not isinstance(found, str):
                break
            found = self.found.get(found)
        if not isinstance(found, Blob):
            raise NsunitError(f"{self.blob.name}: there is no '{printable(name)}' in it")
        return found


def open_regular(path: str) -> Blob:
    """The regular file *path* of the host's.

    Raises:
        NsunitError: it is something else.
        OSError: it cannot be opened.
    """
    return _regular(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), path)


def _regular(fd: int, name: str) -> Blob:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise NsunitError(f"{name}: it is not a regular file")
    return Blob(fd, 0, status.st_size, name)


def plain(blob: Blob, spool: str) -> Blob:
    """*blob* itself, or if it is compressed its content, for which a file without a name is made in *spool*.

    Raises:
        NsunitError: it cannot be decompressed.
    """
    if not is_compressed(os.pread(blob.fd, 8, blob.offset)):
        return blob
    content = Content(blob, _ARCHIVE_MAX)
    fd = os.open(spool, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    size = 0
    with open(fd, "wb", closefd=False) as file:  # on a full disk os.write() takes a part and is content
        while piece := content.read(1 << 18):
            size += file.write(piece)
    return Blob(fd, 0, size, blob.name)


def looks_like_image(blob: Blob) -> bool:
    """Whether the archive *blob* is one of an image, by its first entry, and not the tar of a root.

    Raises:
        NsunitError: it is no archive.
    """
    for entry in entries(Content(blob, _ARCHIVE_MAX)):
        parts = [part for part in entry.name.split("/") if part not in ("", ".")]
        if parts:
            first = parts[0].removesuffix(".json").removesuffix(".tar")
            return first in ("oci-layout", "index", "manifest", "repositories", "blobs") or is_digest(first)
    return False


def _document(blob: Blob) -> Any:
    return parse(blob.content(DOCUMENT_MAX), blob.name)


def parse(content: bytes, name: str) -> Any:
    """The JSON document *content*.

    Raises:
        NsunitError: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NsunitError(f"{name}: it is not JSON: {str(error)[:100]}") from None


def member(document: object, key: str, kind: type, name: str) -> Any:
    """What *key* of the object *document* is, empty where it has none.

    Raises:
        NsunitError: it is no object, or that is not of the *kind*.
    """
    if not isinstance(document, dict):
        raise NsunitError(f"{name}: it is not a JSON object")
    found = document.get(key)
    if found is None:
        return kind()
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise NsunitError(f"{name}: '{key}' is not what it should be")
    return found


# OCI layouts


def from_layout(source: Directory | Archive, tag: str, platform: Sequence[str]) -> Found:
    """The image with *tag* in an OCI layout, for *platform*: system, architecture and perhaps a variant.

    Raises:
        NsunitError: there is none, or more than one.
    """
    index = _document(source.open("index.json"))
    items = [item for item in member(index, "manifests", list, "index.json") if isinstance(item, dict)]
    tags = [str(member(item, "annotations", dict, "index.json").get(_TAG, "")) for item in items]
    if tag:
        items = [
            item for item, own in zip(items, tags, strict=True) if own == tag or own.endswith((f":{tag}", f"/{tag}"))
        ]
        if not items:
            known = ", ".join(printable(name) for name in tags if name)
            raise NsunitError(
                f"there is no image '{printable(tag)}' in it", hint=f"it has {known or 'none with a tag'}"
            )
    elif len({str(item.get("digest")) for item in items}) > 1:
        matching = fitting(items, platform)
        if len({*tags}) > 1 or not matching:
            known = ", ".join(printable(name) for name in tags if name)
            raise NsunitError("it has more than one image", hint=f"say which, :TAG at the end; it has {known}")
        items = matching
    if not items:
        raise NsunitError("there is no image in it")
    names = tuple(
        str(name)
        for item in items[:1]
        for key in ("io.containerd.image.name", _TAG)
        if (name := member(item, "annotations", dict, "index.json").get(key))
    )
    return _from_manifest(source, for_platform(source, items[0], platform), names)


_TAG = "org.opencontainers.image.ref.name"


def _blob(source: Directory | Archive, descriptor: Any, what: str) -> Blob:
    digest = hex_of(member(descriptor, "digest", str, what), what)
    blob = source.open(f"blobs/sha256/{digest}")
    size = member(descriptor, "size", int, what)
    if blob.size != size:
        raise NsunitError(f"{blob.name}: it has {blob.size} bytes, and should have {size}", hint="get the image anew")
    return blob


def _checked(source: Directory | Archive, descriptor: Any, what: str) -> bytes:
    blob = _blob(source, descriptor, what)
    content = blob.content(DOCUMENT_MAX)
    if hashlib.sha256(content).hexdigest() != hex_of(descriptor["digest"], what):
        raise NsunitError(f"{blob.name}: its content does not have its digest", hint="get the image anew")
    return content


def fitting(items: Sequence[Any], platform: Sequence[str]) -> list[Any]:
    """Those of *items* of an index that run on *platform*, the best one first: older variants of arm do as well."""
    ranked = [(rank, number) for number, item in enumerate(items) if (rank := _distance(item, platform)) is not None]
    return [items[number] for _, number in sorted(ranked)]


_SAYS_NOTHING = 1000


def _distance(descriptor: Any, platform: Sequence[str]) -> int | None:
    """How far it is from *platform*; None where it is another.

    What stands beside images (signatures, lists of what is in them) says no platform, and may say what it is instead.
    """
    given = member(descriptor, "platform", dict, "index")
    if not given:
        return _SAYS_NOTHING + bool(member(descriptor, "artifactType", str, "index"))
    if any(given.get(key, value) != value for key, value in zip(("os", "architecture"), platform, strict=False)):
        return None
    variant, wanted = str(given.get("variant") or ""), "".join(platform[2:3])
    if not wanted:
        return int(variant not in ("", "v1"))  # that of amd64 which all of them are
    if variant in ("", wanted):
        return 0
    older = platform[1] == "arm" and wanted > variant in ("v5", "v6", "v7")
    return ord(wanted[-1]) - ord(variant[-1]) if older else None


def for_platform(source: Directory | Archive, descriptor: Any, platform: Sequence[str]) -> Any:
    """The descriptor of the manifest for *platform*, through indexes.

    Raises:
        NsunitError: there is none.
    """
    for _ in range(_NESTED_MAX):
        content = _checked(source, descriptor, "index")
        document = parse(content, "manifest")
        kind = member(document, "mediaType", str, "manifest") or member(descriptor, "mediaType", str, "index")
        said = member(descriptor, "mediaType", str, "index")
        if said and said != kind:
            raise NsunitError(
                f"a manifest says that it is '{printable(kind)}', its index that it is '{printable(said)}'"
            )
        if kind in _INDEX_TYPES and "layers" not in document and "config" not in document:
            items = [item for item in member(document, "manifests", list, "index") if isinstance(item, dict)]
            matching = fitting(items, platform)
            if not matching:
                offered = sorted({_platform_text(item) for item in items} - {""})
                hint = f"it has {', '.join(offered)}; say which with --platform"
                raise NsunitError(f"it has no image for '{'/'.join(platform)}'", hint=hint)
            descriptor = matching[0]
            continue
        if kind in _MANIFEST_TYPES and "manifests" not in document:
            return descriptor
        raise NsunitError(f"'{printable(kind)}' is not the manifest of an image", hint="it may be some other artifact")
    raise NsunitError(f"its indexes are nested more than {_NESTED_MAX} times")


def _platform_text(descriptor: Any) -> str:
    given = member(descriptor, "platform", dict, "index")
    return printable("/".join(str(given[key]) for key in ("os", "architecture", "variant") if given.get(key)))


def _from_manifest(source: Directory | Archive, descriptor: Any, names: tuple[str, ...]) -> Found:
    document = parse(_checked(source, descriptor, "index"), "manifest")
    config = _checked(source, member(document, "config", dict, "manifest"), "manifest")
    layers = layers_of(document)
    found = tuple((_blob(source, item, "manifest"), str(item["digest"])) for item in layers)
    return Found(config, found, str(descriptor["digest"]), names)


def layers_of(manifest: Any) -> list[Any]:
    """The descriptors of the layers of *manifest*, the lowest first.

    Raises:
        NsunitError: they are no layers of files, or too many.
    """
    layers: list[Any] = member(manifest, "layers", list, "manifest")
    if len(layers) > LAYERS_MAX:
        raise NsunitError(f"it has {len(layers)} layers, {LAYERS_MAX} are the most that overlayfs merges")
    for item in layers:
        kind = member(item, "mediaType", str, "manifest")
        if kind not in _LAYER_TYPES:
            raise NsunitError(f"'{printable(kind)}' is not a layer of files", hint="it may be some other artifact")
    return layers


# The others


def from_docker_archive(source: Archive, tag: str) -> Found:
    """The image with *tag* in what `docker save` has written.

    Raises:
        NsunitError: there is none, or more than one.
    """
    images = _document(source.open("manifest.json"))
    if not isinstance(images, list):
        raise NsunitError("manifest.json: it is not a list of images")
    names = [tuple(map(str, member(item, "RepoTags", list, "manifest.json"))) for item in images]
    chosen = [
        place for place, own in enumerate(names) if not tag or tag in own or any(n.endswith(f":{tag}") for n in own)
    ]
    if len(chosen) != 1:
        known = ", ".join(printable(name) for own in names for name in own) or "none with a name"
        what = "more than one image" if chosen else f"no image '{printable(tag)}'"
        raise NsunitError(f"it has {what}", hint=f"say which, :REF at the end; it has {known}")
    image = images[chosen[0]]
    files = member(image, "Layers", list, "manifest.json")
    if len(files) > LAYERS_MAX:
        raise NsunitError(f"it has {len(files)} layers, {LAYERS_MAX} are the most that overlayfs merges")
    config = source.open(member(image, "Config", str, "manifest.json")).content(DOCUMENT_MAX)
    return Found(config, tuple((source.open(str(name)), "") for name in files), "", names[chosen[0]])


def from_skopeo_directory(source: Directory) -> Found:
    """The image in what skopeo calls `dir:`: manifest.json, and each blob by its digest.

    Raises:
        NsunitError: there is none.
    """
    content = source.open("manifest.json").content(DOCUMENT_MAX)
    document = parse(content, "manifest.json")
    if member(document, "mediaType", str, "manifest.json") not in ("", *_MANIFEST_TYPES):
        raise NsunitError("manifest.json: it is not the manifest of one image", hint="copy one of its images only")
    config_digest = hex_of(member(member(document, "config", dict, "manifest.json"), "digest", str, "config"), "config")
    config = source.open(config_digest).content(DOCUMENT_MAX)
    if hashlib.sha256(config).hexdigest() != config_digest:
        raise NsunitError(f"{source.path}/{config_digest}: its content does not have its digest")
    layers = []
    for item in layers_of(document):
        digest = str(item.get("digest"))
        blob = source.open(hex_of(digest, "manifest.json"))
        if blob.size != member(item, "size", int, "manifest.json"):
            raise NsunitError(f"{blob.name}: it does not have the size that the manifest says", hint="copy it anew")
        layers.append((blob, digest))
    return Found(config, tuple(layers), "sha256:" + hashlib.sha256(content).hexdigest())


def from_layers(source: Directory) -> Found:
    """The image of `config.json`, of which the layers that the store does not have are there as NUMBER.tar.

    Raises:
        NsunitError: something in it is damaged.
    """
    config = source.open("config.json").content(DOCUMENT_MAX)
    rootfs = member(parse(config, "config"), "rootfs", dict, "config")
    count = len(member(rootfs, "diff_ids", list, "config"))
    there = [f"{number}.tar" if os.path.exists(f"{source.path}/{number}.tar") else "" for number in range(count)]
    return Found(config, tuple((source.open(name) if name else ABSENT, "") for name in there))


ABSENT = Blob(-1, 0, 0, "a layer of the store")
