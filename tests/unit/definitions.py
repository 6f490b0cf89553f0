"""What tests of definitions share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nsunit.definition.load import Host, load_text
from nsunit.definition.model import Container, Definition
from nsunit.errors import DefinitionError, Problem

BASE = "Rootfs=/srv/r\nExec=/bin/sh\n"


def container(lines: str, base: str = BASE) -> Container:
    """The container `web` with these *lines* in its [Container]."""
    return load_text("web", f"[Container]\n{base}{lines}\n", "web.nsunit", Host(257)).container


def definition(*lines: str, name: str = "web") -> Definition:
    """The definition of a container whose root stays as it is, with these *lines* in its [Container], or after it."""
    text = "\n".join(("[Container]", "Rootfs=/srv/r", "ReadOnly=yes", "Exec=/bin/sh", *lines, ""))
    return load_text(name, text, f"{name}.nsunit", Host(257))


def problems_of(call: Callable[[], object]) -> list[Problem]:
    """The problems of the definition that *call* finds mistakes in."""
    with pytest.raises(DefinitionError) as caught:
        call()
    return caught.value.problems


def problems(lines: str, base: str = BASE) -> list[tuple[str, str | None]]:
    """Message, without the section, and hint of each problem of that container."""
    found = problems_of(lambda: container(lines, base))
    return [(item.message.removeprefix("[Container] "), item.hint) for item in found]


def problem(lines: str, base: str = BASE) -> tuple[str, str | None]:
    """The same of the only one."""
    (found,) = problems(lines, base)
    return found
