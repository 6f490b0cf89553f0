"""Unit files of others, of whatever sections, with their drop-ins: systemd.syntax(7), systemd.unit(5)."""

from __future__ import annotations

import os.path

from nsunit.definition.syntax import parse
from nsunit.definition.words import ValueProblem, split
from nsunit.imports.model import NotCarried, Origin, Remark
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    # File name, path and text of the files in a directory, by its name.
    Folders = dict[str, list[tuple[str, str, str]]]


class _Any(tuple[str, ...]):
    """All sections there could be."""

    def __contains__(self, name: object) -> bool:
        return not str(name).startswith("X-")


class Said(Record):
    """One assignment of a unit file, with systemd's quotes and specifiers still in its *value*."""

    section: str
    key: str
    value: str
    origin: Origin


class UnitFile(Record):
    """One file with its drop-ins: what is *said*, in order, and what could not be read of it."""

    path: str
    said: tuple[Said, ...]
    remarks: tuple[Remark, ...]

    @property
    def name(self) -> str:
        """The name of the file: `web.container`."""
        return os.path.basename(self.path)

    @property
    def stem(self) -> str:
        """The same without its ending."""
        return self.name.rpartition(".")[0]

    def section(self, name: str) -> tuple[Said, ...]:
        """What is said in a section; an empty value has taken back what was said of its key before."""
        kept: list[Said] = []
        for item in self.said:
            if item.section != name:
                continue
            if not item.value:
                kept = [old for old in kept if old.key != item.key]
                continue
            kept.append(item)
        return tuple(kept)

    def last(self, section: str, key: str) -> str:
        """What is said last of *key*; empty where that is nothing."""
        return next((item.value for item in reversed(self.section(section)) if item.key == key), "")


def read(path: str, text: str, drop_ins: Iterable[tuple[str, str]] = ()) -> UnitFile:
    """The unit file *path* with *text*, and after it what its drop-ins say."""
    said: list[Said] = []
    remarks: list[Remark] = []
    for where, content in ((path, text), *drop_ins):
        assignments, problems = parse(where, content.encode(errors="surrogateescape"), _Any(("Unit",)))
        said += [Said(section, key, value, Origin(where, line, key)) for section, key, value, line in assignments]
        remarks += [
            Remark(Origin(where, problem.line, "line"), problem.message, problem.hint or "leave it out")
            for problem in problems
        ]
    return UnitFile(path, tuple(said), tuple(remarks))


def by_folder(texts: Sequence[tuple[str, str]]) -> Folders:
    """Those of *texts* that may be drop-ins, by the names of the directories that they are in."""
    found: Folders = {}
    for path, text in texts:
        if path.endswith(".conf"):
            parent, _, file = path.rpartition("/")
            found.setdefault(parent.rpartition("/")[2], []).append((file, path, text))
    return found


def drop_ins_of(name: str, folders: Folders) -> list[tuple[str, str]]:
    """The drop-ins of the unit *name*, (path, text), in the order in which they count.

    They are in NAME.d, in that of its template, in those of what its name begins with up to a dash, and in TYPE.d; of
    several with the same name the nearest to NAME counts.
    """
    chosen: dict[str, tuple[str, str]] = {}
    for folder in _folders(name) if folders else ():
        for file, path, text in folders.get(folder, ()):
            chosen.setdefault(file, (path, text))
    return [chosen[file] for file in sorted(chosen)]


def _folders(name: str) -> list[str]:
    stem, _, kind = name.rpartition(".")
    found = [f"{name}.d"]
    prefix, at, instance = stem.partition("@")
    if at and instance:
        found.append(f"{prefix}@.{kind}.d")
    while "-" in prefix.rstrip("-"):
        prefix = prefix.rstrip("-").rpartition("-")[0] + "-"
        found.append(f"{prefix}.{kind}.d")
    return [*found, f"{kind}.d"]


def words(item: Said) -> list[str]:
    """The words of a value, as systemd reads them.

    Raises:
        NotCarried: it cannot be read.
    """
    try:
        return split(item.value, c_escapes=True, controls=True)
    except ValueProblem as problem:
        raise NotCarried(problem.message, problem.hint or "mind the quotes, see systemd.syntax(7)") from None
