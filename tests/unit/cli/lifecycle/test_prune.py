"""`nsunit prune`: what it shows, asks and removes."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import pytest

from nsunit.deeds.look.kept import Kept

FOUND = [Kept("a", "stopped"), Kept("b", "no-definition"), Kept("on", "stopped")]


@pytest.fixture
def removed(manager, monkeypatch):
    """What was removed."""
    names = []

    def prune(_context, found):
        names.extend(item.name for item in found)
        return [manager.Outcome(item.name, "removed") for item in found]

    manager("deeds.look.kept", kept=lambda _context: FOUND)
    manager("deeds.prune", prune=prune)
    monkeypatch.setattr(manager.context, "paths", SimpleNamespace(is_enabled=lambda name: name == "on"))
    return names


def test_only_shown(nsunit, removed):
    assert nsunit("prune", "--dry-run") == (0, "a: stopped\nb: no-definition\n", "")
    status, out, _ = nsunit("--json", "prune", "-n")
    assert (status, json.loads(out)[1]) == (0, {"name": "b", "state": "no-definition"})
    assert removed == []


def test_without_a_question(nsunit, removed):
    assert nsunit("prune", "-f")[0] == 0
    assert removed == ["a", "b"]


def test_nobody_to_ask(nsunit, removed, monkeypatch):
    monkeypatch.setattr(os, "isatty", lambda _fd: False)
    status, _, err = nsunit("prune")
    assert (status, removed) == (2, [])
    assert "prune asks, and nobody can answer" in err


@pytest.mark.parametrize(("answer", "status", "names"), [("y", 0, ["a", "b"]), ("", 1, []), ("no", 1, [])])
def test_asked(nsunit, removed, monkeypatch, answer, status, names):
    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=lambda: f"{answer}\n"))
    assert nsunit("prune")[0] == status
    assert removed == names
