"""Unit files as text, from the templates: the only place that loads Jinja2."""

from __future__ import annotations

import functools
import os

import jinja2

import nsunit
from nsunit.definition.load import unit_text_value
from nsunit.definition.setting import lookup
from nsunit.plan.disks import disk_directives
from nsunit.plan.units import GONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.definition.model import Definition
    from nsunit.plan.units import Directive


def templates_directory() -> str:
    """Where the templates are: in the installed package, or beside it in a source tree."""
    package = os.path.dirname(nsunit.__file__)
    installed = package + "/templates"
    return installed if os.path.isdir(installed) else os.path.dirname(package) + "/templates"


def render_unit(
    description: str,
    definition: Definition,
    directives: Sequence[Directive],
    sections: Sequence[str],
    systemd_version: int,
) -> str:
    """The text of one unit: nsunit's own *directives*, and over them the definition's *sections*."""
    # systemd warns of such a key in every file, at every reload.
    gone = [key for key, version in GONE.items() if systemd_version >= version]
    lines: dict[str, list[tuple[str, str]]] = {}
    for item in (*directives, *disk_directives(definition, sections)):
        lines.setdefault(item.section, []).append((item.key, item.text.replace("%", "%%")))
    for section in sections:
        for key, text in definition.texts_of(section):
            setting = lookup(section, key)
            assert setting is not None, f"a checked definition has the unknown key {key}"
            lines.setdefault(section, []).append((key, unit_text_value(setting, text)))
    lines = {name: [line for line in found if line[0] not in gone] for name, found in lines.items()}
    return fill("unit.j2", description=description, sources=definition.sources, sections=lines)


def render_drop_in(
    headline: str, name: str, sources: Sequence[str], section: str, directives: Sequence[tuple[str, str]]
) -> str:
    """The text of a drop-in: *directives* of one *section*, already escaped, for the unit of container *name*."""
    return fill("dropin.j2", headline=headline, name=name, sources=sources, section=section, directives=directives)


def render_delegation(user: str, controllers: Sequence[str]) -> str:
    """The text of the drop-in of user@.service that delegates *controllers* to *user*."""
    return fill("delegate.conf.j2", user=user, controllers=controllers)


def fill(template: str, escape: bool = False, **values: object) -> str:
    """Fill a template with *values*, which *escape* makes text of XML."""
    return _environment(escape).get_template(template).render(values)


@functools.cache  # it keeps the templates, which take as long to compile as all else of a unit file
def _environment(escape: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_directory()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=escape,  # not of unit files: unit_text_value has escaped what systemd would expand
    )
