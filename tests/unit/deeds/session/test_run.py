"""What a foreground `run` makes of a signal."""

import signal

import pytest

from nsunit.deeds.session import run
from nsunit.definition.model import Container, Definition


@pytest.mark.parametrize("caught", [True, False])
def test_who_does_not_catch_it_is_killed(monkeypatch, caught):
    asked = []
    monkeypatch.setattr(run, "catches", lambda pid, number: asked.append((pid, number)) or caught)
    plain = Definition("web", Container(("x",)), (), (), ())
    assert run._signal_for(plain, 42, signal.SIGTERM) == (15 if caught else 9)
    assert asked == [(42, 15)]


def test_a_system_gets_its_stop_signal(monkeypatch):
    asked = []
    monkeypatch.setattr(run, "catches", lambda pid, number: asked.append((pid, number)) or True)
    system = Definition("web", Container(("x",), stop_signal=37, extras=(("boot", None),)), (), (), ())
    assert run._signal_for(system, 42, signal.SIGHUP) == 37
    assert asked == [(42, 37)]
