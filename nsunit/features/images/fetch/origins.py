"""What `image import` takes: archives and layouts as they are, and what is made one of first, by tools of others."""

from __future__ import annotations

import json
import os

from nsunit.core.programs import directory_with
from nsunit.errors import NotFoundError, NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.bring import Imported, Source, bring_in, source_of
from nsunit.features.images.config import platform_of
from nsunit.features.images.fetch import tasks
from nsunit.features.images.fetch.pull import environment_of, pull
from nsunit.features.images.fetch.work import LAYOUT
from nsunit.features.images.layout import full_name, is_digest, is_reference
from nsunit.features.images.store import Store
from nsunit.features.images.unit import archive_unit, storage_unit
from nsunit.names import printable
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.core.context import Context

MACHINES = "/var/lib/machines"
STORAGE = "containers-storage:"
_KINDS = {"root": "directory", "mstack": "directory", "raw": "file"}
_OWN = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # the caller's descriptors, as `<(command)` has them
_DISKS = (".raw", ".squashfs", ".erofs", ".img")
_ROOTS = ("usr", "bin", "etc")  # one of them is in every root


class Stack(Record):
    """Root file systems, directories or disk images, the lowest first; *config* is that of the image they came as."""

    layers: tuple[str, ...]
    name: str
    config: tuple[tuple[str, Any], ...] = ()
    left_out: tuple[str, ...] = ()


def import_from(context: Context, text: str, names: Sequence[str], platform: str) -> Imported:
    """Bring in what *text* names, as *names*, or those that it has there.

    Raises:
        NsunitError: there is nothing of that kind, or it is damaged; nothing of it is left.
    """
    if text.startswith("docker://"):
        return pull(context, text, platform, names)
    if text.startswith(STORAGE):
        return _from_storage(context, text.removeprefix(STORAGE), names, platform)
    stack = stack_of(text) if text != "-" else None
    if stack is None:
        source = source_of(text)
        bring = _from_stream if source.path == "-" or source.path.startswith(_OWN) else bring_in
        return bring(context, source, names, platform)
    for item in stack.left_out:
        context.warn(f"warning: '{printable(item)}' is left out: it is no layer")
    return _from_stack(context, stack, text, names)


def _from_stream(context: Context, source: Source, names: Sequence[str], platform: str) -> Imported:
    """From standard input, or another descriptor: what unpacks it seeks in it, and is another process."""
    if source.path == "-" and os.isatty(0):
        raise UsageError("an image does not come from a terminal", hint="docker save IMAGE | nsunit image import -")
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        path = f"{staging.path}/archive"
        writing.spool(source.path, path)
        origin = "standard input" if source.path == "-" else source.path
        return bring_in(context, source.replace(path=path, origin=origin), names, platform)


def stack_of(text: str) -> Stack | None:
    """The root file systems that *text* means: a machine, a directory, a disk image, or systemd's layers; else None.

    Raises:
        UsageError: there is no such machine, or it is one whose parts cannot be layers.
    """
    kind, colon, rest = text.partition(":")
    if kind == "machine" and colon:
        return _of_path(_machine(rest), rest)
    said = kind if colon and kind in _KINDS else ""
    path = os.path.abspath(rest if said else text)
    name = os.path.basename(path)
    if said and not (os.path.isfile if said == "raw" else os.path.isdir)(path):
        before, _, end = path.rpartition(":")
        hint = f"its name is said by --name={printable(end)}" if os.path.exists(before) else "see that it is there"
        raise UsageError(f"'{printable(path)}' is no {_KINDS[said]}", hint=hint)
    is_root = os.path.isdir(path) and (
        name.endswith(".mstack")
        or bool(said)
        or (not os.path.exists(path + "/oci-layout") and any(os.path.isdir(f"{path}/{item}") for item in _ROOTS))
    )
    is_disk = os.path.isfile(path) and (said == "raw" or name.endswith(_DISKS))
    return _of_path(path, name.partition(".")[0]) if is_root or is_disk else None


