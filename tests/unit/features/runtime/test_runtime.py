"""RuntimeMaxSec=: what systemd does at its end, and how that is told from other timeouts."""

import os
import signal

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.features.runtime import program
from nsunit.plan.facts import Facts
from nsunit.plan.units import units
from nsunit.units import time_was_up

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\nStopSignal=SIGINT\n[Service]\n"
FACTS = Facts(257, "python3", "run.py", "/run/nsunit/containers/web", user_range=(1 << 20, 1 << 16))
SECOND = 1_000_000


def stops(lines, facts=FACTS):
    definition = load_text("web", BASE + lines, "web.nsunit", Host(257))
    planned = units(definition, facts)
    return [item.value for item in planned.service.properties if item.name == "ExecStop"]


def test_a_program_that_cannot_be_asked_is_seen_to():
    assert stops("Nice=1\n") == []
    assert stops("RuntimeMaxSec=1h\n", FACTS.with_extra("runtime", "/p.py")) == [
        (("python3", ("python3", "-SI", "/p.py", "features.runtime.program", "2"), True),)
    ]


@pytest.mark.parametrize(
    ("limit", "end", "result", "expected"),
    [
        (5 * SECOND, 15 * SECOND, "timeout", True),
        (5 * SECOND, 14 * SECOND, "timeout", False),  # slow to stop
        (5 * SECOND, 15 * SECOND, "signal", False),
        ((1 << 64) - 1, 15 * SECOND, "timeout", False),
        (None, 15 * SECOND, "timeout", False),
    ],
)
def test_whether_its_time_was_up(limit, end, result, expected):
    values = {"ActiveEnterTimestampMonotonic": 10 * SECOND, "ActiveExitTimestampMonotonic": end, "Result": result}
    assert time_was_up({**values, "RuntimeMaxUSec": limit}) is expected


@pytest.mark.parametrize(("caught", "killed"), [(True, False), (False, True)])
def test_who_has_no_handler_is_killed(monkeypatch, caught, killed):
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    monkeypatch.setenv("MAINPID", str(child))
    monkeypatch.setattr(program, "catches", lambda pid, number: caught)
    program.main(["program", "15"])
    if not killed:
        os.kill(child, 10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (-9 if killed else -10)
