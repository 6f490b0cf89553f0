"""The other way: what a definition is as another tool's files, as far as these can say it."""

from __future__ import annotations

from nsunit.imports.export import bundle, compose, nspawn, podman, shared
from nsunit.imports.export.source import Source
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.model import Line, Remark

KINDS = {
    "quadlet": podman.quadlet,
    "run": podman.run,
    "compose": compose.files,
    "nspawn": nspawn.files,
    "oci": bundle.files,
}
# Of what is no container, by the ending of its name.
_SHARED = {"network": shared.network, "pod": shared.pod}


class Exported(Record):
    """What came of it: *files* by their names, in which a slash is one of a directory, and *remarks*."""

    files: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]


def export(kind: str, name: str, lines: Sequence[Line]) -> Exported:
    """The definition *name*, whose assignments are *lines*, as one of KINDS; networks and pods as quadlet only."""
    source = Source(name, lines)
    files = _SHARED.get(name.rpartition(".")[2] if kind == "quadlet" else "", KINDS[kind])(source)
    return Exported(tuple(files), tuple(dict.fromkeys(source.remarks)))
