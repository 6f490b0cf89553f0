"""pasta is started beside the container: by a stand-in that says what it was given."""

import contextlib
import os
import time

import pytest

from nsunit.features.pasta import setup
from nsunit.features.pasta.setup import ALONE, OPTIONS, Pasta
from nsunit.setup.build import Build
from nsunit.storage.files import read_kernel_file


@pytest.fixture(autouse=True)
def _no_child_is_left():
    """The helper would end now, and leave them to the service manager."""
    yield
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def connect(tmp_path, script, *forwards, attached=False):
    program = tmp_path / "pasta"
    program.write_text(f"#!/bin/sh\n{script}\n")
    os.chmod(program, 0o755)
    operation, build = Pasta(str(program), forwards), Build("")
    build.attached = attached
    operation.join(build)
    operation.execute(build)


@pytest.mark.parametrize(
    ("forwards", "more"),
    [
        ((), "-t none -u none"),
        (("-t", "8080:80", "-t", "::1/81:81"), "-t 8080:80 -t ::1/81:81 -u none"),
        (("-u", "53:53"), "-u 53:53 -t none"),
    ],
)
def test_it_gets_the_namespace(tmp_path, forwards, more):
    script = f'echo "$@" > {tmp_path}/arguments; for last; do :; done; readlink "$last" > {tmp_path}/namespace'
    connect(tmp_path, script, *forwards)
    words = (tmp_path / "arguments").read_text().split()
    assert tuple(words[:-2]) == (*OPTIONS, *more.split())
    assert (tmp_path / "namespace").read_text() == os.readlink("/proc/self/ns/net") + "\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo warning >&2; echo no tap device >&2; exit 1", "no tap device"),
        ("exit 1", "it gave no reason"),
    ],
)
def test_its_reason_is_told(tmp_path, script, reason):
    with pytest.raises(OSError, match=reason):
        connect(tmp_path, script)


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_routes_that_lead_nowhere_are_not_copied(tmp_path, monkeypatch, family):
    refusal = f"Couldn't set {family} route(s) in guest: Invalid argument"
    script = f'echo "$@" >> {tmp_path}/arguments; case $* in *" -a "*) ;; *) echo "{refusal}" >&2; exit 1;; esac'
    monkeypatch.setattr(setup, "_other_way", lambda: ALONE)
    connect(tmp_path, script)
    first, second = (tmp_path / "arguments").read_text().splitlines()
    assert second.split() == [*first.split(), *ALONE]


def test_a_program_that_is_not_there(tmp_path):
    operation, build = Pasta(str(tmp_path / "none"), ()), Build("")
    operation.join(build)
    with pytest.raises(OSError, match="No such file or directory"):
        operation.execute(build)


def test_it_ends_with_a_payload_that_no_manager_cares_for(tmp_path):
    payload = os.fork()
    if payload == 0:
        with contextlib.suppress(BaseException):
            connect(tmp_path, f"sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid", attached=True)
        os._exit(0)
    os.waitpid(payload, 0)
    status = f"/proc/{(tmp_path / 'pid').read_text().strip()}/status"
    deadline = time.monotonic() + 20
    while (found := read_kernel_file(status)) and "State:\tZ" not in found:
        assert time.monotonic() < deadline
        time.sleep(0.01)
