"""`env_file:` of a service: files that stay where they are, where they mean the same here, or their variables."""

from __future__ import annotations

from nsunit.features.environment_files.syntax import Reader
from nsunit.imports.compose import variables
from nsunit.imports.compose.values import pairs
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.compose.service import Service


def environment_files(service: Service, value: Any) -> None:
    """The files of *value* as EnvironmentFile=, or what is in them as Environment=.

    A variable of a file counts before Environment= here and behind `environment:` there, and there variables are
    replaced in values, and comments end them.  So where a reading of their own is needed, values become lines.
    """
    items = [
        item if isinstance(item, dict) else {"path": item} for item in (value if isinstance(value, list) else [value])
    ]
    said = {name for name, _ in pairs(service.data.get("environment"))}
    found: dict[str, str] = {}
    same = True
    for item in items:
        text = service.project.given.read(service.project.absolute(str(item["path"]))) or ""
        before = {**service.project.environ, **found}
        there = raw(text) if item.get("format") == "raw" else variables.environment_file(text, before)
        here = {assignment.name: assignment.value for assignment in Reader(text).assignments}
        same = same and here == there and not said & there.keys()
        found |= there
    for item in items:
        path = service.project.absolute(str(item["path"]))
        is_there = service.project.given.read(path) is not None
        if same or not (is_there or item.get("required") is False):
            service.target.plain("EnvironmentFile", f"-{path}" if item.get("required") is False else path)
    if same:
        return
    for name, text in found.items():
        if name not in said:
            service.target.words("Environment", f"{name}={text}")
    raise NotCarried(
        "its variables stand in the definition, which all can read, since systemd reads the file otherwise",
        "import it again when the file changes, or write values without variables and comments",
    )


def raw(text: str) -> dict[str, str]:
    """The variables of a file whose values are all that stands behind the sign."""
    lines = [line for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#")]
    return {name.strip(): value for name, _, value in (line.partition("=") for line in lines)}
