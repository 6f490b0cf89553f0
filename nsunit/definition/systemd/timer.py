"""systemd.timer(5): when a container is started again and again, if it is enabled.

Rows as in `setting.Row`.  A timer is a unit file only, so no property is sent for it.
"""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.definition.values import boolean, string, usec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser


def _row(parse: Parser, syntax: str, text: str, example: str, since: int = OLDEST, *, adds: bool = False) -> Row:
    return (parse, adds, "", "", since, False, syntax, text, example)


def _after(text: str) -> Row:
    return _row(usec, "TIME", f"How long after {text} it is started.", "15min", adds=True)


TIMER: dict[str, Row] = {
    "OnCalendar": _row(string, "CALENDAR", "When it is started, see systemd.time(7).", "Mon..Fri 03:00", adds=True),
    "OnActiveSec": _after("the timer's own start"),
    "OnBootSec": _after("the machine's boot"),
    "OnStartupSec": _after("systemd's own start"),
    "OnUnitActiveSec": _after("its last start"),
    "OnUnitInactiveSec": _after("its last end"),
    "OnClockChange": _row(boolean, "yes|no", "Start it when the clock is set.", "yes", 242),
    "OnTimezoneChange": _row(boolean, "yes|no", "Start it when the time zone changes.", "yes", 242),
    "AccuracySec": _row(usec, "TIME", "How late it may be, so that others can be started with it.", "1s"),
    "RandomizedDelaySec": _row(usec, "TIME", "A random delay of up to this time, each time.", "30min", 229),
    "RandomizedOffsetSec": _row(usec, "TIME", "A random delay of up to this time, always the same.", "1h", 258),
    "FixedRandomDelay": _row(boolean, "yes|no", "RandomizedDelaySec= is always the same.", "yes", 247),
    "DeferReactivation": _row(boolean, "yes|no", "Do not make up for a time at which it still ran.", "yes", 257),
    "Persistent": _row(boolean, "yes|no", "Make up for times at which the machine was off.", "yes", 212),
    "WakeSystem": _row(boolean, "yes|no", "Wake the machine from sleep for it.", "no", 212),
    "RemainAfterElapse": _row(boolean, "yes|no", "Keep a timer that will not elapse again.", "no", 229),
}
