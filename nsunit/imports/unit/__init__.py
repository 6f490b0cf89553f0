"""Services of systemd's that have a root of their own, and portable services, as containers.

A service is one where its unit, or a drop-in, names RootDirectory= or RootImage=; one of a portable service's tree has
that tree.
"""

from __future__ import annotations

from nsunit.imports import unitfiles
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for
from nsunit.imports.unit.root import choose, image
from nsunit.imports.unit.start import program
from nsunit.imports.unit.table import key, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.imports.model import Given
    from nsunit.imports.unitfiles import UnitFile

SECTIONS = ("Unit", "Service", "Install")
_UNITS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")


def convert(given: Given) -> Imported:
    """The definitions that the services of *given* become."""
    drafts: list[Draft] = []
    remarks: list[Remark] = []
    for unit, tree in (*_units(given), *_portable(given, remarks)):
        try:
            found = _definition(given, unit, tree)
        except NotCarried as lost:
            remarks += unit.remarks
            remarks.append(Remark(Origin(unit.path, 0, unit.name), lost.reason, lost.instead))
            continue
        drafts += found.drafts
        remarks += found.remarks
    return Imported(tuple(drafts), tuple(dict.fromkeys(remarks)))


def _units(given: Given) -> Iterator[tuple[UnitFile, str]]:
    folders = unitfiles.by_folder(given.texts)
    for path, text in given.texts:
        name = path.rpartition("/")[2]
        if name.endswith(".service"):
            yield unitfiles.read(path, text, unitfiles.drop_ins_of(name, folders)), ""


def _portable(given: Given, remarks: list[Remark]) -> Iterator[tuple[UnitFile, str]]:
    """The services of portable trees: those whose names begin with the tree's, up to a dash, a dot or an at sign."""
    for path, _ in given.texts:
        if path.endswith(".raw"):
            name, instead = image(path)
            remarks.append(Remark(Origin(path, 0, name), "its units cannot be read out of a disk image", instead))
        if not path.endswith("/"):
            continue
        tree = path.rstrip("/")
        prefix = tree.rpartition("/")[2].partition("_")[0]
        count = 0
        for folder in _UNITS:
            for name in given.entries(f"{tree}/{folder}") or ():
                rest = name.removeprefix(prefix)
                text = given.read(f"{tree}/{folder}/{name}") if name.endswith(".service") else None
                if text is None or rest == name or rest[0] not in "-.@":
                    continue
                count += 1
                yield unitfiles.read(f"{tree}/{folder}/{name}", text), tree
        if not count:
            reason = f"there is no service in it whose name begins with '{prefix}'"
            remarks.append(Remark(Origin(path, 0, prefix), reason, "name the unit file"))


def _definition(given: Given, unit: UnitFile, tree: str) -> Imported:
    """The definition of one service.

    Raises:
        NotCarried: no container can run it.
    """
    name = name_for(given.name or unit.stem)
    target = Target(
        Draft(name, f"Imported from {unit.path}"), user=given.user, specifiers=True, base="/", read=given.read
    )
    target.remarks += unit.remarks
    choose(target, given, unit, tree)
    prepare(target, unit)
    program(target, unit)
    for section in SECTIONS:
        for item in unit.section(section):
            target.origin = item.origin
            try:
                key(target, unit, item)
            except NotCarried as lost:
                target.remark(lost.reason, lost.instead)
    for item in unit.said:
        if item.section not in SECTIONS:
            target.origin = item.origin
            target.remark(f"there is nothing for a section [{item.section}] here", "put it into a unit of its own")
    if name != unit.stem and not given.name:
        target.origin = Origin(unit.path, 0, unit.name)
        target.remark(f"its name here is '{name}'", "use that with nsunit")
    return Imported((target.draft,), tuple(target.remarks))
