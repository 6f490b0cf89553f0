"""What `capture` refuses."""

import os
from types import SimpleNamespace

import pytest

from nsunit.core.context import Context
from nsunit.deeds.session import capture
from nsunit.errors import NsunitError, UsageError


def test_refused(monkeypatch):
    context = Context()
    monkeypatch.setattr(capture, "find_running", lambda *_: SimpleNamespace(pid=os.getpid()))
    with pytest.raises(UsageError, match="web: it has the host's network") as caught:
        capture.capture(context, "web", [])
    assert caught.value.hint == "use tcpdump itself"
    monkeypatch.setattr(os.path, "samefile", lambda *_: False)
    monkeypatch.setattr(capture, "_DIRECTORIES", ("/missing",))
    with pytest.raises(NsunitError, match="tcpdump is not installed"):
        capture.capture(context, "web", [])
    with pytest.raises(UsageError, match="capture is for containers of the system"):
        capture.capture(Context(user=True), "web", [])
