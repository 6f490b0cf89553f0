"""What is deployed, as one side tells it to the other.  Pure."""

from __future__ import annotations

import base64
import hashlib
import json

from nsunit.errors import NsunitError
from nsunit.features.images.layout import is_digest, is_reference
from nsunit.features.images.unpack.work import chain_of, identity_of
from nsunit.features.transfer import bundle
from nsunit.features.transfer.deploy.beside import definition_of
from nsunit.names import is_group, is_pod, is_valid_name
from nsunit.record import Record, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

_LAYERS_MAX = 1024
_SHOWN = 12


class Layer(Record):
    """A layer of the store by its *chain* id; *files* is the digest of its catalog, the rest is as the store has it."""

    chain: str
    diff: str
    files: str
    blob: str = ""
    size: int = 0
    entries: int = 0


class Offer(Record):
    """Container *name*: the *texts* of its definition and drop-ins, called as in an export, and its image.

    *image* is that image's id, empty where there is none, *config* the document that has this digest, *names* what it
    is called, *digest* that of its manifest; *layers* are the lowest first.  With *state* an export of the container
    comes with it, with what it has written, and replaces what is there with *force*.  *beside* has the texts of the
    networks and groups that it names, for where there are none.
    """

    name: str
    texts: tuple[tuple[str, str], ...]
    image: str = ""
    config: bytes = b""
    names: tuple[str, ...] = ()
    digest: str = ""
    layers: tuple[Layer, ...] = ()
    state: bool = False
    force: bool = False
    beside: tuple[tuple[str, str], ...] = ()


def dump(offer: Offer) -> dict[str, Any]:
    """*offer* as JSON has it."""
    found = plain(offer.replace(config=base64.b64encode(offer.config).decode()))
    assert isinstance(found, dict)
    return found


def load(document: Mapping[str, Any]) -> Offer:
    """Read what `dump` made.

    Raises:
        NsunitError: it makes no sense.
    """
    try:
        layers = tuple(_layer(item) for item in document["layers"])
        offer = Offer(
            str(document["name"]),
            tuple((str(path), str(text)) for path, text in document["texts"]),
            str(document["image"]),
            base64.b64decode(document["config"], validate=True),
            tuple(str(item) for item in document["names"]),
            str(document["digest"]),
            layers,
            bool(document["state"]),
            bool(document["force"]),
            tuple((str(path), str(text)) for path, text in document.get("beside", ())),
        )
        name = offer.name
        if not is_valid_name(name) or is_pod(name) or is_group(name):
            raise ValueError
        if sum(len(text) for _, text in (*offer.texts, *offer.beside)) > bundle.FILES_MAX:
            raise ValueError
        if not all(definition_of(path) for path, _ in offer.beside):
            raise ValueError
        _check_image(offer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NsunitError("what is offered makes no sense", hint="install the same nsunit on both sides") from None
    bundle.check_definition(name, dict(offer.texts))
    return offer


def _layer(item: Any) -> Layer:
    chain, diff, files = (str(item[key]) for key in ("chain", "diff", "files"))
    if not all(map(is_digest, (chain, diff, files))):
        raise ValueError
    return Layer(chain, diff, files, str(item["blob"]), int(item["size"]), int(item["entries"]))


def _check_image(offer: Offer) -> None:
    """See that image and layers are those of the config."""
    if not offer.image:
        if offer.layers or offer.names:
            raise ValueError
        return
    diffs = json.loads(offer.config)["rootfs"]["diff_ids"]
    if identity_of(offer.config) != offer.image or not 0 < len(diffs) == len(offer.layers) <= _LAYERS_MAX:
        raise ValueError
    below = ""
    for diff, layer in zip(diffs, offer.layers, strict=True):
        below = chain_of(below, layer.diff)
        if f"sha256:{layer.diff}" != diff or layer.chain != below:
            raise ValueError
    if not all(is_reference(name) for name in offer.names):
        raise ValueError


def catalog_digest(lines: Iterable[str]) -> str:
    """The digest of the catalog *lines* of a layer, the same in the store of a user as in the system's."""
    digest = hashlib.sha256()
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        named = (item.replace("user.overlay.", "trusted.overlay.", 1) for item in fields[7].split(","))
        fields[7] = ",".join(sorted(named))
        digest.update("\t".join(fields).encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


CONTENT = "NSUNIT.content"  # in the header of a file whose content the receiver has: which one that is
_CONTENT_MIN = 1024  # bytes of a file; to name what is smaller saves nothing
_DIGITS = 32  # of a content's digest, which is compared in full at the end
_REGULAR = "100000"


def contents(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The files in the catalog *lines* that are worth asking for: path as it is there, and size and digest as a key."""
    for line in lines:
        path, kind, _, _, _, size, _, _, content = line.rstrip("\n").split("\t")
        if kind == _REGULAR and int(size) >= _CONTENT_MIN:
            yield path, f"{size}:{content[:_DIGITS]}"


def bitmap(flags: Iterable[bool]) -> str:
    """*flags* in hexadecimal digits, four in each."""
    bits = "".join("1" if flag else "0" for flag in flags)
    bits += "0" * (-len(bits) % 4)
    return "".join(f"{int(bits[place : place + 4], 2):x}" for place in range(0, len(bits), 4))


def flags_of(text: str, count: int) -> list[bool]:
    """The first *count* of what `bitmap` has.

    Raises:
        ValueError: they are not in it.
    """
    bits = "".join(f"{int(digit, 16):04b}" for digit in text)
    if not count <= len(bits) < count + 4:
        raise ValueError("not as many as were asked for")
    return [bit == "1" for bit in bits[:count]]


def taken(there: Mapping[str, str], wanted: Mapping[str, str], record: Mapping[str, list[str]]) -> str:
    """The first file of the definition of a container that no deploy has left so; empty if all may be replaced.

    *there* and *wanted* are digests of files by their names, *record* those that deploys have written.
    """
    for path, digest in there.items():
        if digest != wanted.get(path) and digest not in record.get(path, ()):
            return path
    return ""


def short(layer: Layer) -> str:
    """How messages call *layer*."""
    return f"layer {layer.chain[:_SHOWN]}"
