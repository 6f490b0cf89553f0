"""A directory instead of another host: what is deployed lies there until a host takes it.

NAME.json          what one side would tell the other, see `offer.py`
NAME.tar           with --state: what `nsunit export` writes
layers/CHAIN.tar   each layer of the images, once, as a directory in overlayfs's own form
"""

from __future__ import annotations

import json
import os

from nsunit.errors import NsunitError, UsageError
from nsunit.features.transfer.deploy.offer import dump, load
from nsunit.features.transfer.deploy.send import Deployed, packed
from nsunit.features.transfer.export import export
from nsunit.names import is_valid_name, printable
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.features.transfer.deploy.offer import Layer, Offer

_PIECE = 1 << 20


def put(context: Context, offer: Offer, directory: str, *, pause: bool = True) -> Deployed:
    """Put what is deployed into *directory*, which is made; layers that are there are not written again.

    Raises:
        NsunitError: it cannot be written, or read here.
    """
    os.makedirs(f"{directory}/layers", exist_ok=True)
    sent = size = 0
    for layer in offer.layers:
        path = archive_of(directory, layer)
        if os.path.exists(path):
            continue
        size += _put_layer(context, layer, path)
        sent += 1
    if offer.state:
        for text in export(context, offer.name, f"{directory}/{offer.name}.tar", pause=pause):
            context.warn(f"warning: {text}")
    files.write_file(f"{directory}/{offer.name}.json", json.dumps(dump(offer)).encode())
    return Deployed(offer.name, directory, "written", len(offer.layers), sent, size)


def _put_layer(context: Context, layer: Layer, path: str) -> int:
    with packed(context, layer, {}) as reader:
        size: int = files.write_whole(path, lambda fd: _copy(reader, fd))
    return size


def offers_in(directory: str, *, force: bool = False) -> list[Offer]:
    """What lies in *directory*.

    Raises:
        UsageError: nothing does.
        NsunitError: something is damaged.
    """
    found = []
    for entry in sorted(files.list_directory(directory)):
        name = entry.removesuffix(".json")
        if name == entry or not is_valid_name(name):
            continue
        content = files.read_file(f"{directory}/{entry}")
        try:
            document = json.loads(content or b"")
        except ValueError:
            document = {}
        try:
            found.append(load(document).replace(force=force))
        except NsunitError as error:
            raise NsunitError(f"'{printable(directory)}/{entry}': {error.message}", hint="deploy it anew") from None
    if not found:
        hint = f"nsunit deploy NAME {printable(directory)} puts a container into it"
        raise UsageError(f"nothing that was deployed lies in '{printable(directory)}'", hint=hint)
    return found


def archive_of(directory: str, layer: Layer) -> str:
    """Where *layer* lies."""
    return f"{directory}/layers/{layer.chain}.tar"


def _copy(reader: int, writer: int) -> int:
    size = 0
    while piece := os.read(reader, _PIECE):
        size += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(writer, view) :]
    return size
