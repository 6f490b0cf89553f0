"""Hooks and the state that they are told, which can be more than a pipe holds."""

import os
import signal

import pytest

from nsunit.oci.spec.hooks import KINDS, parse
from nsunit.setup.oci.hooks import HookError, run

STATE = '{"annotations": "' + "x" * 300_000 + '"}'


def shell(script, seconds=0):
    return "/bin/sh", ("sh", "-c", script), ("PATH=/usr/bin:/bin",), seconds


def test_one_that_reads_has_all_of_it(tmp_path):
    run(shell(f"cat >{tmp_path}/state; echo read >&2"), STATE)
    assert (tmp_path / "state").read_text() == STATE


@pytest.mark.parametrize("script", ["exec <&-; sleep 0.1", "head -c 10 >/dev/null", ":"])
def test_one_that_does_not_read_is_not_waited_for(script):
    before = signal.getsignal(signal.SIGPIPE)
    descriptors = os.listdir("/proc/self/fd")
    run(shell(script), STATE)
    assert signal.getsignal(signal.SIGPIPE) == before
    assert os.listdir("/proc/self/fd") == descriptors


def test_nor_is_what_it_leaves_behind_that_has_its_input(tmp_path):
    run(shell(f"sleep 60 <&0 >/dev/null 2>&1 & echo $! >{tmp_path}/pid"), STATE)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_its_time_is_over_though_it_does_not_read():
    with pytest.raises(HookError, match=r"hook ran past specified timeout of 1\.0s"):
        run(shell("exec sleep 60", 1), STATE)


def test_why_it_failed_is_told_though_it_did_not_read():
    with pytest.raises(HookError, match="exit status 3, stdout: , stderr: no"):
        run(shell("echo no >&2; exit 3"), STATE)


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_environment_one_of_the_host_has_the_callers(monkeypatch, kind):
    """As with runc; a list that is empty is one."""
    monkeypatch.setattr("nsunit.setup.system.variables", {"CALLER": "it"})
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "echo is${CALLER-nobody} >&2; exit 3"]}
    for said, expected in (({}, "it"), ({"env": []}, "nobody"), ({"env": ["CALLER=own"]}, "own")):
        told = "nobody" if kind in ("createContainer", "startContainer") and not said else expected
        (found,) = parse({"hooks": {kind: [hook | said]}})[kind]
        with pytest.raises(HookError, match=f"stderr: is{told}$"):
            run(found, STATE)
