"""Whether what is in the store is what was put there."""

from __future__ import annotations

import hashlib
import json
import os

from nsunit.errors import NsunitError
from nsunit.features import load
from nsunit.features.images import collect
from nsunit.features.images.config import image_of
from nsunit.features.images.layout import dump
from nsunit.features.images.store import Store, names_of
from nsunit.features.images.unpack.catalog import lines
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context

_TOLD_MAX = 5  # of the files of one layer


class Damage(Record):
    """What is wrong with the layer *chain* or the image *identity*, of which one is empty, or with a name."""

    text: str
    chain: str = ""
    identity: str = ""


def check(context: Context) -> list[Damage]:
    """All that is wrong; every file is read.

    Raises:
        NsunitError: a user's files cannot be read by that user's ids.
    """
    if not context.user:
        return _check(context)
    answer = load("rootless", "deeds").within(context, lambda: json.dumps([_told(item) for item in _check(context)]))
    if answer is None:
        raise NsunitError("the store cannot be read", hint="its files may belong to ids that are not yours any more")
    return [Damage(*item) for item in json.loads(answer)]


def _told(item: Damage) -> tuple[str, str, str]:
    return item.text, item.chain, item.identity


def _check(context: Context) -> list[Damage]:
    store = Store(context.paths)
    found: list[Damage] = []
    for chain in store.chains():
        found += [Damage(f"layer {chain[:12]}: {text}", chain=chain) for text in _layer(store, chain)]
    known = names_of(store)
    for identity in store.identities():
        called = known.get(identity, [identity[:12]])[0]
        found += [Damage(f"{called}: {text}", identity=identity) for text in _image(store, identity)]
    for identity, names in known.items():
        if identity not in store.identities():
            found += [Damage(f"{name}: it leads to no image") for name in names]
    return found


def repair(context: Context, found: list[Damage]) -> tuple[collect.Removed, list[str]]:
    """Take out what is damaged; returns that, and the containers that use something of it, which stays therefore."""
    chains = {item.chain for item in found if item.chain}
    return collect.forget_damaged(context, chains, {item.identity for item in found if item.identity})


def _layer(store: Store, chain: str) -> list[str]:
    place = f"{store.layers}/{chain}"
    try:
        with open(place + "/files", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            wanted = {line.partition("\t")[0]: line.rstrip("\n") for line in file}
        there = {line.partition("\t")[0]: line for line in lines(place + "/root")}
    except OSError as error:
        if not os.path.exists(place):
            return []  # it was taken away meanwhile
        return [f"{error.filename or 'it'}: {error.strerror}"]
    told = [f"'{path}' is missing" for path in wanted if path not in there]
    told += [f"'{path}' was not there" for path in there if path not in wanted]
    told += [f"'{path}' was changed" for path, line in wanted.items() if there.get(path, line) != line]
    more = len(told) - _TOLD_MAX
    return [*told[:_TOLD_MAX], *([f"and {more} more"] if more > 0 else [])]


def _image(store: Store, identity: str) -> list[str]:
    config = files.read_file(f"{store.configs}/{identity}")
    started = files.read_file(f"{store.images}/{identity}")
    if started is None:
        return []  # it was taken away meanwhile
    if config is None or hashlib.sha256(config).hexdigest() != identity:
        return ["its config does not have its digest"]
    try:
        image = store.image(identity)
        assert image is not None
        wanted = dump(image_of(identity, image.layers, json.loads(config), lambda _text: None))
    except (NsunitError, ValueError, LookupError):
        return ["what a start reads of it cannot be read"]
    missing = [chain for chain in image.layers if not os.path.isdir(store.root_of(chain))]
    return [
        *(f"its layer {chain[:12]} is missing" for chain in missing),
        *(["what a start reads of it is not what its config says"] if wanted != started else []),
    ]
