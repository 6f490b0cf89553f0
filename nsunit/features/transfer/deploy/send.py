"""The side that has the container: what it offers, and what of that it sends."""

from __future__ import annotations

import contextlib
import os
import tempfile

from nsunit.core.dropin import drop_ins_of
from nsunit.definition.load import load
from nsunit.definition.search import find
from nsunit.dropins.definitions import read, texts_of
from nsunit.errors import NsunitError
from nsunit.features.images import obtain
from nsunit.features.images.deeds import resolve
from nsunit.features.images.keys import of as image_of
from nsunit.features.images.layout import split
from nsunit.features.images.look import layer_of
from nsunit.features.images.out.parts import damaged
from nsunit.features.images.store import Store, names_of
from nsunit.features.images.unpack.catalog import unescaped
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.features.transfer import bundle
from nsunit.features.transfer.deploy.beside import beside_of
from nsunit.features.transfer.deploy.channel import Channel, EndedError
from nsunit.features.transfer.deploy.offer import (
    CONTENT,
    Layer,
    Offer,
    bitmap,
    catalog_digest,
    contents,
    dump,
    flags_of,
)
from nsunit.features.transfer.deploy.unpack import catalog
from nsunit.features.transfer.export import USERS_OPAQUE, enter_ids, export_to, refuse_kinds
from nsunit.features.transfer.pack import OPAQUE, Packer
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Deployed(Record):
    """What became of container *name* at *to*: its *state* there, how many of its *layers* were *sent*, and *bytes*."""

    name: str
    to: str
    state: str
    layers: int
    sent: int
    bytes: int


def offer_of(context: Context, name: str, *, state: bool = False, force: bool = False) -> Offer:
    """What is deployed of container *name*, as it is defined here; its image is fetched first where Pull= says so.

    context.warn is told what it names that does not go along.

    Raises:
        NsunitError: it is not defined, or its image is not here.
    """
    refuse_kinds(name)
    definition = load(name, context.search, context.host)
    for text in unsent(definition):
        context.warn(f"warning: {text}")
    texts = {f"{bundle.DEFINITION}/{path}": text for path, text in texts_of(find(name, context.search)).items()}
    for path in drop_ins_of(context, definition):
        if os.path.exists(path):
            texts["/".join((bundle.UNITS, *path.split("/")[-2:]))] = read(path)
    offer = Offer(name, tuple((path, text.decode("utf-8", "surrogateescape")) for path, text in texts.items()))
    offer = offer.replace(state=state, force=force, beside=beside_of(context, definition))
    return _with_image(context, definition, offer)


_NOT_SENT = {"Volume": "volume", "Bind": "directory", "BindReadOnly": "directory"}
_NOT_SENT |= {"Layer": "layer", "Rootfs": "root", "Pod": "pod", "EnvironmentFile": "file"}
_LOADED = ("LoadCredential", "LoadCredentialEncrypted", "ImportCredential")


def unsent(definition: Definition) -> Iterator[str]:
    """What *definition* names and no deploy sends, a line each."""
    for need in bundle.needs_of(definition):
        if need.key not in _NOT_SENT or not need.value:
            continue
        there = "an empty one if there is none there" if need.key == "Volume" else "what is there by that name is used"
        yield f"{definition.name}: {need.key}={need.value}: the {_NOT_SENT[need.key]} is not sent, {there}"
    yield from _unsent_secrets(definition)


def _unsent_secrets(definition: Definition) -> Iterator[str]:
    """The same of secrets: but for those that stand in the definition itself they are files of this host."""
    said = [(item.section, item.key, item.text) for item in definition.assignments if item.text]
    own = {text.partition(":")[0] for _, key, text in said if key.startswith(("SetCredential", *_LOADED))}
    for section, key, text in said:
        name = text.partition(":")[0]
        line = f"{definition.name}: {key}={name}: the secret is not sent, put it"
        if section == "Service" and key in _LOADED:
            yield f"{line} where that says, on the other side"
        elif section == "Service" and key == "SetCredentialEncrypted":
            yield f"{line} into the definition there, encrypted there: this host's key is not that one's"
        elif section == "Container" and key == "Secret" and name not in own:
            yield f"{line} into /etc/credstore there"


def _with_image(context: Context, definition: Definition, offer: Offer) -> Offer:
    if image_of(definition.container) is None:
        return offer
    obtain.ensure(context, definition)
    chosen = image_of(resolve(context, definition).container)
    assert chosen is not None
    store = Store(context.paths)
    image = store.image(chosen.id)
    config = files.read_file(f"{store.configs}/{chosen.id}")
    if image is None or config is None:
        raise damaged(chosen.id)
    named = store.named(chosen.reference)
    same = split(named.partition("@")[0])[:2] if named else None
    known = names_of(store).get(chosen.id, ())
    names = [item for item in known if item == named or ("@" in item and split(item.partition("@")[0])[:2] == same)]
    digest = next((item.rpartition("@sha256:")[2] for item in names if "@" in item), "")
    layers = tuple(_layer(store, chain) for chain in reversed(image.layers))
    return offer.replace(image=chosen.id, config=config, names=tuple(names), digest=digest, layers=layers)


