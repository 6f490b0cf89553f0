"""Bundles of OCI runtimes, config.json of the runtime specification, 1.0 to 1.3."""

from __future__ import annotations

import json

from nsunit.imports.bundle.resources import RESOURCES
from nsunit.imports.bundle.table import HANDLERS, IN, finish, nothing_said
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.model import Given

_ALL = {**HANDLERS, **{f"linux.resources.{key}": handler for key, handler in RESOURCES.items()}}


def convert(given: Given) -> Imported:
    """The definitions of the bundles whose config.json *given* has."""
    drafts: list[Draft] = []
    remarks: list[Remark] = []
    for path, text in given.texts:
        folder, _, file = path.rpartition("/")
        wanted = given.name or (folder.rpartition("/")[2] if file == "config.json" else file.removesuffix(".json"))
        try:
            name = name_for(wanted)
            config = _read(text)
        except NotCarried as lost:
            remarks.append(Remark(Origin(path, 0, "file"), lost.reason, lost.instead))
            continue
        target = Target(Draft(name, f"Imported from {path}"), user=given.user, base=folder)
        _take(target, path, "", config)
        nothing_said(target, config, path)
        finish(target)
        if name != wanted:
            target.origin = Origin(path, 0, wanted)
            target.remark(f"its name here is '{name}'", "use that with nsunit")
        drafts.append(target.draft)
        remarks += target.remarks
    return Imported(tuple(drafts), tuple(dict.fromkeys(remarks)))


def _read(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise NotCarried(f"it is not JSON: {error}", "name the config.json of a bundle") from None
    if not isinstance(config, dict) or not isinstance(config.get("process"), dict) or "root" not in config:
        raise NotCarried("it has no process, or no root", "name the config.json of a bundle, as 'runc spec' writes it")
    return config


def _take(target: Target, path: str, prefix: str, values: dict[str, Any]) -> None:
    """Take each of *values*, below *prefix*: those of IN one by one."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if value is None or value in ([], {}, ""):
            continue
        target.origin = Origin(path, 0, name)
        handler = _ALL.get(name)
        try:
            if name in IN:
                if not isinstance(value, dict):
                    raise NotCarried("it is not an object", "see the runtime specification")
                _take(target, path, f"{name}.", value)
            elif handler is not None:
                handler(target, value)
            else:
                raise NotCarried("nsunit does not know it", "leave it out")
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
        except (TypeError, KeyError, AttributeError, ValueError):
            target.remark("it is not what the specification says", "see config.md of the runtime specification")
