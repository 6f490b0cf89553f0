"""What `doctor` says."""

from __future__ import annotations

import os

from nsunit.record import Record

_CAP_SYS_ADMIN = 21
OK, WARNING, ERROR = "ok", "warning", "error"


class Finding(Record):
    """One thing looked at: `state` is "ok", "warning" (something is lost) or "error" (containers cannot run)."""

    subject: str
    state: str
    text: str
    hint: str | None = None


def is_privileged() -> bool:
    """Whether this process can do what making containers takes, and trying it: it is root with CAP_SYS_ADMIN."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return os.geteuid() == 0 and bool(effective >> _CAP_SYS_ADMIN & 1)
