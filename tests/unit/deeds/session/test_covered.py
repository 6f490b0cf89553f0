"""A first limit that cannot be shown."""

import errno
import fcntl
import os
import types

import pytest

from nsunit.deeds.session import covered
from nsunit.setup.mounts import SliceCgroup

GROUP = "/nsunit.slice/nsunit-web.slice/nsunit-web.service/payload"


def test_what_fails_half_way_leaves_no_lock(monkeypatch, tmp_path):
    """Who has failed with one container goes on with others, and would wait for its own lock."""
    item = object.__new__(SliceCgroup)
    item.follow = ""
    opened = []

    def locked(parent, *_arguments):
        os.close(parent)
        opened.append(os.open(tmp_path, os.O_RDONLY))
        fcntl.flock(opened[0], fcntl.LOCK_EX)
        return opened[0]

    def refused(*_arguments):
        raise OSError(errno.EPERM, "Operation not permitted")

    running = types.SimpleNamespace(pid=1, control_group=GROUP)
    monkeypatch.setattr(covered, "read_plan", lambda _path: [item])
    monkeypatch.setattr(covered, "find_running", lambda *_: running)
    monkeypatch.setattr(covered, "open_pidfd", lambda *_: os.open("/dev/null", os.O_RDONLY))
    monkeypatch.setattr(covered, "_missing", lambda *_: ["memory.max"])
    monkeypatch.setattr(covered.namespaces, "limits_to_show", lambda *_, **__: {"memory.max": "1\n"})
    monkeypatch.setattr(covered.namespaces, "write_shown", locked)
    monkeypatch.setattr(covered.mounts, "clone_shown", refused)
    context = types.SimpleNamespace(user=False, paths=types.SimpleNamespace(runtime_of=lambda _name: str(tmp_path)))
    with pytest.raises(OSError, match="not permitted"):
        covered.show_first_limits(context, "web")
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
