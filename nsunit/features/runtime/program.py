"""With SIGNAL, kills the main process of the unit if it has no handler for it; systemd starts it (ExecStop=)."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the C half: the Python half imports enum
import os

from nsunit.core.running import catches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Do it, by a descriptor: the number may be that of another process once this one has ended."""
    pid = int(os.environ.get("MAINPID") or 0)  # systemd.exec(5); none where it has ended
    if pid <= 0:
        return 0
    try:
        pidfd = os.pidfd_open(pid)
        if not catches(pid, int(argv[1])):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return 0
