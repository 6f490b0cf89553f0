"""`import` of what `export` has written: all of it is unpacked and checked before any of it gets its name."""

from __future__ import annotations

import os
import stat

from nsunit.core.context import take_back
from nsunit.core.dropin import drop_ins_of
from nsunit.core.jobs import Outcome
from nsunit.core.running import is_running
from nsunit.core.sources import check_sources
from nsunit.definition.load import load
from nsunit.definition.search import SearchPath, main_file
from nsunit.dropins import files as unit_directory
from nsunit.dropins.definitions import remove_own, write_all
from nsunit.errors import DefinitionError, NsunitError, UsageError
from nsunit.features.images.fetch import tasks
from nsunit.features.images.store import Store
from nsunit.features.images.unit import unpack_unit
from nsunit.features.images.writing import spool, swap, swap_back
from nsunit.features.transfer import bundle, kept, program
from nsunit.features.transfer.export import USERS_OPAQUE
from nsunit.features.transfer.pack import OPAQUE
from nsunit.features.transfer.staging import Staging
from nsunit.names import former_unit, printable, service_name, slice_name
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.storage.mounted import refuse_mounted_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.features.transfer.bundle import Manifest


def restore(context: Context, source: str, *, force: bool = False) -> Outcome:
    """Bring the container in that is in the file *source*, or on standard input for `-`.

    What its host lacks of what it needs is told by context.warn.  With *force* it takes the place of one of its name.

    Raises:
        NsunitError: it is damaged, or there is a container of that name; nothing of it is left.
    """
    with Staging(context) as staging:
        texts = _unpacked(context, staging, _archive(staging, source), "standard input" if source == "-" else source)
        manifest = bundle.load(texts.pop(bundle.MANIFEST))
        definition = checked(context, staging, manifest, texts)
        _describe(staging, manifest)
        staging.sync()
        with Lock(context.paths.locks, manifest.name):
            _refuse_taken(context, definition, texts, force=force)
            _commit(context, staging, definition, texts, force=force)
    _tell_missing(context, definition, manifest)
    return Outcome(manifest.name, "imported")


def _archive(staging: Staging, source: str) -> str:
    """The path of the archive: of what is no regular file a copy is made, since it is read in another process."""
    if source != "-":
        if not os.path.exists(source):
            hint = "a file that 'nsunit export' has written, or - for standard input"
            raise UsageError(f"'{printable(source)}' does not exist", hint=hint)
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            hint = "a root that is one needs no import: name it by Rootfs= or Layer="
            raise UsageError(f"'{printable(source)}' is a directory", hint=hint)
        if stat.S_ISREG(mode):
            return os.path.abspath(source)
    elif os.isatty(0):
        raise UsageError("an archive does not come from a terminal", hint="nsunit import FILE")
    path = f"{staging.path}/archive"
    spool(source, path)
    return path


def _unpacked(context: Context, staging: Staging, archive: str, called: str) -> dict[str, str]:
    """Unpack *archive* where it can do no harm; returns the small files in it, by their names."""
    opaque = USERS_OPAQUE if context.user else OPAQUE
    job = {
        "task": "restore",
        "archive": archive,
        "called": called,
        "staging": staging.path,
        "opaque": opaque,
        "volumes": _hidden(staging),
        "ids": tasks.own_ids(context),
    }
    argv = tasks.command(staging.path, program.__name__)
    found = tasks.carry_out(
        context, staging.path, job, unpack_unit(staging.token, argv, staging.place, user=context.user)
    )
    for text in found["warnings"]:
        context.warn(f"warning: {text}")
    return {str(name): str(text) for name, text in found["files"].items()}


def checked(context: Context, staging: Staging, manifest: Manifest, texts: Mapping[str, str]) -> Definition:
    """The definition of container *manifest*.name in *texts*, as this host reads it; *staging* is used for that.

    Raises:
        DefinitionError: it cannot be used here.
        NsunitError: files are missing, or too many.
    """
    directory = f"{staging.path}/{bundle.DEFINITION}"
    bundle.check_definition(manifest.name, texts)
    write_all(directory, definition_texts(texts), [])
    try:
        definition = load(manifest.name, SearchPath((directory,)), context.host)
    except DefinitionError as error:
        problems = [item.replace(path=item.path.removeprefix(f"{staging.path}/")) for item in error.problems]
        raise DefinitionError(problems) from None
    service = service_name(manifest.name)
    units = (slice_name(manifest.name, definition.container.slice), service, former_unit(service))
    bundle.check_units(manifest.name, units, texts)
    return definition


def definition_texts(texts: Mapping[str, str]) -> dict[str, bytes]:
    """Those of *texts* that are files of a definition, as they are called in a directory of those."""
    first = f"{bundle.DEFINITION}/"
    return {
        path.removeprefix(first): text.encode("utf-8", "surrogateescape")
        for path, text in texts.items()
        if path.startswith(first)
    }


