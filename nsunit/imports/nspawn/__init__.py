"""Machines of systemd-nspawn: .nspawn files, units of systemd-nspawn@.service, trees, command lines, .mstack."""

from __future__ import annotations

from nsunit.imports import unitfiles
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark, Unusable
from nsunit.imports.nspawn import root
from nsunit.imports.nspawn.options import Said, merge, of_settings, parse, trusted
from nsunit.imports.nspawn.table import finish, option, prepare
from nsunit.imports.nspawn.unit import UNIT, command_of, keys_of_unit
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.model import Given
    from nsunit.imports.unitfiles import Folders, UnitFile

PLACES = ("/etc/systemd/nspawn", "/run/systemd/nspawn")
_EXAMPLE = "e.g. nsunit import nspawn -- systemd-nspawn -bD /var/lib/machines/debian"


class Machine:
    """One machine: its .nspawn files, the nearest first, its unit, and its tree, as far as they were found."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: list[tuple[str, str]] = []
        self.unit: UnitFile | None = None
        self.tree = ""
        self.is_command = False

    def trusts(self, path: str) -> bool:
        """Whether all counts that its file *path* says: systemd-nspawn(1), --settings=.

        A file that nobody has named is one beside the image, and so is one in the directory of its tree.
        """
        folder = path.rpartition("/")[0]
        if folder in PLACES:
            return True
        is_beside = self.tree.rstrip("/").rpartition("/")[0] == folder if self.tree else False
        return not (self.is_command or is_beside) and trusted(path)

    @property
    def path(self) -> str:
        """Where it comes from."""
        if self.files:
            return self.files[0][0]
        return self.unit.path if self.unit and self.unit.said else self.tree


def convert(given: Given) -> Imported:
    """The definitions of the machines that files, units and trees of *given* are about, or of its command line."""
    if not given.texts:
        return _of_command(given)
    drafts: list[Draft] = []
    remarks: list[Remark] = []
    for machine in _machines(given):
        unit = machine.unit or UNIT
        try:
            words = command_of(unit, machine.name)
            found = _definition(given, machine, *words)
        except NotCarried as error:
            remarks.append(Remark(Origin(machine.path, 0, machine.name), error.reason, error.instead))
            continue
        drafts += found.drafts
        remarks += found.remarks
    networks = {draft.name: draft for draft in drafts if draft.name.endswith(".network")}
    machines = [draft for draft in drafts if draft.name not in networks]
    return Imported((*machines, *networks.values()), tuple(dict.fromkeys(remarks)))


def _of_command(given: Given) -> Imported:
    words = list(given.arguments)
    if not words or not words[0].endswith("systemd-nspawn"):
        raise Unusable(Origin("command line", 0, "COMMAND"), "it is none of systemd-nspawn", _EXAMPLE)
    said, rest = parse(words[1:], "systemd-nspawn")
    options = {item.option: item for item in said}
    name = given.name or (options["machine"].value if "machine" in options else "")
    for key in ("directory", "image", "mstack", "template", "oci-bundle"):
        if not name and key in options:
            name = options[key].value.rstrip("/").rpartition("/")[2].removesuffix(".raw").removesuffix(".mstack")
    base = dict(given.environ).get("PWD", "/")
    machine = Machine(name or base.rpartition("/")[2])
    machine.is_command = True
    settings = options["settings"].value if "settings" in options else "yes"
    if settings not in ("no", "false", "0"):
        _read_settings(given, machine, options)
    try:
        return _definition(given, machine, said, rest)
    except NotCarried as error:
        raise Unusable(Origin("systemd-nspawn", 0, machine.name), error.reason, error.instead) from None


def _read_settings(given: Given, machine: Machine, options: dict[str, Said]) -> None:
    """The .nspawn file that systemd-nspawn would read of it."""
    base = dict(given.environ).get("PWD", "/").rstrip("/")
    roots = [options[key].value.rstrip("/") for key in ("directory", "image") if key in options]
    roots = [path if path.startswith("/") else f"{base}/{path}" for path in roots]
    for place in dict.fromkeys((*PLACES, *(path.rpartition("/")[0] for path in roots), "/var/lib/machines")):
        path = f"{place}/{machine.name}.nspawn"
        if text := given.read(path):
            machine.files.append((path, text))


def _machines(given: Given) -> list[Machine]:
    found: dict[str, Machine] = {}
    folders = unitfiles.by_folder(given.texts)

    def of(name: str) -> Machine:
        return found.setdefault(name, Machine(name))

    for path, text in given.texts:
        name = path.rstrip("/").rpartition("/")[2]
        if name.endswith(".nspawn") and not path.endswith("/"):
            of(name.removesuffix(".nspawn")).files.append((path, text))
        elif path.endswith(("/", ".raw")):
            of(name.removesuffix(".raw").removesuffix(".mstack")).tree = path
    units = {path.rpartition("/")[2]: (path, text) for path, text in given.texts if path.endswith(".service")}
    for unit in (*units, *(folder.removesuffix(".d") for folder in folders)):
        name = unit.removesuffix(".service").partition("@")[2]
        if unit.startswith("systemd-nspawn@") and unit.endswith(".service") and name:
            of(name)
    for machine in found.values():
        machine.files.sort(key=lambda item: _rank(item[0]))
        machine.unit = _unit(machine.name, units, folders)
    return list(found.values())


def _rank(path: str) -> int:
    folder = path.rpartition("/")[0]
    return PLACES.index(folder) if folder in PLACES else len(PLACES)


def _unit(name: str, units: dict[str, tuple[str, str]], folders: Folders) -> UnitFile | None:
    full = f"systemd-nspawn@{name}.service"
    path, text = units.get(full) or units.get("systemd-nspawn@.service") or (full, "")
    drop_ins = unitfiles.drop_ins_of(full, folders)
    return unitfiles.read(path, text, drop_ins) if text or drop_ins else None


def _definition(given: Given, machine: Machine, said: Sequence[Said], words: Sequence[str]) -> Imported:
    """The definition of *machine*, whose command line is *said*, with *words* behind it.

    Raises:
        NotCarried: no container can be made of it.
    """
    name = name_for(given.name or machine.name)
    target = Target(
        Draft(name, f"Imported from {machine.path or 'systemd-nspawn'}"),
        user=given.user,
        base=dict(given.environ).get("PWD", "/"),
        read=given.read,
        environ=dict(given.environ),
    )
    wanted = next((item.value for item in reversed(said) if item.option == "settings"), "yes")
    settings: list[Said] = []
    for path, text in machine.files[:1] if wanted not in ("no", "false", "0") else ():
        unit = unitfiles.read(path, text)
        target.remarks += unit.remarks
        settings = of_settings(unit, target)
        if not machine.trusts(path) and wanted != "trusted":
            settings = _without_privileges(settings, target)
    for path, _ in machine.files[1:]:
        target.remarks.append(
            Remark(Origin(path, 0, "file"), f"{machine.files[0][0]} counts in its place", "remove one of them")
        )
    options, words = merge(said, settings, words, override=wanted == "override")
    prepare(target, options)
    root.choose(target, given, machine.name, machine.tree, options)
    for item in options:
        target.origin = item.origin
        try:
            option(target, item.option, item.value)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    networks = finish(target, options, words)
    if machine.unit:
        keys_of_unit(machine.unit, target)
    if name != machine.name and not given.name:
        target.origin = Origin(machine.path, 0, machine.name)
        target.remark(f"its name here is '{name}'", "use that with nsunit")
    return Imported((target.draft, *networks), tuple(target.remarks))


def _without_privileges(settings: list[Said], target: Target) -> list[Said]:
    kept = []
    for item in settings:
        if item.is_privileged:
            target.origin = item.origin
            target.remark(
                "a file beside an image may not say that, systemd.nspawn(5)", f"move it to {PLACES[0]}, if it is to"
            )
        else:
            kept.append(item)
    return kept
