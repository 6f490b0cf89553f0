"""Files of podman's Quadlet, podman-systemd.unit(5), of podman 4.4 to 5.8."""

from __future__ import annotations

from nsunit.imports import unitfiles
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark
from nsunit.imports.podman.target import Names, Target
from nsunit.imports.quadlet import container, others
from nsunit.imports.quadlet.units import Names as Units
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.imports.model import Given
    from nsunit.imports.unitfiles import UnitFile

KINDS = ("container", "pod", "network", "volume", "image", "build", "kube")
_KUBE = ("a pod of Kubernetes's YAML is not read", "write a .container for each container, and a .pod, or definitions")


def convert(given: Given) -> Imported:
    """The definitions that the files of *given* become."""
    units = {unit.name: unit for unit in _units(given)}
    remarks = [remark for unit in units.values() for remark in (*unit.remarks, *_of_other_sections(unit))]
    names = Names()
    services = Units()
    for unit in units.values():
        try:
            _name(unit, names, services, remarks)
        except NotCarried as lost:
            remarks.append(Remark(Origin(unit.path, 0, unit.name), lost.reason, lost.instead))
    drafts: list[Draft] = []
    for unit in units.values():
        kind = unit.name.rpartition(".")[2]
        called = services.names.get(unit.name)
        if kind == "kube":
            remarks.append(Remark(Origin(unit.path, 0, unit.name), *_KUBE))
        if not called or kind not in ("container", "pod", "network"):
            continue
        draft = Draft(called, f"Imported from {unit.path}")
        target = Target(
            draft,
            names,
            user=given.user,
            specifiers=True,
            base=unit.path.rpartition("/")[0],
            read=given.read,
            environ=dict(given.environ),
        )
        if kind == "container":
            container.convert(unit, target, services)
        elif kind == "pod":
            others.pod(unit, target, services)
        else:
            others.network(unit, target)
        remarks += target.remarks
        drafts.append(draft)
    return Imported(tuple(drafts), tuple(dict.fromkeys(remarks)))


def _units(given: Given) -> Iterator[UnitFile]:
    """The unit files, but for instances that are no more than links to their template."""
    texts = dict(given.texts)
    folders = unitfiles.by_folder(given.texts)
    for path, text in given.texts:
        name = path.rpartition("/")[2]
        if name.rpartition(".")[2] not in KINDS:
            continue
        drop_ins = unitfiles.drop_ins_of(name, folders)
        template = _template(path)
        if template and texts.get(template) == text:
            inherited = unitfiles.drop_ins_of(template.rpartition("/")[2], folders)
            if drop_ins == inherited:
                continue
        yield unitfiles.read(path, text, drop_ins)


def _of_other_sections(unit: UnitFile) -> Iterator[Remark]:
    """What is said in sections that nobody reads; [Quadlet] has what nsunit does not add anyway."""
    known = {unit.name.rpartition(".")[2].capitalize(), "Unit", "Service", "Slice", "Timer", "Install", "Quadlet"}
    for item in unit.said:
        if item.section not in known:
            reason = f"there is nothing for a section [{item.section}] here"
            yield Remark(item.origin, reason, "put it into a unit of its own")


def _template(path: str) -> str:
    """The path of the template that *path* is an instance of; empty for others."""
    folder, _, name = path.rpartition("/")
    stem, _, kind = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    return f"{folder}/{prefix}@.{kind}" if at and instance else ""


def _name(unit: UnitFile, names: Names, services: Units, remarks: list[Remark]) -> None:
    """Note what *unit* is called, here and by others."""
    kind = unit.name.rpartition(".")[2]
    called = name_for(unit.stem)
    if kind == "container":
        services.take(unit, called)
        names.containers[unit.name] = called
        own = unit.last("Container", "ContainerName") or f"systemd-{unit.stem}"
        names.containers[own] = called
    elif kind == "pod":
        called = called.replace("-", "_")  # dashes nest groups
        services.take(unit, f"{called}.pod")
        names.pods[unit.name] = called
    elif kind == "network":
        link = others.link_of(unit)
        services.take(unit, "" if link else f"{called}.network")
        names.networks[unit.name] = link or called
        own = unit.last("Network", "NetworkName") or f"systemd-{unit.stem}"
        names.networks[own] = link or called
        if link:
            names.subnets[unit.name] = names.subnets[own] = others.subnets_of_link(unit)
            remarks += others.remarks_of_link(unit)
    elif kind == "volume":
        services.take(unit, "")
        found, lost = others.volume(unit)
        names.volumes[unit.name] = found
        names.volumes[unit.last("Volume", "VolumeName") or f"systemd-{unit.stem}"] = found
        remarks += lost
    elif kind in ("image", "build"):
        services.take(unit, "")
        found, lost = others.image(unit)
        names.images[unit.name] = found
        remarks += lost
    if called != unit.stem and kind in ("container", "pod", "network"):
        remarks.append(Remark(Origin(unit.path, 0, unit.name), f"its name here is '{called}'", "use that with nsunit"))