def _machine(name: str) -> str:
    if "/" not in name and name not in ("", ".", ".."):
        for ending in ("", ".mstack", ".raw"):
            if os.path.exists(f"{MACHINES}/{name}{ending}"):
                return f"{MACHINES}/{name}{ending}"
    raise NotFoundError(f"there is no machine '{printable(name)}' in {MACHINES}", hint="see 'machinectl list-images'")


def _of_path(path: str, name: str) -> Stack:
    """systemd.mstack(7): layers by version, and on top of them what was written."""
    if not path.endswith(".mstack"):
        return Stack((path,), name)
    found = [item for item in files.list_directory(path) if not item.startswith(".")]
    if "root" in found:
        raise UsageError(f"'{path}' has a root of its own, with layers for /usr alone", hint="import its parts")
    layers = sorted((item for item in found if item.startswith("layer@")), key=_version)
    upper = f"{path}/rw/data"
    has_written = os.path.isdir(upper) and bool(os.listdir(upper))
    config = files.read_file(f"{path.removesuffix('.mstack')}.oci-config")
    return Stack(
        (*(f"{path}/{item}" for item in layers), *((upper,) if has_written else ())),
        name,
        tuple(_config(config or b"{}", path).items()),
        tuple(f"{path}/{item}" for item in found if item not in layers and item != "rw"),
    )


def _version(name: str) -> list[tuple[int, str]]:
    """A key that puts numbers in the order of their values."""
    found: list[tuple[int, str]] = []
    digits = ""
    for letter in (*name.removesuffix(".raw"), ""):
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            found.append((int(digits), ""))
            digits = ""
        found.append((-1, letter))
    return found


def _config(content: bytes, path: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise NsunitError(f"the config beside '{path}' is not JSON: {error}") from None
    return document if isinstance(document, dict) else {}


def _from_stack(context: Context, stack: Stack, origin: str, names: Sequence[str]) -> Imported:
    if not stack.layers:
        raise NsunitError(f"'{printable(origin)}' has no layers")
    system, architecture, *variant = platform_of(os.uname().machine)
    config: dict[str, Any] = {
        "os": system,
        "architecture": architecture,
        **({"variant": variant[0]} if variant else {}),
        "config": dict(stack.config).get("config") or {},
        "history": [{"comment": "imported from a root file system by nsunit"} for _ in stack.layers],
    }
    disks = any(not os.path.isdir(path) for path in stack.layers)
    if disks and not directory_with(("systemd-dissect",)):
        raise NsunitError("disk images are mounted by systemd-dissect, which is not installed", hint="it is systemd's")
    if disks and context.user:
        raise NsunitError("disk images can be mounted by root only", hint="have root import it, and export the image")
    called = f"localhost/{stack.name.lower()}:latest"
    chosen = names or ((called,) if is_reference(called) else ())
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        job = {
            "task": "archive",
            "layers": [os.path.realpath(path) for path in stack.layers],
            "config": config,
            "staging": staging.path,
            "ids": tasks.own_ids(context),
        }
        unit = archive_unit(staging.token, tasks.command(staging.path), staging.path, disks=disks, user=context.user)
        for text in tasks.carry_out(context, staging.path, job, unit)["warnings"]:
            context.warn(f"warning: {text}")
        return bring_in(context, Source("oci", f"{staging.path}/{LAYOUT}", origin=origin), chosen)


def _from_storage(context: Context, text: str, names: Sequence[str], platform: str) -> Imported:
    """From podman's store, by skopeo."""
    skopeo = directory_with(("skopeo",))
    if not skopeo:
        raise NsunitError(f"'{STORAGE}' is read by skopeo, which is not installed", hint="or 'podman save' it")
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        job = {
            "task": "copy",
            "skopeo": f"{skopeo}/skopeo",
            "source": f"{STORAGE}{text}",
            "staging": staging.path,
            "environment": environment_of(context, staging.path),
            "ids": [],
        }
        unit = storage_unit(staging.token, tasks.command(staging.path), user=context.user)
        tasks.carry_out(context, staging.path, job, unit)
        is_name = is_reference(text) and "@" not in text and not is_digest(text)  # else what has no name there
        own = (full_name(text),) if is_name else ()
        source = Source("dir", f"{staging.path}/{LAYOUT}", origin=f"{STORAGE}{text}")
        return bring_in(context, source, names or own, platform)
