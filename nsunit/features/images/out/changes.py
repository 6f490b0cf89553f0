"""The config of an image that is made of another one, or of a container: a further layer, and what is to be different.

Pure.  The instructions are those of a Containerfile that 'podman commit --change' takes.
"""

from __future__ import annotations

import json
import posixpath
import shlex

from nsunit.errors import UsageError
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from nsunit.definition.model import Container

    Config = dict[str, Any]


class Told(Record):
    """What the history tells of a layer."""

    created: str
    by: str
    author: str = ""
    message: str = ""


def config_of(container: Container, platform: Sequence[str]) -> dict[str, Any]:
    """The document of an image without layers as yet that is run as *container* is."""
    architecture, variant = platform[1], platform[2] if len(platform) > 2 else ""
    user = ":".join(part for part in (container.user, container.group) if part)
    config = {
        "Cmd": list(container.exec),
        "Env": [f"{name}={value}" for name, value in container.environment],
        "User": user,
        "WorkingDir": container.working_directory or "",
    }
    return {
        "architecture": architecture,
        **({"variant": variant} if variant else {}),
        "os": "linux",
        "config": {key: value for key, value in config.items() if value},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [],
    }


def with_layers(document: dict[str, Any], diffs: Sequence[str], told: Sequence[Told]) -> dict[str, Any]:
    """*document* with the layers *diffs* on top of those it has, and what is *told* of each."""
    rootfs = document.get("rootfs") or {}
    below = list(rootfs.get("diff_ids") or ())
    history = list(document.get("history") or ())
    if not history:
        history = [{} for _ in below]
    entries = [
        {"created": item.created, "created_by": item.by, "author": item.author, "comment": item.message}
        for item in told
    ]
    return {
        **document,
        "created": told[-1].created,
        **({"author": told[-1].author} if told[-1].author else {}),
        "rootfs": {"type": "layers", "diff_ids": [*below, *(f"sha256:{diff}" for diff in diffs)]},
        "history": [*history, *({key: value for key, value in entry.items() if value} for entry in entries)],
    }


def with_diffs(document: dict[str, Any], diffs: Sequence[str]) -> dict[str, Any]:
    """*document*, whose layers have the digests *diffs* now."""
    return {**document, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}" for diff in diffs]}}


def without_top(document: dict[str, Any], count: int) -> dict[str, Any]:
    """*document* without its *count* topmost layers, and without what is told of them and of all that came later."""
    kept = len(document["rootfs"]["diff_ids"]) - count
    told = [entry for entry in document.get("history") or () if isinstance(entry, dict)]
    history = []
    left = kept
    for entry in told:
        left -= not entry.get("empty_layer")
        if left < 0:
            break
        history.append(entry)
    if left > 0:
        history = []  # it did not tell of all
    created = next((entry["created"] for entry in history[::-1] if entry.get("created")), None)
    found = with_diffs(document, [item.removeprefix("sha256:") for item in document["rootfs"]["diff_ids"][:kept]])
    found |= {"history": history} if history else {}
    if not history:
        found.pop("history", None)
    return found | ({"created": created} if created else {})


def dumped(document: dict[str, Any]) -> bytes:
    """*document* as a file, the same bytes for the same document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogateescape"
    )


def changed(document: dict[str, Any], instructions: Sequence[str]) -> dict[str, Any]:
    """*document* with what the *instructions* say, `KEY value` or `KEY=value`.

    Raises:
        UsageError: one of them makes no sense.
    """
    config = dict(document.get("config") or {})
    for text in instructions:
        key, value = _parted(text)
        change = _INSTRUCTIONS.get(key)
        if change is None or not value:
            hint = f"one of {', '.join(_INSTRUCTIONS)}, a blank, and its value"
            raise UsageError(f"'{printable(text)}' is no change of an image", hint=hint)
        try:
            change(config, value)
        except ValueError as error:
            raise UsageError(f"'{printable(text)}': {error}", hint="as in a Containerfile") from None
    return {**document, "config": config}


def _parted(text: str) -> tuple[str, str]:
    length = next((place for place, letter in enumerate(text) if letter in " ="), len(text))
    return text[:length].strip().upper(), text[length + 1 :].strip()


def _command(key: str) -> Callable[[Config, str], None]:
    def change(config: Config, value: str) -> None:
        words = _list(value)
        config[key] = ["/bin/sh", "-c", value] if words is None else words

    return change


def _list(value: str) -> list[str] | None:
    if not value.startswith("["):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        raise ValueError("it is no list of texts") from None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("it is no list of texts")
    return found


def _pairs(value: str) -> list[tuple[str, str]]:
    first, blank, rest = value.partition(" ")
    if blank and "=" not in first:
        return [(first, rest.strip())]
    found = [(name, text) for name, _, text in (word.partition("=") for word in shlex.split(value))]
    if not all(name for name, _ in found):
        raise ValueError("it is not NAME=VALUE")
    return found


def _environment(config: Config, value: str) -> None:
    pairs = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    config["Env"] = [f"{name}={text}" for name, text in (pairs | dict(_pairs(value))).items()]


def _labels(config: Config, value: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(value))}


def _ports(config: Config, value: str) -> None:
    found: Config = {}
    for word in value.split():
        port, _, protocol = word.partition("/")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"'{printable(word)}' is not a port")
        found[f"{port}/{protocol or 'tcp'}"] = {}
    config["ExposedPorts"] = {**(config.get("ExposedPorts") or {}), **found}


def _volumes(config: Config, value: str) -> None:
    words = _list(value)
    config["Volumes"] = {
        **(config.get("Volumes") or {}),
        **{path: {} for path in (value.split() if words is None else words)},
    }


def _text(key: str) -> Callable[[Config, str], None]:
    def change(config: Config, value: str) -> None:
        config[key] = value

    return change


def _directory(config: Config, value: str) -> None:
    config["WorkingDir"] = posixpath.join("/", config.get("WorkingDir") or "", value)


_INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _command("Cmd"),
    "ENTRYPOINT": _command("Entrypoint"),
    "ENV": _environment,
    "EXPOSE": _ports,
    "LABEL": _labels,
    "STOPSIGNAL": _text("StopSignal"),
    "USER": _text("User"),
    "VOLUME": _volumes,
    "WORKDIR": _directory,
}
