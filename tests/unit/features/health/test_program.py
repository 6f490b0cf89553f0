"""Whom the program of checks looks at."""

import os

import pytest

from nsunit.features.health.program import is_inside
from nsunit.setup.namespaces import Namespaces


def test_what_is_in_none_of_the_namespaces_is_no_payload():
    """systemd's own process before it executes the helper, and those of ExecStartPre=."""
    assert not is_inside(os.getpid(), [Namespaces(("mnt", "pid"))])
    assert is_inside(os.getpid(), [])  # a container that shares them all
    with pytest.raises(FileNotFoundError):
        is_inside(1 << 22, [Namespaces(("mnt",))])
