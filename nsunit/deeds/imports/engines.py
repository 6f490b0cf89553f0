"""What podman and docker tell of a container of theirs."""

from __future__ import annotations

import json
import shutil
import subprocess

from nsunit.errors import NotFoundError, NsunitError
from nsunit.names import printable

ENGINES = ("podman", "docker")
_SECONDS = 60


def inspect(name: str) -> list[tuple[str, str]]:
    """What the engine that has the container *name* tells of it, and of its image: JSON, each with who says so.

    Raises:
        NotFoundError: none has it.
        NsunitError: there is no engine.
    """
    if name.startswith("-"):
        raise NotFoundError(f"'{printable(name)}' is not the name of a container", hint="name one of podman or docker")
    there = [engine for engine in ENGINES if shutil.which(engine)]
    if not there:
        raise NsunitError("neither podman nor docker is installed", hint="--from-container asks them")
    for engine in there:
        text = _ask(engine, "container", name)
        if text is not None:
            image = str(json.loads(text)[0].get("Image", ""))
            return [(f"{engine} inspect {name}", text), (f"{engine} inspect", _ask(engine, "image", image) or "[]")]
    raise NotFoundError(
        f"no container '{printable(name)}' in {' or '.join(there)}", hint=f"'{there[0]} ps -a' lists them"
    )


def _ask(engine: str, kind: str, name: str) -> str | None:
    """What 'inspect' prints of one thing; None where it is not there."""
    try:
        done = subprocess.run(
            [engine, kind, "inspect", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NsunitError(f"{engine} does not answer", hint=f"see '{engine} info'") from None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
