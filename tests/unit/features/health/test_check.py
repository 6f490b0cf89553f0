"""A check that does not end."""

import contextlib
import signal
import time
from types import SimpleNamespace

from nsunit.features.health import check
from nsunit.storage.health import TIMED_OUT


def test_a_signal_that_comes_just_before_a_wait_does_not_make_it_endless(monkeypatch):
    def run(*_arguments):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        assert signal.sigtimedwait({signal.SIGALRM}, 5), "the first"
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        time.sleep(2)  # for poll(2), which another one ends
        return 0, b"it was waited for"

    monkeypatch.setattr(check, "_run", run)
    monkeypatch.setattr(check, "Group", lambda _payload: contextlib.nullcontext())
    payload = SimpleNamespace(is_frozen=lambda: False, has_ended=lambda _seconds: False)
    result = check.check(payload, (), ("true",), 0.01)
    assert (result.status, signal.getitimer(signal.ITIMER_REAL)) == (TIMED_OUT, (0, 0))
