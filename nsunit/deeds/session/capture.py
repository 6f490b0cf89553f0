"""`capture`: the host's tcpdump on the interfaces of a container."""

from __future__ import annotations

import os

from nsunit.core.running import find_running, just_ended, thread_of
from nsunit.deeds.session.enter import enter
from nsunit.errors import NsunitError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context

PROGRAM = "tcpdump"
_DIRECTORIES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def capture(context: Context, name: str, words: Sequence[str]) -> int:
    """Run tcpdump with *words* in the network of the running container *name*; returns its exit status.

    It runs with the host's files, so what it writes lands where the caller is.

    Raises:
        NotFoundError: the container does not run.
        UsageError: it has no network of its own, or belongs to a user.
        NsunitError: tcpdump is not installed.
    """
    if context.user:
        hint = f"as root: nsenter --net --target PID {PROGRAM}, with the PID that 'nsunit --user list' shows"
        raise UsageError("capture is for containers of the system", hint=hint)
    running = find_running(context, name)
    try:
        is_hosts = os.path.samefile(f"{thread_of(running.pid)}/ns/net", "/proc/self/ns/net")
    except (FileNotFoundError, ProcessLookupError):
        raise just_ended(name) from None
    if is_hosts:
        raise UsageError(f"{name}: it has the host's network", hint=f"use {PROGRAM} itself")
    paths = (f"{directory}/{PROGRAM}" for directory in _DIRECTORIES)
    program = next((path for path in paths if os.access(path, os.X_OK)), None)
    if program is None:
        raise NsunitError(f"{PROGRAM} is not installed", hint=f"install the package '{PROGRAM}'")
    return enter(context, name, (program, *words), kinds=("net",), interactive=True)
