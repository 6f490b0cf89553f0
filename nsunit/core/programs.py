"""Programs of the host that features need."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError

SOCKET_PROXY = "/usr/lib/systemd/systemd-socket-proxyd"


def find_socket_proxy(name: str, key: str, instead: str) -> str:
    """The program systemd-socket-proxyd(8), which *key* of container *name* needs.

    Raises:
        NsunitError: it is not installed; the hint says what to do *instead*.
    """
    if os.access(SOCKET_PROXY, os.X_OK):
        return SOCKET_PROXY
    raise NsunitError(
        f"{name}: {key}= needs '{SOCKET_PROXY}' here, which is not installed",
        hint=f"it belongs to systemd: see that the package is complete, or {instead}",
    )


def directory_with(programs: tuple[str, ...]) -> str:
    """The first directory of $PATH, or of the usual ones, in which all of *programs* are; empty if there is none."""
    for directory in (*os.environ.get("PATH", "").split(":"), *_DIRECTORIES):
        if directory.startswith("/") and all(os.access(f"{directory}/{name}", os.X_OK) for name in programs):
            return directory
    return ""


_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/bin")
