"""events: what happens to containers, one JSON object a line."""

from __future__ import annotations

import json
import os
import stat
import sys
import time

from nsunit.deeds.look.events import follow_events
from nsunit.names import check_name, is_pattern, matching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.plan.events import Event


def events(invocation: Invocation) -> int:
    """The verb `events`; goes on until it is interrupted."""
    wanted = [name if name.endswith(".slice") or is_pattern(name) else check_name(name) for name in invocation.operands]

    def tell(event: Event) -> None:
        if matching(filter(None, (event.container, event.group)), wanted) or not wanted:
            _write({key: value for key in event._fields if (value := getattr(event, key)) is not None})

    def ready(running: list[str]) -> None:
        _write({"event": "ready", "running": sorted(matching(running, wanted))})

    output = 1
    pipe = output if stat.S_ISFIFO(os.fstat(output).st_mode) else None
    follow_events(invocation.context(), tell, ready, pipe)
    return 0


def _write(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"time_usec": time.time_ns() // 1000, **fields}) + "\n")
    sys.stdout.flush()
