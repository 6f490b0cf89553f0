"""Bringing images in: unpacked in a unit of its own, then given their names."""

from __future__ import annotations

import json
import os

from nsunit.errors import NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.config import image_of, platform_of
from nsunit.features.images.fetch import tasks
from nsunit.features.images.layout import full_name, is_reference, local_name, split
from nsunit.features.images.store import Store
from nsunit.features.images.unit import unpack_unit
from nsunit.features.images.unpack.work import identity_of
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.core.context import Context

TRANSPORTS = ("oci", "oci-archive", "docker-archive", "dir", "tar")
ARCHIVES = ("oci-archive", "docker-archive", "tar")  # what comes and goes through a pipe, too
_ATTEMPTS = 3  # at a layer that goes while the image on top of it is unpacked


class Source(Record):
    """Where an image comes from: the host's *path*, absolute, and which one of those that are there.

    `-` as *path* is standard input.  *origin* is where it was before, if that path is of this moment only; *parent* the
    image that it was made on.
    """

    transport: str
    path: str
    tag: str = ""
    origin: str = ""
    parent: str = ""


class Imported(Record):
    """An image that is in the store now; *fetched* of its *layers* were not before."""

    id: str
    names: tuple[str, ...]
    layers: int
    fetched: int


def source_of(text: str) -> Source:
    """The source *text* means: `TRANSPORT:PATH[:TAG]`, or a path, of which the transport is guessed; `-` is a path.

    Raises:
        UsageError: there is nothing of that kind there.
    """
    transport, colon, rest = text.partition(":")
    if text == "-":
        return Source("file", "-")
    if transport in ARCHIVES and rest.partition(":")[0] == "-":
        return Source(transport, "-", rest[2:])
    if not colon or transport not in TRANSPORTS:
        if colon and "/" not in transport and not os.path.exists(text):
            hint = f"{', '.join(f'{name}:' for name in TRANSPORTS)} and others with a path behind, or a path"
            raise UsageError(f"'{printable(transport)}:' is not where an image can be imported from", hint=hint)
        path, tag = _path_and_tag(text)
        return Source(_guess(path), path, tag)
    path, tag = (os.path.abspath(rest), "") if transport in ("tar", "dir") else _path_and_tag(rest)
    if not os.path.exists(path):
        raise UsageError(f"'{printable(path)}' does not exist")
    is_directory = transport in ("oci", "dir")
    if os.path.isdir(path) != is_directory:
        raise UsageError(
            f"'{printable(path)}' is {'no' if is_directory else 'a'} directory", hint="leave the transport out"
        )
    return Source(transport, path, tag)


def _path_and_tag(text: str) -> tuple[str, str]:
    """A tag has no slash, but perhaps a colon in the name before it: the longest path that is there counts."""
    path, tag = text, ""
    while not os.path.exists(path) and ":" in path:
        path, _, end = path.rpartition(":")
        tag = f"{end}:{tag}" if tag else end
    if not os.path.exists(path):
        raise UsageError(f"'{printable(text)}' does not exist", hint="a path, perhaps with TRANSPORT: before it")
    return os.path.abspath(path), tag


def _guess(path: str) -> str:
    """The transport for what is at *path*, by what is in it; of archives "file", which are read in the unit alone."""
    if os.path.isdir(path):
        if os.path.exists(path + "/oci-layout"):
            return "oci"
        if os.path.exists(path + "/manifest.json") and os.path.exists(path + "/version"):
            return "dir"
        hint = f"if it is to be a root as it is: nsunit image import --name=NAME root:{printable(path)}"
        raise UsageError(f"'{printable(path)}' is no directory with an image", hint=hint)
    return "file"  # that is told apart where it is read


def bring_in(context: Context, source: Source, names: Sequence[str] = (), platform: str = "") -> Imported:
    """Bring an image in, as *names*, or those it has where it comes from.  What it lacks is told by context.warn.

    Raises:
        NsunitError: it is damaged, or there is no room for it; nothing of it is left.
    """
    chosen = platform_of(os.uname().machine, platform)
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    for left in reversed(range(_ATTEMPTS)):
        with writing.Staging(store) as staging:
            result = _unpack(context, store, staging, source, chosen)
            try:
                return _commit(context, store, staging, source, names, result)
            except writing.LayerLostError:
                if not left:
                    raise NsunitError("layers go while others are unpacked on top of them", hint="try again") from None
    raise AssertionError("unreachable")


