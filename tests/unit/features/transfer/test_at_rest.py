"""A container that somebody starts while its files are about to be read."""

import contextlib
import os
import types

import pytest

from nsunit.features.transfer import export, view
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path):
    return types.SimpleNamespace(paths=Paths(str(tmp_path)), user=False)


def started_meanwhile(monkeypatch, module):
    """It does not run when it is first looked for, and does when its lock is had."""
    answers = [False, True]
    monkeypatch.setattr(module, "is_running", lambda *_: answers.pop(0))
    return answers


def test_what_was_started_before_the_lock_is_had_is_paused(monkeypatch, context):
    answers = started_meanwhile(monkeypatch, export)
    paused = []
    monkeypatch.setattr(export, "find_running", lambda _context, name: name)
    monkeypatch.setattr(export, "Paused", lambda _context, running: contextlib.nullcontext(paused.append(running)))
    with export.at_rest(context, "web", pause=True):
        assert os.listdir(context.paths.locks) == []
    assert (paused, answers) == (["web"], [])


def test_what_was_started_before_the_lock_is_had_is_entered(monkeypatch, context):
    """No second overlay is mounted on what it writes to."""
    started_meanwhile(monkeypatch, view)
    opened = []
    monkeypatch.setattr(view.View, "_open_running", lambda self: opened.append(self.name))
    with view.View(context, "web", writes=True):
        assert opened == ["web"]
        assert os.listdir(context.paths.locks) == []
