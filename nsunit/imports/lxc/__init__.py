"""Configurations of LXC 1 to 7, and what Incus writes for it: the file `config` of a container, with its includes."""

from __future__ import annotations

from nsunit.imports.lxc import program, root
from nsunit.imports.lxc.config import read
from nsunit.imports.lxc.table import finish, option
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lxc.config import Config
    from nsunit.imports.model import Given

_FILES = ("config", "lxc.conf")  # named as their directory


def convert(given: Given) -> Imported:
    """The definitions of the containers that the files of *given* configure."""
    drafts: list[Draft] = []
    remarks: list[Remark] = []
    for path, text in given.texts:
        config = read(path, text, given)
        remarks += config.remarks
        try:
            found = _definition(given, path, config)
        except NotCarried as lost:
            remarks.append(Remark(Origin(path, 0, "lxc.rootfs.path"), lost.reason, lost.instead))
            continue
        drafts += found.drafts
        remarks += found.remarks
    return Imported(tuple(drafts), tuple(dict.fromkeys(remarks)))


def _definition(given: Given, path: str, config: Config) -> Imported:
    """The definition of one container.

    Raises:
        NotCarried: none can be made.
    """
    folder, _, file = path.rpartition("/")
    wanted = given.name or (folder.rpartition("/")[2] if file in _FILES else file.removesuffix(".conf"))
    name = name_for(wanted)
    target = Target(Draft(name, f"Imported from {path}"), user=given.user, base=folder, read=given.read)
    tree = root.choose(target, config)
    if config.values("lxc.idmap"):
        target.hold("ids", "yes")
    program.prepare(target, given, config, tree)
    for item in config.said:
        target.origin = item.origin
        try:
            option(target, config, item.key, item.value)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    finish(target, config)
    if name != wanted:
        target.origin = Origin(path, 0, wanted)
        target.remark(f"its name here is '{name}'", "use that with nsunit")
    return Imported((target.draft,), tuple(target.remarks))
