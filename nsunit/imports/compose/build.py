"""`build:` of a service: the command that makes the image."""

from __future__ import annotations

import shlex

from nsunit.imports.compose.values import pairs, text_of
from nsunit.imports.model import NotCarried
from nsunit.imports.run import whole_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from nsunit.imports.compose.project import Project
    from nsunit.imports.compose.service import Service


def build(service: Service, value: Any) -> None:
    """Tell how the image is made, and what of *value* is not in that command."""
    project = service.project
    said_image = str(service.data.get("image") or f"localhost/{project.name}-{service.name}")
    image = whole_name(said_image, project.given)  # what 'build -t' makes of a short name is another one
    said = dict(value) if isinstance(value, dict) else {"context": value}
    context = location(str(said.pop("context", None) or "."), project.base, project)
    words = ["nsunit", "build", "-t", image, *(f"-t={name}" for name in said.pop("tags", None) or ())]
    if file := said.pop("dockerfile", None):
        words += ["-f", location(str(file), context, project)]
    if target := said.pop("target", None):
        words += ["--target", str(target)]
    for name, text in pairs(said.pop("args", None)):
        words.append(f"--build-arg={name}" if text is None else f"--build-arg={name}={text_of(text)}")
    words += [f"--secret={text}" for text in _secrets(project, said)]
    if said.pop("no_cache", None) is True:
        words.append("--no-cache")
    if said.pop("pull", None) is True:
        words.append("--pull=always")
    for key in said:
        if not key.startswith("x-"):
            service.at("build", key)
            service.target.remark("it is not in the command that builds the image", "see buildah-build(1)")
    service.at("build")
    raise NotCarried("nsunit does not build it at a start", shlex.join([*words, context]))


def location(text: str, base: str, project: Project) -> str:
    """The absolute path of a directory or file below *base*, or an address as it is."""
    is_address = "://" in text or text.startswith(("git@", "github.com/"))
    return text if is_address else project.absolute(text, base)


def _secrets(project: Project, said: dict[str, Any]) -> Iterator[str]:
    """Those that are files; *said* keeps the others."""
    rest = []
    for item in said.pop("secrets", None) or []:
        name = str(item.get("source")) if isinstance(item, dict) else str(item)
        file = ((project.data.get("secrets") or {}).get(name) or {}).get("file")
        if not file:
            rest.append(item)
            continue
        called = str(item.get("target") or name) if isinstance(item, dict) else name
        yield f"id={called},src={project.absolute(str(file))}"
    if rest:
        said["secrets"] = rest
