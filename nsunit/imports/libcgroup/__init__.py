"""Files of libcgroup: cgconfig.conf(5), which cgsnapshot(1) writes as well, and cgrules.conf(5)."""

from __future__ import annotations

from nsunit.imports import cgroups
from nsunit.imports.libcgroup import rules
from nsunit.imports.libcgroup.syntax import Block, parse
from nsunit.imports.model import Draft, Imported, NotCarried, Remark, Unusable
from nsunit.names import is_valid_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.libcgroup.syntax import Pair
    from nsunit.imports.model import Given

_TEMPLATE = "/etc/systemd/system/user-.slice.d/50-limits.conf"
_MOUNT = ("systemd has mounted the control groups, all controllers at one place", "leave it out")
_NAMESPACE = ("version 2 has one hierarchy, in which a group has one place", "leave it out")
_OWNED = frozenset(("-.slice", "init.scope", "machine.slice", "system.slice", "user.slice", "nsunit.slice"))
_ROOT_IDS = ("root", "0")
_CONTROLLERS = {"cpuacct": "cpu", "blkio": "io"}


def convert(given: Given) -> Imported:
    """The groups that the files of *given* become; what they say of templates and rules is told."""
    groups = _Groups()
    found: list[rules.Rule] = []
    for path, text in given.texts:
        if "cgrules" in path.rpartition("/")[0].rpartition("/")[2] or "cgrules" in path.rpartition("/")[2]:
            found += rules.read(path, text, groups.remarks)
            continue
        for block in parse(path, text):
            groups.take(block)
    groups.finish()
    remarks = [*groups.remarks, *(rules.remark(rule, groups.names) for rule in found)]
    return Imported(tuple(groups.drafts.values()), tuple(dict.fromkeys(remarks)))


def group_name(path: str) -> str:
    """The name that a group at *path* below a controller's mount has here: `students-cp` for `students/cp`.

    Raises:
        NotCarried: it is the root, one of systemd's, or has no letter that a name can have.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts:
        raise NotCarried("it is the whole machine, which has no limits", "leave it out")
    if any(part in _OWNED or part.endswith((".slice", ".scope", ".service")) for part in parts):
        raise NotCarried(
            "it is a group of systemd's own", f"use 'systemctl set-property {parts[-1]} KEY=VALUE' with the key for it"
        )
    name = "-".join(_fitting(part) for part in parts)
    if not is_valid_group(name):
        raise NotCarried(f"'{path}' cannot be made the name of a group", "rename it")
    return name


def _fitting(part: str) -> str:
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "_.") else "_" for char in part.lower())
    return kept.lstrip("_.")


class _Groups:
    """The groups, while blocks are read; `names` are theirs by the paths that they had."""

    def __init__(self) -> None:
        self.drafts: dict[str, Draft] = {}
        self.names: dict[str, str] = {}
        self.remarks: list[Remark] = []
        self.files: dict[str, list[Pair]] = {}
        self.templates: list[Block] = []
        self.controllers: dict[str, list[str]] = {}
        self.permissions: dict[str, list[Pair]] = {}
        self.default: list[Pair] = []

    def take(self, block: Block) -> None:
        """Note what a block at the top of a file says."""
        if block.kind == "group":
            self._group(block)
        elif block.kind == "template":
            self.templates.append(block)
        elif block.kind == "default":
            self.default += block.permissions
        else:
            text = _MOUNT if block.kind == "mount" else _NAMESPACE
            self.remarks += [Remark(pair.origin, *text) for pair in block.pairs]

    def _group(self, block: Block) -> None:
        try:
            name = group_name(block.name)
        except NotCarried as lost:
            self.remarks.append(Remark(block.origin, lost.reason, lost.instead))
            return
        path = block.name.strip("/")
        other = next((old for old, known in self.names.items() if known == name and old != path), None)
        if other is not None:
            raise Unusable(block.origin, f"'{other}' would be called '{name}' as well", "rename one of them")
        self.names[path] = name
        if name.replace("-", "/") != path:
            self.remarks.append(Remark(block.origin, f"its name here is '{name}.slice'", "use that with nsunit"))
        if name not in self.drafts:
            self.drafts[name] = Draft(f"{name}.slice", f"Imported from {block.origin.path}: group {block.name}")
        self.files.setdefault(name, []).extend(block.pairs)
        self.controllers.setdefault(name, []).extend(block.controllers)
        self.permissions.setdefault(name, []).extend(block.permissions)

    def finish(self) -> None:
        """Make lines of what is noted, which counts together wherever it was said."""
        for name, draft in self.drafts.items():
            for pair in self.files[name]:
                for key, value in self._lines(pair, self.files[name]):
                    draft.add("Slice", key, value, pair.origin)
            controllers = [_CONTROLLERS.get(item, item) for item in self.controllers[name]]
            for pair in self.permissions[name] or self.default:
                self._permission(pair, name, list(dict.fromkeys(controllers)))
        for block in self.templates:
            self._template(block)

    def _lines(self, pair: Pair, group: Sequence[Pair]) -> cgroups.Lines:
        try:
            found = cgroups.lines(pair.origin.key, pair.value, {item.origin.key: item.value for item in group})
        except NotCarried as lost:
            self.remarks.append(Remark(pair.origin, lost.reason, lost.instead))
            return []
        return [] if cgroups.is_no_limit(found) else found

    def _template(self, block: Block) -> None:
        """A template is made for whom a rule names: today, what the slices of all users have."""
        for pair in block.pairs:
            for key, value in self._lines(pair, block.pairs):
                reason = "nothing makes groups of a template when a process comes"
                where = f"put [Slice] {key}={value} into {_TEMPLATE}, which counts for each user"
                self.remarks.append(Remark(pair.origin, reason, where))
        for pair in block.permissions:
            if pair.value not in _ROOT_IDS:
                reason = "systemd owns the slice of a user"
                self.remarks.append(Remark(pair.origin, reason, "use 'nsunit delegate USER' for each of them"))

    def _permission(self, pair: Pair, name: str, controllers: list[str]) -> None:
        if pair.value in _ROOT_IDS:
            return
        if not pair.origin.key.endswith("uid"):
            reason = "systemd owns the files of a slice, and lets no others write to them"
            self.remarks.append(Remark(pair.origin, reason, "leave it out"))
            return
        words = " ".join(item for item in controllers if item in ("cpu", "cpuset", "io", "memory", "pids"))
        option = "-t" if pair.origin.key.startswith("task") else "-a"
        reason = "a slice belongs to nobody else; a user has control groups by delegation"
        instead = (
            f"use 'nsunit delegate {pair.value}{' ' + words if words else ''}', or until the next boot"
            f" 'nsunit cgroup create {option} {pair.value} -g {','.join(words.split()) or 'memory'}:{name}'"
        )
        self.remarks.append(Remark(pair.origin, reason, instead))