def _layer(store: Store, chain: str) -> Layer:
    known = layer_of(store, chain)
    try:
        files_digest = catalog_digest(catalog(f"{store.layers}/{chain}"))
        diff, blob = str(known["diff"]), str(known["blob"])
        return Layer(chain, diff, files_digest, blob, int(known["size"]), int(known["entries"]))
    except (OSError, LookupError, ValueError):
        hint = "see 'nsunit image check'"
        raise NsunitError(f"the layer {chain[:12]} is damaged: what is noted of it cannot be read", hint=hint) from None


def converse(
    context: Context, offer: Offer, channel: Channel, *, delta: bool = False, enable: bool = False, pause: bool = True
) -> tuple[str, int]:
    """Offer it to the other side, send what that lacks, and hear what became of it; and how many layers were sent.

    With *delta*, only the content of files that the other side has in none of its layers; with *enable* it is to be
    started there at boot as well.

    Raises:
        NsunitError: the other side refuses it, or fails.
        EndedError: it is gone.
    """
    try:
        channel.say({**dump(offer), "delta": delta, "enable": enable})
        lacking = set(answer(context, channel, "lacks")["lacks"])
        layers = [layer for layer in offer.layers if layer.chain in lacking]
        omitted = _known_there(context, channel, layers) if delta and layers else {}
        _send_layers(context, offer, channel, layers, omitted)
        if offer.state:
            _send_state(context, offer, channel, pause=pause)
    except EndedError:
        answer(context, channel, "done")  # why it has ended, it may have said
        raise
    return str(answer(context, channel, "done")["done"]), len(layers)


def _send_layers(
    context: Context,
    offer: Offer,
    channel: Channel,
    layers: Sequence[Layer],
    omitted: Mapping[str, Mapping[str, str]],
) -> None:
    total = sum(layer.size for layer in layers)
    before = channel.sent

    def tell() -> None:
        if context.progress is not None:
            context.progress(offer.name, min(channel.sent - before, total), total)

    for layer in layers:
        with packed(context, layer, omitted.get(layer.chain, {})) as reader:
            channel.send_file(reader, tell)
    if context.progress is not None:
        context.progress(offer.name, 0, 0)


def _send_state(context: Context, offer: Offer, channel: Channel, *, pause: bool) -> None:
    with tempfile.TemporaryFile(dir="/var/tmp") as file:  # so that it is not paused for as long as it travels
        for text in export_to(context, offer.name, file.fileno(), pause=pause):
            context.warn(f"warning: {text}")
        file.seek(0)
        channel.send_file(file.fileno())


def answer(context: Context, channel: Channel, key: str) -> dict[str, Any]:
    """The next message with *key*; warnings before it are handed on.

    Raises:
        NsunitError: it tells of an error.
    """
    while True:
        found = channel.hear()
        if key in found:
            return found
        if "error" in found:
            error = NsunitError(str(found["error"]), hint=found.get("hint") and str(found["hint"]))
            error.exit_status = int(found.get("status", 1))
            raise error
        if "warn" in found:
            context.warn(str(found["warn"]))


def _known_there(context: Context, channel: Channel, layers: Sequence[Layer]) -> dict[str, dict[str, str]]:
    """Of each of *layers* the files whose content the other side has, with its key."""
    places = Store(context.paths).layers
    found = {layer.chain: dict(contents(catalog(f"{places}/{layer.chain}"))) for layer in layers}
    keys = sorted({key for items in found.values() for key in items.values()})
    channel.say({"contents": keys})
    lacks = flags_of(str(answer(context, channel, "lacks-contents")["lacks-contents"]), len(keys))
    known = {key for key, is_lacking in zip(keys, lacks, strict=True) if not is_lacking}
    return {chain: {path: key for path, key in items.items() if key in known} for chain, items in found.items()}


def known_contents(store: Store, keys: Sequence[str]) -> str:
    """Which of the contents *keys* the layers of *store* lack, as `bitmap` has it."""
    wanted = set(keys)
    there = {
        key for chain in store.chains() for _, key in contents(catalog(f"{store.layers}/{chain}")) if key in wanted
    }
    return bitmap(key not in there for key in keys)


@contextlib.contextmanager
def packed(context: Context, layer: Layer, omitted: Mapping[str, str]) -> Iterator[int]:
    """A descriptor from which the archive of *layer* comes; files in *omitted* have a content's key in its place."""
    root = f"{Store(context.paths).layers}/{layer.chain}/root"
    headers = {f".{unescaped(path)}": {CONTENT: key} for path, key in omitted.items()}

    def pack(out: int) -> list[str]:
        enter_ids(context)
        packer = Packer(out, opaque=USERS_OPAQUE if context.user else OPAQUE, omitted=headers)
        parent = os.open(root, _DIRECTORY)
        packer.tree(parent, ".", ".")
        packer.finish()
        return packer.warnings

    with _piped(context, pack) as reader:
        yield reader


@contextlib.contextmanager
def _piped(context: Context, work: Callable[[int], Sequence[str]]) -> Iterator[int]:
    """What *work* writes to the descriptor that it gets, in a process of its own; its warnings are told."""
    reader, writer = os.pipe()
    worker = Worker(lambda: work(writer), (writer,))
    os.close(writer)
    try:
        yield reader
    finally:
        os.close(reader)
        result = worker.result()
    for text in raise_first([result]):
        context.warn(f"warning: {text}")
