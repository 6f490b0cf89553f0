"""`export`: a container as one tar archive."""

from __future__ import annotations

import contextlib
import os

from nsunit.core.dropin import drop_ins_of
from nsunit.core.running import find_running, is_running
from nsunit.core.stored import defined
from nsunit.definition.load import serialize
from nsunit.definition.search import SUFFIX, find, is_defined
from nsunit.dropins.definitions import read, texts_of
from nsunit.errors import UsageError
from nsunit.features.images.out.pause import Paused
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.features.rootless.deeds import own_ids
from nsunit.features.rootless.setup import OwnUsers
from nsunit.features.transfer import bundle
from nsunit.features.transfer.pack import OPAQUE, Packer
from nsunit.names import check_name, is_group, is_pod
from nsunit.setup.build import Build
from nsunit.storage import files, ranges
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition

STDOUT = 1
USERS_OPAQUE = "user.overlay.opaque"  # what it is where nobody may set those of trusted.*, overlayfs with userxattr
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def refuse_kinds(name: str) -> None:
    """See that *name* is that of a container.

    Raises:
        UsageError: it is none.
    """
    if is_pod(check_name(name)) or is_group(name):
        raise UsageError(f"'{name}' is no container", hint="name its containers, one after the other")


def export(context: Context, name: str, target: str, *, pause: bool = True) -> list[str]:
    """Write container *name* to the file *target*, or to standard output for `-`; returns what was left out.

    One that runs is paused meanwhile, unless *pause* is off.  The file is there when it is whole.

    Raises:
        NsunitError: it is not defined, or cannot be read.
    """
    refuse_kinds(name)
    if target == "-":
        if os.isatty(STDOUT):
            raise UsageError("an archive is nothing for a terminal", hint=f"nsunit export {name} FILE")
        return export_to(context, name, STDOUT, pause=pause)
    warnings: list[str] = files.write_whole(target, lambda fd: export_to(context, name, fd, pause=pause, place=target))
    return warnings


def export_to(context: Context, name: str, out: int, *, pause: bool, place: str = "standard output") -> list[str]:
    """Write container *name* to the descriptor *out*, which errors call *place*; see `export`."""
    with at_rest(context, name, pause=pause):
        definition = defined(context, name)
        if is_defined(name, context.search):
            texts = texts_of(find(name, context.search))
        else:
            own = serialize(definition).partition("\n\n")[2]  # where it comes from is nothing for others
            texts = {f"{name}{SUFFIX}": own.encode()}
        upper = f"{context.paths.upper_of(name)}/upper"
        has_upper = os.path.isdir(upper)
        packer = Packer(out, place=place)
        packer.file(bundle.MANIFEST, bundle.dump(_manifest(context, definition, has_upper)))
        for called, text in texts.items():
            packer.file(f"{bundle.DEFINITION}/{called}", text)
        for path in drop_ins_of(context, definition):
            if os.path.exists(path):
                unit, own = path.split("/")[-2:]
                packer.file(f"{bundle.UNITS}/{unit}/{own}", read(path))
        places = own_volumes(context, name)
        tops = (upper if has_upper else "", places)
        if not any(tops):
            packer.finish()
            return _left_out(definition)
        worker = Worker(lambda: _pack(context, *tops, out, place), (out,))
        return [*_left_out(definition), *raise_first([worker.result()], to_output=out == STDOUT)]


@contextlib.contextmanager
def at_rest(context: Context, name: str, *, pause: bool, locks: Sequence[str] = ()) -> Iterator[None]:
    """See that container *name* does not change meanwhile: it is not started, or is paused if it runs.

    The locks of the names *locks* are held, too.  All are taken in the order of the names, as everywhere: two who want
    the same ones never wait for each other.
    """
    if not is_running(context, name):
        with _locked(context, (name, *locks)):
            if not is_running(context, name):  # who had the lock before may have started it
                yield
                return
    with (
        _locked(context, locks),
        Paused(context, find_running(context, name)) if pause else contextlib.nullcontext(),
    ):
        yield


@contextlib.contextmanager
def _locked(context: Context, names: Sequence[str]) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        for name in sorted(names):
            held.enter_context(Lock(context.paths.locks, name))
        yield


def _manifest(context: Context, definition: Definition, has_upper: bool) -> bundle.Manifest:
    name, state = definition.name, context.paths.state_of(definition.name)
    kept = [(key, files.read_file(f"{state}/{key}")) for key in bundle.KEPT]
    return bundle.Manifest(
        name,
        context.paths.is_enabled(name),
        ranges.remembered(state),
        bundle.needs_of(definition),
        tuple((key, content.decode()) for key, content in kept if content is not None),
        has_upper,
    )


def own_volumes(context: Context, name: str) -> dict[str, str]:
    """The directories of the volumes without a name that container *name* has filled, by their files' names."""
    own = f"{context.paths.state_of(name)}/{bundle.VOLUMES}"
    places = {file: f"{own}/{file}" for file in files.list_directory(own)}
    return {file: place for file, place in places.items() if os.path.isdir(f"{place}/{bundle.DATA}")}


def _pack(context: Context, upper: str, volumes: Mapping[str, str], out: int, place: str) -> list[str]:
    enter_ids(context)
    packer = Packer(out, place=place)
    for file, volume in volumes.items():
        packer.tree(os.open(volume, _FLAGS), bundle.DATA, f"{bundle.VOLUMES}/{file}/{bundle.DATA}")
    warnings = packer.warnings
    if upper:
        packer = Packer(out, opaque=USERS_OPAQUE if context.user else OPAQUE, place=place)
        packer.tree(os.open(upper, _FLAGS), ".", bundle.UPPER)
        warnings += packer.warnings
    packer.finish()
    return warnings


def enter_ids(context: Context) -> None:
    """Become root of the user's ids, where the context is a user's: there the files belong to whom they do inside."""
    if context.user:
        OwnUsers(*own_ids(context).arguments).enter((), Build(""))


def _left_out(definition: Definition) -> list[str]:
    container = definition.container
    if container.rootfs and not container.read_only and not container.volatile:
        return [f"{definition.name}: its root '{container.rootfs}' is a directory of the host's, and is not in it"]
    return []
