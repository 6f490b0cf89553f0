"""The program of a unit, and the command that waits for it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsunit.features.images import program
from nsunit.features.images.fetch import tasks

REPOSITORY = Path(__file__).resolve().parents[4]
# The task tells that it has begun, and would go on for ten minutes.
CODE = """
import sys, time
sys.path.append(sys.argv[1])
from nsunit.features.images import program
def wait(_job):
    print("begun", flush=True)
    time.sleep(600)
sys.exit(program.main(["", sys.argv[2]], {"wait": wait, "nothing": lambda _job: {}}))
"""


def begin(place, task):
    (place / "job").write_text(json.dumps({"task": task, "ids": []}))
    (place / "error").write_bytes(b" " * program.ERROR_ROOM)
    command = [sys.executable, "-c", CODE, str(REPOSITORY), str(place)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_it_ends_with_its_caller(tmp_path):
    """After SIGKILL of the command it went on to its end, for hours perhaps, for nobody."""
    os.mkfifo(tmp_path / program.CALLER)
    caller = os.open(tmp_path / program.CALLER, os.O_RDWR)
    with begin(tmp_path, "wait") as process:
        assert process.stdout.readline() == b"begun\n"
        assert process.poll() is None
        os.close(caller)
        assert process.wait(30) == -signal.SIGIO


@pytest.mark.parametrize(("there", "status"), [(True, 0), (False, 1)])
def test_it_does_nothing_for_one_that_has_ended_before(tmp_path, there, status):
    os.mkfifo(tmp_path / program.CALLER)
    caller = os.open(tmp_path / program.CALLER, os.O_RDWR) if there else -1
    with begin(tmp_path, "nothing") as process:
        assert process.wait(30) == status
    assert (tmp_path / "result").exists() == there
    if there:
        os.close(caller)


def test_the_command_is_there_for_as_long_as_it_waits(tmp_path):
    """A second task in the same place, too."""
    seen = []

    def wait(_job, _seconds):
        fifo = os.open(tmp_path / program.CALLER, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with pytest.raises(BlockingIOError):
                os.read(fifo, 1)
        finally:
            os.close(fifo)
        seen.append(fifo)
        (tmp_path / "result").write_text("{}")
        return "done"

    bus = SimpleNamespace(start_transient=lambda unit: unit, wait=wait)
    for _ in range(2):
        assert tasks.carry_out(SimpleNamespace(bus=bus), str(tmp_path), {}, SimpleNamespace(name="x.service")) == {}
    assert len(seen) == 2
    fifo = os.open(tmp_path / program.CALLER, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(fifo, 1) == b""
    os.close(fifo)