def check_names(names: Sequence[str]) -> None:
    """See that images can be called *names*.

    Raises:
        UsageError: one is no name, or that of a digest.
    """
    for name in names:
        if not is_reference(name) or "@" in name:
            raise UsageError(f"'{printable(name)}' is not a name for an image", hint="e.g. localhost/web:1")


def _unpack(
    context: Context, store: Store, staging: writing.Staging, source: Source, platform: tuple[str, ...]
) -> dict[str, Any]:
    job = {
        "task": "unpack",
        "transport": source.transport,
        "path": source.path,
        "called": source.origin or source.path,
        "tag": source.tag,
        "platform": platform,
        "layers": store.layers,
        "staging": staging.path,
        "ids": tasks.own_ids(context),
    }
    unit = unpack_unit(staging.token, tasks.command(staging.path), store.path, user=context.user)
    return tasks.carry_out(context, staging.path, job, unit)


def _commit(
    context: Context,
    store: Store,
    staging: writing.Staging,
    source: Source,
    names: Sequence[str],
    result: dict[str, Any],
) -> Imported:
    layers = result["layers"]
    config = result["config"].encode("utf-8", "surrogateescape") or _config_of_tar(layers)
    identity = identity_of(config)
    warnings = [text for layer in layers for text in layer.get("warnings", ())]
    image = image_of(identity, tuple(layer["chain"] for layer in reversed(layers)), json.loads(config), warnings.append)
    chosen = _names_for(source, result["transport"], names, result["names"])
    digest = result["digest"]
    aliases = {_by_digest(name, digest) for name in chosen if digest} - set(chosen)
    origin = source.origin or f"{result['transport']}:{source.path}"
    about = {"digest": digest, "source": origin, "warnings": warnings[:100]}
    about |= {"parent": source.parent} if source.parent else {}
    writing.describe_layers(staging, layers)
    staging.sync()
    with store.lock():
        fetched = sum(not os.path.isdir(f"{store.layers}/{layer['chain']}") for layer in layers)
        writing.admit(store, staging, layers, image, config, about, (*chosen, *sorted(aliases)))
    for text in warnings:
        context.warn(f"warning: {text}")
    return Imported(identity, tuple(chosen), len(layers), fetched)


def _by_digest(name: str, digest: str) -> str:
    host, path, _ = split(name.partition("@")[0])
    return f"{host}/{path}@{digest}"


def _config_of_tar(layers: Sequence[dict[str, Any]]) -> bytes:
    _, architecture, *variant = platform_of(os.uname().machine)
    return json.dumps(
        {
            "architecture": architecture,
            **({"variant": variant[0]} if variant else {}),
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer['diff']}" for layer in layers]},
            "history": [{"comment": "imported from a tar archive by nsunit"}],
        },
        sort_keys=True,
    ).encode()


def _names_for(source: Source, transport: str, names: Sequence[str], told: Sequence[str]) -> list[str]:
    """Full names for what came from *source* by *transport*, which says itself that it is called *told*."""
    if names:
        return [local_name(name) for name in names]
    whole = [name for name in told if "/" in name and is_reference(name) and "@" not in name]
    if whole:
        return [full_name(name) for name in dict.fromkeys(whole)]
    tags = [name for name in told if name and is_reference(f"x:{name}")]
    if transport == "docker-archive":
        return [full_name(name) for name in told if is_reference(name) and "@" not in name]
    short = [name for name in told if ":" in name and is_reference(name) and "@" not in name]
    if short:
        return [local_name(name) for name in dict.fromkeys(short)]
    if source.origin:  # the path is of this moment, and no name
        return []
    stem = os.path.basename(source.path).partition(".")[0].lower()
    local = f"localhost/{stem}:{tags[0] if tags else 'latest'}"
    return [local] if is_reference(local) else []
