"""Limits that a container's process may set itself, in its user namespace."""

import os
import resource
import signal
import struct

import pytest

from nsunit.setup.oci import calls


@pytest.fixture
def process():
    """A process of its own, with low soft limits."""
    pid = os.fork()
    if not pid:
        signal.pause()
        os._exit(1)
    for which in (resource.RLIMIT_MSGQUEUE, resource.RLIMIT_CORE):
        resource.prlimit(pid, which, (1000, 5000))
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_soft_limits_are_raised_before_there_is_a_user_namespace(process):
    """What the namespace keeps for all its processes is the soft limit at the time at which it is made."""
    calls.allow_limits(process, ((resource.RLIMIT_MSGQUEUE, 3000, 4000), (resource.RLIMIT_CORE, 10, 20)))
    assert resource.prlimit(process, resource.RLIMIT_MSGQUEUE) == (3000, 5000)
    assert resource.prlimit(process, resource.RLIMIT_CORE) == (1000, 5000)


def test_who_may_not_raise_hard_limits_raises_soft_ones(process, monkeypatch):
    real = calls.linux.old_call

    def refusing(name, pid, which, new, before):
        if new and struct.unpack("=QQ", new)[1] > 5000:
            raise PermissionError
        return real(name, pid, which, new, before)

    monkeypatch.setattr(calls.linux, "old_call", refusing)
    calls.allow_limits(process, ((resource.RLIMIT_MSGQUEUE, 9000, 9000), (resource.RLIMIT_CORE, 2000, 6000)))
    assert resource.prlimit(process, resource.RLIMIT_MSGQUEUE) == (5000, 5000)
    assert resource.prlimit(process, resource.RLIMIT_CORE) == (2000, 5000)
