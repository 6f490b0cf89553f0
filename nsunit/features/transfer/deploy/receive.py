"""The side that gets the container: what it lacks, and what it makes of what comes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os

from nsunit.core.context import take_back
from nsunit.core.dropin import drop_ins_of
from nsunit.core.prepare import check as check_host
from nsunit.core.prepare import check_needed, used_by
from nsunit.core.running import is_running
from nsunit.definition.search import main_file
from nsunit.dropins import files as unit_directory
from nsunit.dropins.definitions import own_files, write_all
from nsunit.errors import NsunitError
from nsunit.features import hooks
from nsunit.features.images import writing
from nsunit.features.images.config import image_of
from nsunit.features.images.fetch import tasks
from nsunit.features.images.store import Store
from nsunit.features.images.unit import unpack_unit
from nsunit.features.transfer import bundle, program
from nsunit.features.transfer.deploy import beside
from nsunit.features.transfer.deploy.offer import short, taken
from nsunit.features.transfer.export import USERS_OPAQUE
from nsunit.features.transfer.pack import OPAQUE
from nsunit.features.transfer.restore import checked, definition_texts
from nsunit.features.transfer.staging import Staging
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.features.transfer.deploy.offer import Layer, Offer

RECORD = "deployed"  # in a container's directory: digests of the files that deploys have written, by their names


def check(context: Context, offer: Offer) -> Definition:
    """See that the container of *offer* can be had here, before anything comes; returns its definition.

    Raises:
        NsunitError: it cannot be used, something that it names is not here, or another one has its name.
    """
    with Staging(context) as staging:
        definition = checked(context, staging, bundle.Manifest(offer.name), dict(offer.texts))
        known = beside.with_them(context, beside.lacking(context, offer), f"{staging.path}/beside")
        for look in hooks(used_by(known, definition), "networks.verify"):
            look(known, definition)
    check_host(context, definition)
    check_needed(context, definition)
    _refuse_another(context, definition, offer)
    return definition


def _refuse_another(context: Context, definition: Definition, offer: Offer) -> None:
    name = offer.name
    if offer.state and is_running(context, name):
        hint = "stop it there first, or leave out --state"
        raise NsunitError(f"{name}: a container of that name runs, and what it has written stays", hint=hint)
    if offer.force:
        return
    if offer.state and os.path.lexists(context.paths.state_of(name)):
        hint = "put this in its place with --force, or leave out --state"
        raise NsunitError(f"{name}: there is the state of a container of that name", hint=hint)
    there, wanted = _digests(_files_there(context, definition)), _digests(_wanted(context, definition, offer))
    main = main_file(name, context.search)
    changed = taken(there, wanted, _record(context, name))
    if main and main not in there and _digests({main: unit_directory.read(main)})[main] not in wanted.values():
        changed = main
    if changed:
        raise NsunitError(
            f"{name}: '{changed}' is there, and did not come by deploy, or was changed since",
            hint="put this in its place with --force",
        )


def _wanted(context: Context, definition: Definition, offer: Offer) -> dict[str, bytes | None]:
    """The files that *offer* is to be, by their paths; None for a drop-in of units that it has not."""
    texts = dict(offer.texts)
    directory = context.search.directories[0]
    found: dict[str, bytes | None] = {f"{directory}/{path}": text for path, text in definition_texts(texts).items()}
    for path in drop_ins_of(context, definition):
        text = texts.get("/".join((bundle.UNITS, *path.split("/")[-2:])))
        found[path] = None if text is None else text.encode("utf-8", "surrogateescape")
    return found


def _files_there(context: Context, definition: Definition) -> dict[str, bytes | None]:
    """What is there that a deploy would replace or take away."""
    own = own_files(definition.name, context.search)
    directory = context.search.directories[0]
    paths = [path for path in own if path.startswith(f"{directory}/")]
    paths += [path for path in drop_ins_of(context, definition) if os.path.lexists(path)]
    return {path: unit_directory.read(path) for path in paths}


def _digests(texts: Mapping[str, bytes | None]) -> dict[str, str]:
    return {path: hashlib.sha256(text).hexdigest() for path, text in texts.items() if text is not None}


def _record(context: Context, name: str) -> dict[str, list[str]]:
    content = files.read_file(f"{context.paths.state_of(name)}/{RECORD}")
    try:
        found: dict[str, list[str]] = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found


def replace_definition(context: Context, definition: Definition, offer: Offer, undo: Undo) -> bool:
    """Write the definition of *offer*, and take away what else that container has; tells whether that is a change.

    What is written is noted first, so that a deploy that is killed in between is gone on with by the next.
    """
    name = definition.name
    with Lock(context.paths.locks, name):
        _refuse_another(context, definition, offer)
        there, wanted = _files_there(context, definition), _wanted(context, definition, offer)
        before = _record(context, name)
        new = _digests(wanted)
        if new == _digests(there) and {path: [digest] for path, digest in new.items()} == before:
            return False
        state = context.paths.state_of(name)
        if not os.path.lexists(state):
            undo.append(lambda: _remove_empty(state))
        files.make_private_directory(state)
        undo.append(lambda: _note(context, name, before))
        union = {path: [digest] for path, digest in new.items()}
        for path, digest in _digests(there).items():
            union[path] = sorted({digest, *union.get(path, ())})
        _note(context, name, union)
        _write(context, there, wanted, undo)
        _note(context, name, {path: [digest] for path, digest in new.items()})
    return new != _digests(there)


def note_all(context: Context, definition: Definition, offer: Offer) -> None:
    """Note that the definition of *offer*, which was imported, came by deploy."""
    digests = _digests(_wanted(context, definition, offer))
    _note(context, definition.name, {path: [digest] for path, digest in digests.items()})


def _note(context: Context, name: str, record: Mapping[str, list[str]]) -> None:
    path = f"{context.paths.state_of(name)}/{RECORD}"
    if record:
        files.write_file(path, json.dumps(record).encode())
    elif os.path.lexists(path):
        os.unlink(path)


def _remove_empty(directory: str) -> None:
    with contextlib.suppress(OSError):  # something of the container's is in it, or it was not made
        os.rmdir(directory)


def _write(context: Context, there: Mapping[str, bytes | None], wanted: Mapping[str, bytes | None], undo: Undo) -> None:
    directory = context.search.directories[0]
    below = f"{directory}/"
    own = {path.removeprefix(below): text for path, text in wanted.items() if path.startswith(below)}
    units = {path: wanted.get(path) for path in {*wanted, *there} if not path.startswith(below)}
    reload = False
    try:
        for path, text in units.items():
            before = unit_directory.read(path)
            if before != text:
                undo.append(lambda path=path, before=before: unit_directory.restore(path, before))  # type: ignore[misc]
                unit_directory.restore(path, text)
                reload = True
        write_all(directory, {path: text for path, text in own.items() if text is not None}, undo)
        for path in there:
            if path not in wanted and path.startswith(below):
                undo.append(lambda path=path: unit_directory.restore(path, there[path]))  # type: ignore[misc]
                unit_directory.remove(path)
    except BaseException:
        take_back(undo)
        raise
    if reload:
        context.bus.reload()


def lacking(context: Context, offer: Offer) -> list[Layer]:
    """The layers of *offer* that are not here."""
    store = Store(context.paths)
    return [layer for layer in offer.layers if not os.path.isdir(f"{store.layers}/{layer.chain}")]


def bring_in(
    context: Context, offer: Offer, layers: list[Layer], archive: Callable[[writing.Staging, Layer], str]
) -> None:
    """Bring the image of *offer* into the store, with *layers* that are missing; *archive* says where one lies.

    Raises:
        NsunitError: something is damaged, or went meanwhile; nothing of it is left.
    """
    if not offer.image:
        return
    store = Store(context.paths, context.remove_tree)
    image = image_of(
        offer.image,
        tuple(layer.chain for layer in reversed(offer.layers)),
        json.loads(offer.config),
        lambda _text: None,
    )
    writing.sweep(store)
    with writing.Staging(store) as staging:
        _unpack(context, store, staging, layers, archive)
        described = [_described(layer, layers) for layer in offer.layers]
        writing.describe_layers(staging, described)
        staging.sync()
        with store.lock():
            about = {"digest": offer.digest and f"sha256:{offer.digest}", "source": "nsunit deploy", "warnings": []}
            is_known = store.image(offer.image) is not None
            try:
                writing.admit(store, staging, described, image, offer.config, None if is_known else about, offer.names)
            except writing.LayerLostError:
                raise NsunitError("a layer was removed meanwhile", hint="try again") from None


def _described(layer: Layer, new: list[Layer]) -> dict[str, Any]:
    place = str(new.index(layer)) if layer in new else ""
    about = {"blob": layer.blob, "size": layer.size, "entries": layer.entries}
    return {"chain": layer.chain, "diff": layer.diff, "place": place, **about}


def _unpack(
    context: Context,
    store: Store,
    staging: writing.Staging,
    layers: list[Layer],
    archive: Callable[[writing.Staging, Layer], str],
) -> None:
    if not layers:
        return
    job = {
        "task": "layers",
        "layers": [
            {"archive": archive(staging, layer), "called": short(layer), "place": str(place), "files": layer.files}
            for place, layer in enumerate(layers)
        ],
        "staging": staging.path,
        "store": store.layers,
        "opaque": USERS_OPAQUE if context.user else OPAQUE,
        "ids": tasks.own_ids(context),
    }
    argv = tasks.command(staging.path, program.__name__)
    tasks.carry_out(context, staging.path, job, unpack_unit(staging.token, argv, store.path, user=context.user))
