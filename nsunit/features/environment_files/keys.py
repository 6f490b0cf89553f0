"""`EnvironmentFile=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import absolute_path
from nsunit.definition.words import wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row


class EnvironmentFile(Record):
    """One `EnvironmentFile=`, a path on the host.  *optional*: a missing file is skipped (a leading `-`)."""

    path: str
    optional: bool


def environment_file(text: str) -> EnvironmentFile:
    """`[-]PATH` on the host."""
    path = absolute_path(text.removeprefix("-"))
    if any(char in path for char in "*?["):
        raise wrong(text, "has wildcards", "name each file in an assignment of its own")
    return EnvironmentFile(path, text.startswith("-"))


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "EnvironmentFile": own(environment_file, True, "[-]PATH", "File on the host with variables.", "-/etc/app.env"),
    }
}


def of(container: Container) -> tuple[EnvironmentFile, ...]:
    """The files of *container*."""
    found: tuple[EnvironmentFile, ...] = container.extra("environment_files", ())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note them."""
    fields["extras"]["environment_files"] = tuple(value for key, value in values if key == "EnvironmentFile")
