"""nsunit-oci killed at every step: delete leaves nothing."""

import os
import signal
from pathlib import Path

import pytest
from bundles import CGROUPS, ROOT, RUNTIME, bundle, rootfs, subreaper
from waiting import wait_until

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures

CALLS = (
    "mkdir",
    "mknodat",
    "rename",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "sendto",
    "recvfrom",
    "wait4",
    "openat",
    "write",
)


@pytest.mark.once("it costs a hundred runs, and is between the runtime and the kernel")
@pytest.mark.parametrize("manager", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])
def test_whenever_it_is_killed_delete_leaves_nothing(bundle, manager):
    bundle.call("create", bundle.id)  # so that the interpreter is where it stays
    bundle.call("delete", "--force", bundle.id)
    killed = 0
    for call in CALLS:
        for when in range(1, 40):
            inject = f"inject={call}:signal=KILL:when={when}"
            words = ("strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, RUNTIME, *manager)
            done = bundle.call(*words[1:], "create", bundle.id, runtime=words[0], check=False)
            bundle.call("delete", "--force", bundle.id)
            assert not (ROOT / bundle.id).exists(), inject
            assert not list(CGROUPS.rglob(f"*{bundle.id}*")), inject
            wait_until(lambda: not alive(bundle.id.encode()))
            if done.returncode == 0:
                break
            killed += 1
            if call == "openat" and when > 12:
                break
    assert killed > 20


def alive(word):
    """Processes with *word* in their command line, but those that wait to be waited for."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


CALLS = ("openat", "flock", "write", "read", "unlink", "rmdir", "pidfd_open", "poll")
LAST = 6  # the many before are those of the interpreter


def calls_of(bundle, call, verb):
    """How often a run of *verb* does *call*; the container is gone then."""
    pid = bundle.create()
    trace = bundle.path / "trace"
    bundle.call("-o", trace, "-e", f"trace={call}", RUNTIME, *verb, bundle.id, runtime="strace")
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(pid, 0)
    return trace.read_text().count(f"{call}(")


# What engines say of `start` is done by the command itself, in shell; --debug has Python do it.
@pytest.mark.once("it costs dozens of runs, and is between the runtime and the kernel")
@pytest.mark.parametrize("verb", [("start",), ("--debug", "start"), ("delete", "--force")], ids=" ".join)
def test_whenever_another_verb_is_killed_delete_leaves_nothing(bundle, verb):
    calls_of(bundle, CALLS[0], verb)  # the first one writes bytecode as well
    killed = 0
    for call in CALLS:
        count = calls_of(bundle, call, verb)
        for when in range(max(1, count - LAST + 1), count + 1):
            pid = bundle.create()
            inject = f"inject={call}:signal=KILL:when={when}"
            words = ("-o", "/dev/null", "-e", f"trace={call}", "-e", inject, RUNTIME, *verb, bundle.id)
            killed += bundle.call(*words, runtime="strace", check=False).returncode != 0
            bundle.call("delete", "--force", bundle.id)
            assert not (ROOT / bundle.id).exists(), inject
            assert not list(CGROUPS.rglob(f"*{bundle.id}*")), inject
            assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert killed > 10


@pytest.mark.once("it is between the runtime and the kernel, and waits for ten seconds")
def test_what_keeps_a_container_from_its_end_is_told(bundle):
    """It is the caller, who has not waited for what it has executed: engines do so."""
    pid = bundle.create()
    bundle.call("start", bundle.id)
    bundle.call("exec", "--detach", "--pid-file", "other", bundle.id, "true")
    other = int((bundle.path / "other").read_text())
    failed = bundle.call("delete", "--force", bundle.id, check=False)
    assert (failed.returncode, failed.stderr) == (
        1,
        f"container init still running: process {other} of the container has ended, and process {os.getpid()} has not"
        " waited for it: until then the container's own cannot end\n",
    )
    os.waitpid(other, 0)
    os.waitpid(pid, 0)
    bundle.call("delete", "--force", bundle.id)
