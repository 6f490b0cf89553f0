"""What a process of its own tells of its work."""

from __future__ import annotations

import os
import time

import pytest

from nsunit.errors import NsunitError
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.setup.spawn import SetupError


def failing(error):
    def work():
        raise error

    return work


def results(*works):
    return [Worker(work, ()).result() for work in works]


def test_warnings():
    assert raise_first(results(lambda: ["a"], list, lambda: ["b", "c"])) == ["a", "b", "c"]


def test_many_warnings():
    many = ["x" * 4096] * 1000
    assert raise_first(results(lambda: many)) == many


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NsunitError("no", hint="yes"), "no"),
        (OSError(28, "No space left on device", "x"), "'x': No space left on device"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (SetupError("Failed to mount"), "Failed to mount"),
        (MemoryError(), "it takes more memory than there is"),
    ],
)
def test_failures(error, said):
    with pytest.raises(NsunitError, match=said) as caught:
        raise_first(results(list, failing(error)))
    assert caught.value.hint == ("yes" if said == "no" else caught.value.hint)


def test_an_interrupt_ends_it(monkeypatch):
    """What it works on is about to be taken away."""

    def interrupted(*_words):
        raise KeyboardInterrupt

    worker = Worker(lambda: [str(time.sleep(30))], ())
    monkeypatch.setattr("builtins.open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.result()
    with pytest.raises(ChildProcessError):
        os.waitpid(worker.pid, os.WNOHANG)


def test_the_one_at_fault_is_told():
    with pytest.raises(NsunitError, match="full"):
        raise_first(results(failing(BrokenPipeError()), failing(NsunitError("full"))))
    with pytest.raises(NsunitError, match="nobody reads"):
        raise_first(results(failing(BrokenPipeError())))
    with pytest.raises(BrokenPipeError):
        raise_first(results(failing(BrokenPipeError())), to_output=True)
    with pytest.raises(NsunitError, match="full"):
        raise_first(results(failing(BrokenPipeError()), failing(NsunitError("full"))), to_output=True)


def test_one_that_is_killed():
    with pytest.raises(NsunitError, match="was killed"):
        raise_first(results(lambda: os.kill(os.getpid(), 9)))
