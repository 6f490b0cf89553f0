"""Files of podman's Quadlet, podman-systemd.unit(5)."""

from __future__ import annotations

from nsunit.imports import unitfiles
from nsunit.imports.model import Draft, Imported, NotCarried, Remark
from nsunit.imports.text import command, name_for, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given
    from nsunit.imports.unitfiles import Said, UnitFile

_SAME = {"Image": "Image", "Environment": "Environment", "User": "User", "Group": "Group", "HostName": "Hostname"}
_SAME |= {"WorkingDir": "WorkingDirectory", "Exec": "Exec", "PublishPort": "PublishPort", "RunInit": "Init"}
_SAME |= {"StopSignal": "StopSignal"}


def convert(given: Given) -> Imported:
    """The definitions that the files of *given* become."""
    drafts, remarks = [], []
    for path, text in given.texts:
        if path.endswith(".container"):
            name = path.rpartition("/")[2]
            unit = unitfiles.read(path, text, unitfiles.drop_ins_of(name, given.texts))
            draft, found = _container(unit)
            drafts.append(draft)
            remarks += [*unit.remarks, *found]
    return Imported(tuple(drafts), tuple(remarks))


def _container(unit: UnitFile) -> tuple[Draft, list[Remark]]:
    draft = Draft(name_for(unit.stem), f"Imported from {unit.path}")
    remarks = []
    for item in unit.section("Container"):
        try:
            _key(draft, item)
        except NotCarried as lost:
            remarks.append(Remark(item.origin, lost.reason, lost.instead))
    for section in ("Unit", "Service", "Install"):
        for item in unit.section(section):
            draft.add(section, item.key, item.value, item.origin)
    return draft, remarks


def _key(draft: Draft, item: Said) -> None:
    key = _SAME.get(item.key)
    if key is None:
        raise NotCarried("nsunit has no such key", "leave it out")
    draft.add("Container", key, item.value, item.origin)


__all__ = ["command", "convert", "word"]
