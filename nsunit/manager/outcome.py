"""What became of one container in a command on several."""

from __future__ import annotations

from nsunit.errors import NsunitError
from nsunit.record import Record


class Outcome(Record):
    """*state* is what is true of container *name* now; a failure has *error* and leaves it as it was before.

    Of `start`: "started", "listening" (for its first connection), "running" (it was already), "mended" (the same, but
    systemd had given up a socket or proxy of it), "differs" (it runs, but from another definition; *differences* says
    how).  Of `stop`: "stopped", "inactive" (it was already); a program that has no handler for its stop signal was
    killed, and *deaf_to* is that signal.  Of `rm`: "removed", "absent".
    """

    name: str
    state: str
    differences: tuple[str, ...] = ()
    error: NsunitError | None = None
    deaf_to: int = 0
