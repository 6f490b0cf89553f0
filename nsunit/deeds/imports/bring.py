"""One import, from its sources to the files."""

from __future__ import annotations

import os
import tempfile

from nsunit.deeds.imports import engines, sources
from nsunit.deeds.imports.write import Staged, check_writable, refuse_others
from nsunit.errors import DefinitionError, NsunitError, Problem, UsageError
from nsunit.imports.model import Given, Unusable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.imports import Format
    from nsunit.imports.model import Draft, Remark


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
        found = kind.convert(given)
    except Unusable as error:
        raise DefinitionError([problem_of(error.remark)]) from None
    if not found.drafts:
        hint = "\n".join(str(remark) for remark in found.remarks)
        raise NsunitError(f"no definition can be made of this {kind.name}", hint=hint or "name other files")
    if not force and not dry_run:
        refuse_others(found.drafts, target)
    temporary = tempfile.gettempdir()
    if not dry_run:
        os.makedirs(target, exist_ok=True)
        temporary = target
    with Staged(context, found.drafts, target, temporary) as staged:
        remarks = (*found.remarks, *staged.check())
        paths = () if dry_run else tuple(staged.install())
    return Brought(found.drafts, paths, remarks)


def problem_of(remark: Remark) -> Problem:
    """What a remark says, as an error."""
    origin = remark.origin
    return Problem(origin.path, origin.line, f"{origin.key}: {remark.reason}", remark.instead)
