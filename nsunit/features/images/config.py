"""The config of an image, which is somebody else's: what of it is taken, and checked.  Pure.

Only what its program is and how it is started counts.  Labels and annotations never become properties of a unit.
"""

from __future__ import annotations

from nsunit.definition.signals import signal_number
from nsunit.definition.words import ValueProblem
from nsunit.errors import NsunitError
from nsunit.features.health.keys import LONGEST, SHORTEST
from nsunit.features.images.layout import Image
from nsunit.features.volumes.values import image_target
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_VOLUMES_MAX = 256
_STRINGS_MAX = 1 << 20  # characters of a command, or of the environment: execve(2) takes about that
MACHINES = {
    "x86_64": ("amd64",),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386",),
    "ppc64le": ("ppc64le",),
    "riscv64": ("riscv64",),
    "s390x": ("s390x",),
    "loongarch64": ("loong64",),
}


def platform_of(machine: str, wanted: str = "") -> tuple[str, ...]:
    """System, architecture and perhaps variant of *wanted*, `linux/arm64`, or else of the *machine* of uname(2).

    Raises:
        NsunitError: *wanted* is no platform.
    """
    if not wanted:
        return ("linux", *MACHINES.get(machine, (machine,)))
    parts = tuple(wanted.split("/"))
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isalnum() for part in parts):
        hint = "SYSTEM/ARCHITECTURE[/VARIANT], e.g. linux/arm64"
        raise NsunitError(f"'{printable(wanted)}' is not a platform", hint=hint)
    return parts


def image_of(identity: str, layers: tuple[str, ...], document: Any, warn: Callable[[str], object]) -> Image:
    """What a start takes from the config *document*; *warn* hears what is left out.

    Raises:
        NsunitError: something in it cannot be what it should.
    """
    config = document.get("config") if isinstance(document, dict) else None
    config = config if isinstance(config, dict) else {}
    user, _, group = _string(config, "User").partition(":")
    return Image(
        identity,
        layers,
        _strings(config, "Entrypoint"),
        _strings(config, "Cmd"),
        tuple(_environment(_strings(config, "Env"), warn).items()),
        _account(user, "user"),
        _account(group, "group"),
        _directory(_string(config, "WorkingDir")),
        _signal(_string(config, "StopSignal"), warn),
        _volumes(config.get("Volumes"), warn),
        _healthcheck(config.get("Healthcheck"), warn),
    )


def _volumes(found: object, warn: Callable[[str], object]) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, dict) or len(found) > _VOLUMES_MAX:
        raise NsunitError(f"config: Volumes is not an object of at most {_VOLUMES_MAX} paths")
    targets: dict[str, None] = {}
    for text in found:
        try:
            targets[image_target(text)] = None
        except ValueProblem:
            warn(f"the volume '{printable(text[:100])}' of its config is left out: there can be none")
    return tuple(targets)


_TIMES = {
    "Interval": "interval",
    "Timeout": "timeout",
    "StartPeriod": "start_period",
    "StartInterval": "start_interval",
}


def _healthcheck(found: Any, warn: Callable[[str], object]) -> tuple[tuple[str, object], ...]:
    """How the image is checked; what cannot be meant is told of and left out, as a container runs without it."""
    if not isinstance(found, dict):
        return ()
    try:
        kind, *words = _strings(found, "Test") or ("NONE",)
    except NsunitError as error:
        warn(f"the Healthcheck of its config is left out: {error}")
        return ()
    command = {"CMD": tuple(words), "CMD-SHELL": ("/bin/sh", "-c", *words[:1]) if words else ()}.get(kind, ())
    if not command:
        if kind != "NONE":
            warn(f"the Healthcheck of its config is left out: '{printable(kind[:40])}' is no kind of command")
        return ()
    times: list[tuple[str, object]] = []
    for key, field in _TIMES.items():
        value = found.get(key)
        if isinstance(value, int) and value > 0:  # nanoseconds; 0 is what is usual
            times.append((field, min(max(value // 1000, SHORTEST), LONGEST)))
    retries = found.get("Retries")
    if isinstance(retries, int) and retries > 0:
        times.append(("retries", min(retries, 1000)))
    return (("command", command), *times)


def _string(config: dict[str, Any], key: str) -> str:
    found = config.get(key)
    if found is None:
        return ""
    if not isinstance(found, str) or "\0" in found:
        raise NsunitError(f"config: {key} is not a text")
    return found


def _strings(config: dict[str, Any], key: str) -> tuple[str, ...]:
    found = config.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(item, str) and "\0" not in item for item in found):
        raise NsunitError(f"config: {key} is not a list of texts")
    if sum(map(len, found)) > _STRINGS_MAX:
        raise NsunitError(f"config: {key} is longer than a program can be given")
    return tuple(found)


def _environment(assignments: Sequence[str], warn: Callable[[str], object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        # Without a value, engines took that of the host (CVE-2026-57231).
        if not equals or not name or not name.isprintable() or " " in name:
            warn(f"the variable '{printable(assignment[:100])}' of its config is left out: it is not NAME=VALUE")
            continue
        found[name] = value
    return found


def _account(text: str, what: str) -> str:
    allowed = "-_."
    if not all(letter.isascii() and (letter.isalnum() or letter in allowed) for letter in text) or text[:1] == "-":
        raise NsunitError(f"config: User: '{printable(text[:100])}' is not a {what}")
    return text


def _directory(text: str) -> str:
    if not text:
        return ""
    if not text.startswith("/") or len(text) > 4095:
        raise NsunitError(f"config: WorkingDir: '{printable(text[:100])}' is not an absolute path")
    return text


def _signal(text: str, warn: Callable[[str], object]) -> int:
    if not text:
        return 0
    try:
        return signal_number(text)
    except ValueProblem:
        warn(f"the StopSignal '{printable(text[:40])}' of its config is left out: there is no such signal")
        return 0
