"""Whether systemd-machined is there."""

from __future__ import annotations

import os

from nsunit.core.findings import OK, WARNING, Finding
from nsunit.features.machined.plan import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def findings(_context: Context) -> list[Finding]:
    """The finding on this host."""
    if os.path.exists(PROGRAM):
        return [Finding("machined", OK, "installed")]
    text = "systemd-machined is missing: 'machinectl' cannot show containers"
    return [Finding("machined", WARNING, text, "apt install systemd-container")]
