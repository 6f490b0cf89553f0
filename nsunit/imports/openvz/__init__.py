"""Containers of OpenVZ and Virtuozzo: ve.conf(5), with its older names and those of Virtuozzo 7."""

from __future__ import annotations

from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark
from nsunit.imports.openvz.table import HANDLERS, unknown
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given

_GLOBAL = "/etc/vz/vz.conf"
# What vzctl looks for in the global file where a container's own has nothing.
_INHERITED = ("VE_ROOT", "VE_PRIVATE", "VE_LAYOUT")


def convert(given: Given) -> Imported:
    """The containers that the files of *given* are about."""
    drafts: list[Draft] = []
    remarks: list[Remark] = []
    whole = {key: (value, Origin(_GLOBAL, line, key)) for key, value, line in _pairs(given.read(_GLOBAL) or "")}
    for path, text in given.texts:
        draft, lost = _container(path, text, whole, given)
        remarks += lost
        drafts += [draft] if draft is not None else []
    return Imported(tuple(drafts), tuple(dict.fromkeys(remarks)))


def _pairs(text: str) -> list[tuple[str, str, int]]:
    """The lines `KEY="VALUE"`: key, value, and number of the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            value = value.strip()
            quote = value[:1]
            if quote in ("'", '"') and quote in value[1:]:
                value = value[1 : value.index(quote, 1)]
            found.append((key.strip().removeprefix("export "), value, number))
    return found


def _container(
    path: str, text: str, whole: dict[str, tuple[str, Origin]], given: Given
) -> tuple[Draft | None, list[Remark]]:
    stem = path.rpartition("/")[2].removesuffix("-sample").removesuffix(".conf")
    stem = path.split("/")[-2] if stem == "ve" and path.count("/") > 1 else stem.removeprefix("ve-")
    if stem in ("0", "vz"):
        reason = "it is about the host, and all containers" if stem == "vz" else "it is about the host"
        return None, [Remark(Origin(path, 0, stem), reason, "limits of all containers are those of nsunit.slice")]
    said = {key: (value, Origin(path, line, key)) for key, value, line in _pairs(text)}
    for key in _INHERITED:
        if key not in said and key in whole:
            said[key] = whole[key]
    wanted = given.name or said.get("NAME", ("", None))[0] or stem
    try:
        name = name_for(wanted)
    except NotCarried as lost:
        return None, [Remark(Origin(path, 0, "NAME"), lost.reason, lost.instead)]
    draft = Draft(name, f"Imported from {path}")
    target = Target(draft, user=given.user)
    if name != wanted:
        target.remarks.append(Remark(Origin(path, 0, "NAME"), f"its name here is '{name}'", "use that with nsunit"))
    target.origin = Origin(path, 0, "CTID")
    for key, (value, origin) in said.items():
        if key in _INHERITED and origin.path == _GLOBAL:
            value = value.replace("$VEID", stem).replace("${VEID}", stem)
        target.pending[key] = (value.replace("$VEID", stem), origin)
    target.say("Boot", "yes")
    for key, (value, origin) in list(target.pending.items()):
        target.origin = origin
        try:
            HANDLERS.get(key, unknown)(target, value)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    _finish(target, stem)
    return draft, target.remarks


def _finish(target: Target, stem: str) -> None:
    """What counts together, or is so where nothing is said."""
    if not target.draft.has("Container", "Rootfs"):
        target.origin = Origin(target.draft.about[0].removeprefix("Imported from "), 0, "VE_PRIVATE")
        target.plain("Rootfs", f"/vz/private/{stem}")
        target.remark("it says nothing of where its root is", f"/vz/private/{stem} is vzctl's own default; check it")
    if not target.draft.has("Container", "Network"):
        target.origin = Origin(target.origin.path, 0, "IP_ADDRESS")
        target.say("Network", "none")  # venet0 without addresses
