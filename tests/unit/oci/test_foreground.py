"""Signals to a runtime that stays."""

import os
import signal
import types

import pytest

from nsunit.oci.foreground import Foreground
from nsunit.oci.verbs import run
from nsunit.oci.verbs.execute import _Session

CONFIG = {"process": {}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_before_the_end_is_waited_for_goes_to_the_process(number):
    runtime = os.fork()
    if runtime == 0:
        try:
            signal.signal(number, signal.SIG_DFL)
            process = os.fork()
            if process == 0:
                signal.alarm(60)
                signal.pause()
            relay = Foreground()
            session = _Session(None, types.SimpleNamespace(one=lambda _name: ""), {}, CONFIG)
            session.relay = relay
            session.forked(process)
            os.kill(os.getpid(), number)
            os._exit(relay.wait(process) - 128)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(runtime, 0)[1]) == number


def test_run_passes_signals_on_before_the_program_starts(monkeypatch):
    """A hook may take its time, and without it a signal would leave a container that nobody waits for."""
    done = []
    relay = types.SimpleNamespace(pass_on=lambda pid: done.append(f"pass on to {pid}"), wait=lambda pid: pid)

    def create(_context, _given, _identity, relaying):
        relaying(None, False)
        done.append("created")
        return types.SimpleNamespace(pid=7)

    monkeypatch.setattr(run, "Foreground", lambda _box, terminal: relay)
    monkeypatch.setattr(run, "create", create)
    monkeypatch.setattr(run, "_start", lambda *_: done.append("started"))
    monkeypatch.setattr(run.linux, "prctl", lambda *_: 0)
    given = types.SimpleNamespace(operands=["box"], has=lambda name: name == "keep")
    assert run.run(None, given) == (7, "")
    assert done == ["created", "pass on to 7", "started"]
