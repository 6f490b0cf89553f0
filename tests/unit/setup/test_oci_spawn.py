"""Processes of an OCI container that end while they are made."""

import os
import subprocess

from nsunit.setup.oci import spawn
from nsunit.setup.oci.step import Box, Channel


def test_a_container_that_fails_before_its_first_step_ends():
    """It never goes on with what the runtime was doing when it forked it."""
    mine, _other = Channel.pair()
    mine.socket.close()
    child = os.fork()
    if child == 0:
        try:
            spawn._container([], Box(mine))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 127


def test_a_number_that_may_be_another_process_by_now_is_not_killed(monkeypatch):
    """A container's process that a middle one has forked is a subreaper's child, who may have waited for it."""
    with subprocess.Popen(("sleep", "60")) as middle, subprocess.Popen(("sleep", "60")) as process:
        made = spawn._Made(middle.pid, 0, inside=True)
        middle.kill()
        made.note(process.pid)
        process.kill()
        process.wait()
        killed = []
        monkeypatch.setattr(spawn.os, "kill", lambda pid, number: killed.append((pid, number)))
        made.end()
        assert killed == []


def test_what_a_middle_process_has_forked_is_killed():
    with subprocess.Popen(("sleep", "60")) as middle, subprocess.Popen(("sleep", "60")) as process:
        made = spawn._Made(middle.pid, 0, inside=True)
        middle.kill()
        made.note(process.pid)
        made.end()
        assert made.middle == 0