def _hidden(staging: Staging) -> str:
    return f".volumes-{staging.token}"


def _describe(staging: Staging, manifest: Manifest) -> None:
    """Make the state directory that it will have."""
    state = f"{staging.path}/{kept.STATE}"
    os.mkdir(state, 0o700)
    came, volumes = f"{staging.path}/overlay/upper/{_hidden(staging)}", f"{state}/{bundle.VOLUMES}"
    if os.path.isdir(came):
        os.rename(came, volumes)
        for path in (volumes, *(f"{volumes}/{file}" for file in os.listdir(volumes))):
            os.chmod(path, 0o700)
    if manifest.upper:
        os.rename(f"{staging.path}/overlay", f"{state}/overlay")
    for name, text in manifest.kept:
        files.write_file(f"{state}/{name}", text.encode())


def _refuse_taken(context: Context, definition: Definition, texts: Mapping[str, str], *, force: bool) -> None:
    name = definition.name
    if is_running(context, name):
        raise NsunitError(f"{name}: a container of that name runs", hint=f"stop it first: nsunit stop {name}")
    if context.paths.is_enabled(name):
        hint = f"disable it first: nsunit disable {name}"
        raise NsunitError(f"{name}: a container of that name is enabled", hint=hint)
    if force:
        refuse_mounted_state(context.paths, name)
        return
    there = main_file(name, context.search)
    own = definition_texts(texts).get(os.path.basename(there)) if there else None
    if there and unit_directory.read(there) != own:
        hint = "rename that one, or put this in its place with --force"
        raise NsunitError(f"{name}: a container of that name is defined ('{there}')", hint=hint)
    if os.path.lexists(context.paths.state_of(name)):
        hint = f"remove that with 'nsunit rm {name}', or put this in its place with --force"
        raise NsunitError(f"{name}: there is the state of a container of that name", hint=hint)


def _commit(
    context: Context, staging: Staging, definition: Definition, texts: Mapping[str, str], *, force: bool
) -> None:
    """Give it its name: first what it has written, so that it is never started without."""
    name, state = definition.name, context.paths.state_of(definition.name)
    undo: Undo = []
    try:
        files.make_private_directory(context.paths.states)
        own = f"{staging.path}/{kept.STATE}"
        if force and os.path.lexists(state):
            _keep_volumes(staging.path, definition.name, state, undo)
            former = os.lstat(state)
            undo.append(lambda: swap_back(own, state, former))  # before, as for all: a signal may come in between
            swap(own, state)
            files.sync_directory(context.paths.states)
        else:
            undo.append(lambda: context.remove_tree(state))
            kept.note_new(staging.path, definition.name)
            files.move(own, state)
        if force:
            remove_own(name, context.search, undo)
        units = False
        for path in drop_ins_of(context, definition):
            text = texts.get("/".join((bundle.UNITS, *path.split("/")[-2:])))
            before = unit_directory.read(path)
            if text is not None or (force and before is not None):
                undo.append(lambda path=path, before=before: unit_directory.restore(path, before))  # type: ignore[misc]
                unit_directory.restore(path, None if text is None else text.encode("utf-8", "surrogateescape"))
                units = True
        write_all(context.search.directories[0], definition_texts(texts), undo)
        if units:
            context.bus.reload()
        kept.forget_new(staging.path)
    except BaseException:
        take_back(undo)
        raise


def _keep_volumes(place: str, name: str, former: str, undo: Undo) -> None:
    """Have the state in *place* those volumes without a name of *former*, container *name*'s, that did not come."""
    own = f"{place}/{kept.STATE}/{bundle.VOLUMES}"
    there = files.list_directory(f"{former}/{bundle.VOLUMES}")
    staying = [file for file in there if not os.path.lexists(f"{own}/{file}")]
    kept.note(place, name, staying)  # before the first: whoever is killed runs no undo
    if staying:
        files.make_private_directory(own)
    for file in staying:
        source, target = f"{former}/{bundle.VOLUMES}/{file}", f"{own}/{file}"
        undo.append(lambda source=source, target=target: files.move_back(target, source))  # type: ignore[misc]
        os.rename(source, target)


def _tell_missing(context: Context, definition: Definition, manifest: Manifest) -> None:
    name = definition.name
    try:
        check_sources(definition)
    except DefinitionError as error:
        for problem in error.problems:
            context.warn(f"warning: {name}: {problem.message}")
    reference, _, identity = dict(manifest.kept).get("image", "").strip().partition("\n")
    if reference and not context.user and Store(context.paths).image(identity) is None:
        context.warn(
            f"warning: {name}: its image '{reference}' is not here: "
            f"it is sha256:{identity[:12]}…; bring it in with 'nsunit image pull' or 'image import'"
        )
    if manifest.enabled:
        context.warn(f"{name}: it was started at boot where it comes from; 'nsunit enable {name}' does so here")
