"""Templates: which program fills the root of a new container, and with which words it is called."""

from __future__ import annotations

import os

import nsunit
from nsunit.errors import NotFoundError, UsageError
from nsunit.names import printable
from nsunit.record import Record

OWN = "/etc/nsunit/templates.d"
LXC = "/usr/share/lxc/templates"
_COPY = "directory"  # the template that copies one
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_OF_OPTIONS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Template(Record):
    """A *program* with its *options*, `name=value`; *of_lxc*: it is called as LXC calls its own."""

    program: str
    options: tuple[str, ...] = ()
    of_lxc: bool = False

    def words(self, name: str, root: str, place: str) -> list[str]:
        """How it is called to fill the directory *root* of container *name*; LXC's have a config in *place*."""
        if self.of_lxc:
            given = [f"--{option}" for option in self.options]
            return [self.program, f"--path={place}", f"--name={name}", f"--rootfs={root}", *given]
        return [self.program, root, *self.options]


def places() -> tuple[str, str]:
    """Where templates are: the administrator's, then those that come with nsunit."""
    package = os.path.dirname(nsunit.__file__)
    beside = f"{os.path.dirname(package)}/templates/containers"
    return OWN, beside if os.path.isdir(beside) else "/usr/lib/nsunit/templates"


def find(text: str, options: tuple[str, ...]) -> Template:
    """The template that *text* names: a program, `lxc:NAME`, or a directory to be copied.

    Raises:
        NotFoundError: there is none.
        UsageError: it can name none.
    """
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name or not _OF_OPTIONS.issuperset(name) or not value.isprintable():
            raise UsageError(f"'{printable(option)}' is not an option of a template", hint="e.g. suite=trixie")
    if "/" in text:
        source = os.path.abspath(text)
        if not os.path.isdir(source):
            raise NotFoundError(f"the template '{printable(text)}' is not a directory", hint="name one to be copied")
        copy = find(_COPY, ())
        return copy.replace(options=(f"source={source}", *options))
    kind, colon, name = text.rpartition(":")
    if kind not in ("", "lxc") or (colon and not kind) or not name or not _OF_NAMES.issuperset(name) or name[0] in ".-":
        raise UsageError(f"'{printable(text)}' is not the name of a template", hint="see TEMPLATES in nsunit(1)")
    candidates = [f"{LXC}/lxc-{name}"] if kind else [f"{place}/{name}" for place in places()]
    for program in candidates:
        if os.path.isfile(program):
            if not os.access(program, os.X_OK):
                raise UsageError(f"the template '{program}' is no program", hint=f"chmod +x {program}")
            return Template(program, options, of_lxc=bool(kind))
    raise NotFoundError(
        f"there is no template '{printable(text)}'",
        hint="the package 'lxc-templates' has some" if kind else f"there are {', '.join(names()) or 'none'}",
    )


def names() -> list[str]:
    """The names of all templates but LXC's."""
    found = {name for place in places() if os.path.isdir(place) for name in os.listdir(place)}
    return sorted(name for name in found if _OF_NAMES.issuperset(name) and name[0] not in ".-")
