"""A container that ends while somebody looks for its root, or a namespace of it."""

import types

import pytest

from nsunit.core.running import Running
from nsunit.errors import NotFoundError
from nsunit.features.namespaces import pins
from nsunit.features.transfer import view
from nsunit.storage.paths import Paths

GONE = Running("web", "nsunit-web.service", "/nsunit.slice/nsunit-web.slice/nsunit-web.service", "abc", 1 << 22)


@pytest.mark.parametrize("module", [view, pins])
def test_it_has_just_ended(monkeypatch, tmp_path, module):
    context = types.SimpleNamespace(paths=Paths(str(tmp_path)), user=False)
    monkeypatch.setattr(module, "find_running", lambda *_: GONE)
    monkeypatch.setattr(module, "open_pidfd", lambda *_: -1)
    with pytest.raises(NotFoundError, match="web: it has just ended"):
        view.View(context, "web", writes=False)._open_running() if module is view else pins.pin(context, "web", "net")
