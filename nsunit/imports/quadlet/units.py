"""Sections of systemd's, verbatim but for the names of units that Quadlet would have made."""

from __future__ import annotations

import re

from nsunit.definition.values_container import arguments
from nsunit.definition.words import ValueProblem
from nsunit.names import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target
    from nsunit.imports.unitfiles import Said, UnitFile

_RELATIONS = frozenset(
    "After Before BindsTo Conflicts OnFailure OnSuccess PartOf PropagatesReloadTo PropagatesStopTo ReloadPropagatedFrom"
    " Requires Requisite StopPropagatedFrom Upholds Wants WantedBy RequiredBy UpheldBy".split()
)
_SUFFIXES = {"container": "", "kube": ""}
_SECTIONS = {"container": "Container", "image": "Image", "build": "Build", "pod": "Pod", "volume": "Volume"}
_SECTIONS |= {"network": "Network", "kube": "Kube"}


class Names:
    """What the units are called that Quadlet would have made, and what there is here in their place.

    `names` has the names of definitions by those of files, `services` the same by the names of Quadlet's services;
    empty where nsunit has no unit for it.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.services: dict[str, str] = {}

    def take(self, unit: UnitFile, called: str) -> None:
        """Note that the definition of *unit* is *called* that."""
        kind = unit.name.rpartition(".")[2]
        self.names[unit.name] = called
        own = unit.last(_SECTIONS[kind], "ServiceName").removesuffix(".service")
        service = own or unit.stem + _SUFFIXES.get(kind, f"-{kind}")
        self.services[f"{service}.service"] = called

    def of_unit(self, text: str) -> str | None:
        """The unit of nsunit's for a unit, or a file of Quadlet's; None for any other, empty where there is none."""
        for known in (self.names, self.services):
            if text in known:
                return service_name(known[text]) if known[text] else ""
        stem, dot, kind = text.rpartition(".")
        prefix, at, instance = stem.partition("@")
        if at and instance and kind in ("container", "service"):
            for known in (self.names, self.services):
                if template := known.get(f"{prefix}@.{kind}"):
                    return service_name(template + instance)
        return None


def expanded(target: Target, item: Said) -> Said:
    """*item* as podman is given it: Quadlet puts it on a command line, where `$` is systemd's, systemd.service(5)."""

    def plain(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        target.remark(f"'{found[0]}' is a variable of systemd's there, and is text here", "write its value")
        return found[0]

    try:
        alone = [word for word in arguments(item.value) if re.fullmatch(r"\$[A-Za-z_]\w*", word)]
    except ValueProblem:  # it is no list of words
        alone = []
    for word in alone:
        target.remark(f"'{word}' is any number of words of systemd's there, and is text here", "write them")
    return item.replace(value=re.sub(r"\$\$|\$\{\w+\}", plain, item.value))


def systemds(unit: UnitFile, target: Target, services: Names, *, but: tuple[str, ...] = ()) -> None:
    """Take over [Unit], [Service], [Slice], [Timer] and [Install] of *unit*, but for the keys *but*."""
    for section in ("Unit", "Service", "Slice", "Timer", "Install"):
        for item in unit.section(section):
            target.origin = item.origin
            if item.key in but:
                continue
            if item.key in _RELATIONS:
                _relation(item, target, services)
            else:
                target.say(item.key, item.value, section)
                if item.key.startswith("Exec") and "podman" in item.value:
                    target.remark("it is carried over, and still calls podman", "call nsunit there")


def _relation(item: Said, target: Target, services: Names) -> None:
    found = []
    for word in item.value.split():
        other = services.of_unit(word)
        if other == "":
            target.remark(f"'{word}' is no unit here", "leave it out, what it is about is made at a start")
        else:
            # A backslash in a unit's name is an escape of systemd's; a percent sign in the file is a specifier.
            found.append(other.replace("%", "%%") if other else word)
    if found:
        target.say(item.key, " ".join(found), item.section)
