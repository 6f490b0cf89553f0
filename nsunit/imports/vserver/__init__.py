"""Directories of Linux-VServer, /etc/vservers/NAME: a file for each thing that is said, as util-vserver has them."""

from __future__ import annotations

from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark, Unusable
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for
from nsunit.imports.vserver import limits, network
from nsunit.imports.vserver.files import DEFAULTS, FOLDERS, at, handler_for, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given

    # Texts of the files of one vserver by their paths within its directory.
    Files = dict[str, str]

# A directory with one of these is a vserver's; uts has a file of the first name as well.
_MARKS = ("context", "vdir", "run", "cache", "flags", "bcapabilities")


def convert(given: Given) -> Imported:
    """The vservers whose directories are among *given*.

    Raises:
        Unusable: there is none.
    """
    servers, defaults, others = _sorted(given)
    if not servers:
        path = given.texts[0][0].rpartition("/")[0] if given.texts else ""
        reason = "there is no vserver in it, which would have a file 'context' or a link 'vdir'"
        raise Unusable(Origin(path, 0, "vserver"), reason, "name its directory, /etc/vservers/NAME")
    drafts: list[Draft] = []
    told = [(path, _OF_ALL) for path in defaults if path.rpartition("/")[2] not in _LEADS]
    told += [(path, _OF_NONE) for path in others]
    remarks = [Remark(Origin(path, 0, path.rpartition("/")[2]), *text) for path, text in told]
    base = next((text for path, text in defaults.items() if path.endswith("/.defaults/vdirbase")), "/vservers").strip()
    for root, files in servers.items():
        draft, lost = _server(root, {"vdir": f"{base}/{root.rpartition('/')[2]}", **files}, given)
        remarks += lost
        drafts += [draft] if draft is not None else []
    return Imported(tuple(drafts), tuple(dict.fromkeys(remarks)))


_OF_ALL = ("it is about all vservers", "put it into each definition that needs it")
_OF_NONE = ("it is in no directory of a vserver's, which would have a file 'context' or a link 'vdir'", "leave it out")
_LEADS = ("vdirbase", "cachebase", "run.rev")  # where the tools keep what


def _sorted(given: Given) -> tuple[dict[str, Files], Files, list[str]]:
    """The vservers by their directories; the texts of what is for all of them; and the paths of all else."""
    roots = {path.rpartition("/")[0] for path, _ in given.texts if path.rpartition("/")[2] in _MARKS}
    roots = {root for root in roots if root.rpartition("/")[2] != "uts" and "/apps/" not in f"{root}/"}
    found: dict[str, Files] = {}
    defaults: Files = {}
    others: list[str] = []
    for path, text in given.texts:
        root = next((item for item in _above(path) if item in roots), "")
        if root:
            found.setdefault(root, {})[path[len(root) + 1 :]] = text
        elif "/.defaults/" in path or "/.distributions/" in path:
            defaults[path] = text
        else:
            others.append(path)
    return found, defaults, others


def _above(path: str) -> list[str]:
    """The directories around *path*, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts))]


def _server(root: str, files: Files, given: Given) -> tuple[Draft | None, list[Remark]]:
    wanted = given.name or files.get("name", "").strip() or root.rpartition("/")[2]
    try:
        name = name_for(wanted)
    except NotCarried as lost:
        return None, [Remark(Origin(root, 0, "name"), lost.reason, lost.instead)]
    target = Target(Draft(name, f"Imported from {root}"), user=given.user)
    if name != wanted:
        target.remarks.append(Remark(Origin(root, 0, "name"), f"its name here is '{name}'", "use that with nsunit"))
    target.origin = at(root, "vdir")
    target.plain("Rootfs", files["vdir"].strip())
    for key, text in files.items():
        target.origin = at(root, key)
        if key.partition("/")[0] in FOLDERS or key in DEFAULTS:
            continue
        try:
            handler_for(key)(target, text)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    for step in (process, network.interfaces, limits.rlimits, limits.ulimits, limits.schedule, limits.groups):
        step(target, root, files)
    return target.draft, target.remarks
