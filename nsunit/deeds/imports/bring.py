"""One import, from its sources to the files."""

from __future__ import annotations

import os
import tempfile

from nsunit import features
from nsunit.deeds.imports import engines, sources
from nsunit.deeds.imports.write import Staged, check_writable, refuse_others
from nsunit.definition.load import load
from nsunit.definition.search import list_names
from nsunit.dropins.files import make_directory
from nsunit.errors import DefinitionError, NsunitError, Problem, UsageError
from nsunit.imports.model import Given, Imported, Origin, Remark, Unusable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.imports import Format
    from nsunit.imports.model import Draft


class Brought(Record):
    """What an import has made: its drafts, the files they were written to, none with a dry run, and remarks."""

    drafts: tuple[Draft, ...]
    paths: tuple[str, ...]
    remarks: tuple[Remark, ...]


def given_of(kind: Format, words: tuple[str, ...], *, user: bool, container: str = "") -> Given:
    """What *kind* gets for the operands *words*, the texts of files or a command line, or for a *container* of others.

    Raises:
        NsunitError: a file cannot be read, or there is none.
    """
    environ = dict(os.environ)
    if container:
        if not kind.command or words:
            raise UsageError(
                "--from-container takes the place of a command", hint="nsunit import run --from-container NAME"
            )
        texts = engines.inspect(container)
    else:
        texts = [] if kind.is_command(words) else sources.gather(kind, words, user=user, environ=environ)
    return Given(tuple(texts), sources.read, words, user, sources.entries, tuple(environ.items()))


def with_images(context: Context, given: Given) -> Given:
    """*given*, and what is called in the store of images as if it were of no registry."""
    store = features.load("images", "store").Store(context.paths)
    return given.replace(is_local=lambda image: bool(store.named(f"localhost/{image}")))


def bring(
    context: Context, kind: Format, given: Given, *, target: str = "", dry_run: bool = False, force: bool = False
) -> Brought:
    """Have *kind* make definitions of *given*, check them, and write them to *target*, or where definitions belong.

    Raises:
        DefinitionError: what is there makes no definition, or something would be overwritten; nothing was written.
        NsunitError: there is nothing to be written.
    """
    target = os.path.abspath(target) if target else context.search.directories[0]
    if not dry_run:
        check_writable(target)
    try:
        found = kind.convert(with_images(context, given))
    except Unusable as error:
        raise DefinitionError([problem_of(error.remark)]) from None
    if not given.arguments:
        found = _without_layers(context, given, found)
    if not found.drafts:
        hint = "\n".join(str(remark) for remark in found.remarks)
        raise NsunitError(f"no definition can be made of this {kind.name}", hint=hint or "name other files")
    if not force and not dry_run:
        refuse_others(found.drafts, target)
    temporary = tempfile.gettempdir()
    if not dry_run:
        make_directory(target)
        temporary = target
    with Staged(context, found.drafts, target, temporary) as staged:
        remarks = (*found.remarks, *staged.check())
        paths = () if dry_run else tuple(staged.install(replace=force))
    return Brought(found.drafts, paths, remarks)


def _without_layers(context: Context, given: Given, found: Imported) -> Imported:
    """*found* without the trees of which all that is known is that containers have them as layers."""
    paths = [path for path, _ in given.texts]
    described = {os.path.basename(path).rpartition(".")[0] for path in paths if not path.endswith("/")}
    trees = {path.rstrip("/") for path in paths if path.endswith("/")}
    trees = {path for path in trees if os.path.basename(path) not in described}
    layers = _layers(context) if trees else {}
    roots = {draft: "".join(draft.values("Container", "Rootfs")) for draft in found.drafts}
    layers = {path: name for path, name in layers.items() if path in trees & {*roots.values()}}
    remarks = [
        Remark(Origin(path, 0, "tree"), f"it is a layer of '{name}'", f"'nsunit import nspawn {path}' takes it")
        for path, name in sorted(layers.items())
    ]
    drafts = tuple(draft for draft, root in roots.items() if root not in layers)
    return Imported(drafts, (*found.remarks, *remarks))


def _layers(context: Context) -> dict[str, str]:
    """The directories that defined containers have as layers, and the name of one that has it."""
    found: dict[str, str] = {}
    for name in list_names(context.search):
        try:
            found |= dict.fromkeys(load(name, context.search, context.host).container.layers, name)
        except NsunitError:
            continue  # who verifies it is told
    return found


def problem_of(remark: Remark) -> Problem:
    """What a remark says, as an error."""
    origin = remark.origin
    return Problem(origin.path, origin.line, f"{origin.key}: {remark.reason}", remark.instead)
