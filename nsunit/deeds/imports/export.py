"""A definition as the files of another tool: read, converted, written or told."""

from __future__ import annotations

import os

from nsunit import features
from nsunit.definition import read_regular
from nsunit.definition.load import load_any
from nsunit.definition.search import find, find_network
from nsunit.definition.syntax import NETWORK_SECTIONS, SECTIONS, parse
from nsunit.errors import NsunitError, UsageError
from nsunit.imports.export import KINDS, export
from nsunit.imports.model import Line, Origin
from nsunit.names import check_any_name, is_group, is_network, is_pod, printable
from nsunit.storage.files import discard, write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.search import Found
    from nsunit.imports.export import Exported


def exported(context: Context, name: str, kind: str) -> Exported:
    """What the definition of container *name*, with its drop-ins, is as files of *kind*; a network or pod for quadlet.

    Raises:
        UsageError: there is no such kind, or *name* is no container.
        NotFoundError, DefinitionError: it is not defined, or has mistakes.
    """
    if kind not in KINDS:
        raise UsageError(f"'{printable(kind)}' is not a kind to export as", hint=f"there are {', '.join(KINDS)}")
    files = _files_of(context, name, kind)
    lines: list[Line] = []
    for path in (files.main, *files.drop_ins):
        assignments, _ = parse(path, read_regular(path), NETWORK_SECTIONS if is_network(name) else SECTIONS)
        lines += [Line(section, key, value, Origin(path, number, key)) for section, key, value, number in assignments]
    return export(kind, name, lines)


def _files_of(context: Context, name: str, kind: str) -> Found:
    """The files that define *name*, which has no mistakes."""
    if is_network(name) and kind == "quadlet":
        bare = name.removesuffix(".network")
        features.load("network", "definition").load_network(bare, context.search, context.host)
        return find_network(bare, context.search)
    check_any_name(name)
    if is_group(name) or ((is_pod(name) or is_network(name)) and kind != "quadlet"):
        hint = "name its containers, one after the other" + ("" if is_group(name) else "; --as=quadlet has it as well")
        raise UsageError(f"'{printable(name)}' is no container", hint=hint)
    if not name.endswith("@"):
        load_any(name, context.search, context.host)
    return find(name, context.search)


def write(found: Exported, directory: str, *, force: bool) -> list[str]:
    """Write the files below *directory*; returns their paths.

    Raises:
        NsunitError: one of them is there, and then none is written; or one cannot be written, and then none is left
            that was not there, and it says which were replaced.
    """
    paths = [os.path.join(directory, name) for name, _ in found.files]
    for path in paths:
        if os.path.lexists(path) and not force:
            raise NsunitError(f"'{printable(path)}' is there already", hint="--force replaces it")
    made: list[str] = []
    replaced: list[str] = []
    for path, (_, text) in zip(paths, found.files, strict=True):
        written = replaced if os.path.lexists(path) else made
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            content = text.encode("utf-8", "surrogateescape")
            write_whole(path, lambda fd, content=content: _fill(fd, content), 0o666, replace=force)  # type: ignore[misc]
        except BaseException as error:
            for other in made:
                discard(other)
            if not isinstance(error, OSError):
                raise
            left = ", ".join(f"'{printable(other)}'" for other in replaced)
            what = f"; replaced by then: {left}" if left else ""
            message = f"'{printable(path)}': {error.strerror}{what}"
            raise NsunitError(message, hint="name another directory") from error
        written.append(path)
    return paths


def _fill(fd: int, content: bytes) -> None:
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
