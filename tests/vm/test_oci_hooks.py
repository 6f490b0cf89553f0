"""Hooks of config.json."""

import json
import os
import signal

import pytest
from bundles import ROOT, bundle, rootfs, subreaper

pytestmark = pytest.mark.anywhere("hooks are children of nsunit-oci")

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures


def test_hooks_run_in_their_order_and_places(bundle, rootfs):
    where = bundle.path / "hooks"
    script = 'read -r state; echo "$1 $(readlink /proc/self/ns/mnt) $state" >> ' + str(where)

    def hook(kind, shell="/bin/sh"):
        return [{"path": shell, "args": ["sh", "-c", script, "x", kind], "env": ["PATH=/bin:/usr/bin"]}]

    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    bundle.config["hooks"] = {kind: hook(kind) for kind in kinds}
    inside = ["sh", "-c", 'read -r state; echo "$state" > /tmp/inside']
    bundle.config["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": inside}]
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    pid = bundle.create()
    bundle.call("start", bundle.id)
    inner = json.loads(bundle.call("exec", bundle.id, "cat", "/tmp/inside").stdout)
    assert inner["id"] == bundle.id and inner["status"] == "created" and inner["pid"] == 1
    bundle.call("kill", bundle.id, "KILL")
    os.waitpid(pid, 0)
    bundle.call("delete", bundle.id)
    lines = [line.split(" ", 2) for line in where.read_text().splitlines()]
    assert [line[0] for line in lines] == list(kinds)
    states = {line[0]: json.loads(line[2]) for line in lines}
    assert [states[kind]["status"] for kind in kinds] == ["creating"] * 3 + ["running", "stopped"]
    assert {state["pid"] for kind, state in states.items() if kind in ("prestart", "createRuntime", "poststart")} == {
        pid
    }
    own = os.readlink("/proc/self/ns/mnt")
    assert [line[1] == own for line in lines] == [True, True, False, True, True]


def test_hooks_outside_begin_in_the_bundle(bundle):
    """Wherever the one is who calls, as with runc and crun."""
    where = bundle.path / "where"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"pwd >> {where}"]}
    bundle.config["hooks"] = {kind: [hook] for kind in ("prestart", "createRuntime", "poststart", "poststop")}
    bundle.save()
    bundle.call("create", "--bundle", str(bundle.path), "--pid-file", str(bundle.path / "pid"), bundle.id, cwd="/")
    bundle.call("start", bundle.id, cwd="/")
    bundle.call("kill", bundle.id, "KILL", cwd="/")
    os.waitpid(int((bundle.path / "pid").read_text()), 0)
    bundle.call("delete", bundle.id, cwd="/")
    assert where.read_text().split() == [str(bundle.path)] * 4


def test_a_hook_that_fails_at_the_start_ends_the_container(bundle):
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo why >&2; exit 4"]}]}
    bundle.save()
    pid = bundle.create()
    done = bundle.call("start", bundle.id, check=False)
    assert done.returncode == 1 and "startContainer hook #0: exit status 4" in done.stderr and "why" in done.stderr
    os.waitpid(pid, 0)
    assert bundle.state()["status"] == "stopped"


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
def test_a_run_whose_hook_fails_at_the_start_leaves_nothing(bundle, kind):
    bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "exit 4"]}]}
    bundle.save()
    done = bundle.call("run", bundle.id, check=False)
    assert done.returncode == 1 and f"{kind} hook #0: exit status 4" in done.stderr
    assert not (ROOT / bundle.id).exists()


def test_a_signal_to_run_goes_to_the_program_while_a_hook_is_at_work(bundle):
    """It does not end the runtime, which would leave a container that nobody waits for, nor removes."""
    seen = bundle.path / "seen"
    seen.mkdir()
    bundle.config["mounts"].append({"destination": "/work", "type": "bind", "source": str(seen), "options": ["rbind"]})
    bundle.config["process"]["args"] = ["sh", "-c", "trap 'exit 7' TERM; touch /work/ready; while :; do sleep 1; done"]
    script = f"until test -e {seen}/ready; do sleep 0.1; done; kill -TERM $PPID"
    bundle.config["hooks"] = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}]}
    bundle.save()
    assert bundle.call("run", bundle.id, check=False).returncode == 7
    assert not (ROOT / bundle.id).exists()


def test_a_poststart_hook_that_fails_ends_the_container(bundle):
    bundle.config["hooks"] = {
        "poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null; echo why >&2; exit 5"]}],
        "poststop": [{"path": "/bin/false"}],
    }
    bundle.save()
    pid = bundle.create()
    done = bundle.call("start", bundle.id, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error running poststart hook #0: exit status 5")
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert bundle.state()["status"] == "stopped"


def test_a_poststop_hook_that_fails_is_told_and_the_next_is_run(bundle):
    ran = bundle.path / "ran"
    touch = {"path": "/bin/touch", "args": ["touch", str(ran)]}
    bundle.config["hooks"] = {"poststop": [{"path": "/bin/false"}, {"path": "/nowhere"}, touch]}
    bundle.save()
    log = bundle.path / "log"
    pid = bundle.create()
    bundle.call("kill", bundle.id, "KILL")
    os.waitpid(pid, 0)
    bundle.call("--log", str(log), "delete", bundle.id)
    assert ran.exists() and not (ROOT / bundle.id).exists()
    first, second = log.read_text().splitlines()
    assert "level=warning" in first and "error running poststop hook #0: exit status 1" in first
    assert "error running poststop hook #1: fork/exec /nowhere: no such file or directory" in second
