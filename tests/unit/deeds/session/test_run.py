"""What a foreground `run` makes of a signal."""

import os
import signal
import subprocess
import types

import pytest
from definitions import definition

from nsunit.core.prepare import Prepared
from nsunit.deeds.session import run, time_limit
from nsunit.deeds.session.time_limit import TimeLimit
from nsunit.definition.model import Container, Definition
from nsunit.errors import SessionError
from nsunit.plan.facts import Facts
from nsunit.plan.units import units
from nsunit.setup.spawn import SetupError
from nsunit.storage.paths import Paths


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


def test_a_time_that_no_timer_takes_is_none(monkeypatch):
    """systemd takes up to 584542 years, a timer of Python's no more than 292."""
    said = definition("[Service]", "RuntimeMaxSec=584542y")
    limit = TimeLimit(said)
    limit.begin(os.getpid())
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert not limit.is_over()


def test_a_signal_that_comes_just_before_a_wait_is_not_the_only_one(monkeypatch):
    monkeypatch.setattr(time_limit, "catches", lambda _pid, _number: False)
    monkeypatch.setattr(time_limit, "_LATER_SECONDS", 0.01)
    limit = TimeLimit(definition("[Service]", "RuntimeMaxSec=10ms"))
    with subprocess.Popen(("sleep", "5")) as payload:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        limit.begin(payload.pid)
        assert signal.sigtimedwait({signal.SIGALRM}, 5), "the first"
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert payload.wait() == -signal.SIGKILL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert limit.is_over()


@pytest.mark.parametrize(
    ("error", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (SetupError("Failed to mount"), SessionError)]
)
@pytest.mark.parametrize("step", ["enter_own_users", "enter_and_prepare"])
def test_what_was_made_of_the_network_is_taken_back(monkeypatch, step, error, raised):
    """Also after an interrupt while the container is prepared: another process may have made its rules by then."""

    def fail(*_):
        raise error

    taken_back = []
    monkeypatch.setattr(run, "read_plan", lambda directory: ["the plan"])
    monkeypatch.setattr(run.spawn, "harden", lambda: None)
    for name in ("enter_own_users", "enter_and_prepare"):
        monkeypatch.setattr(run, name, lambda *_: None)
    monkeypatch.setattr(run, step, fail)
    monkeypatch.setattr(run, "detach_network", lambda operations, build: taken_back.append(operations))
    web = definition(name="web")
    prepared = Prepared(web, units(web, Facts(257, "", "", "/run/x")), ())
    context = types.SimpleNamespace(paths=Paths())
    with pytest.raises(raised):
        run._run_attached(context, prepared, None, None, tty=False, interactive=False)
    assert taken_back == [["the plan"]]
