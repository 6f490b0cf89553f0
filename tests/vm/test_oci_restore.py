"""restore of nsunit-oci: hooks, what fails and what is left of it, and podman, who calls it."""

import json
import os
import uuid
from pathlib import Path

from bundles import CGROUPS, ROOT, bundle, rootfs, subreaper
from remembering import MANAGERS, MARKS, REMEMBERS, criu, remembering, restored, started, word

__all__ = ["bundle", "criu", "remembering", "rootfs", "subreaper"]  # fixtures

pytestmark = MARKS


def hook(path, kind, script=""):
    text = f'read -r state; echo "{kind} $state" >> {path}; {script}'
    return [{"path": "/bin/sh", "args": ["sh", "-c", text]}]


@MANAGERS
def test_hooks_run_at_a_restore_and_one_that_fails_leaves_nothing(remembering, manager):
    bundle = remembering
    kinds = ("prestart", "createRuntime", "poststart", "poststop")
    where = bundle.path / "hooks"
    bundle.config["hooks"] = {kind: hook(where, kind) for kind in kinds}
    bundle.save()
    pid = started(bundle, *manager)
    bundle.call("checkpoint", "--image-path", "image", bundle.id)
    os.waitpid(pid, 0)
    where.unlink()
    again = restored(bundle, manager=manager)
    lines = [line.split(" ", 1) for line in where.read_text().splitlines()]
    assert [line[0] for line in lines] == ["poststop", "prestart", "createRuntime", "poststart"]
    assert {json.loads(line[1])["pid"] for line in lines[1:]} == {again}
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(again, 0)
    bundle.config["hooks"]["createRuntime"] = hook(where, "createRuntime", "echo why >&2; exit 3")
    bundle.save()
    failed = bundle.call(*manager, "restore", "--detach", "--image-path", "image", bundle.id, check=False)
    assert failed.returncode == 1 and "error running createRuntime hook #0: exit status 3" in failed.stderr
    assert not (ROOT / bundle.id).exists() and not list(CGROUPS.rglob(f"*{bundle.id}*"))
    assert where.read_text().splitlines()[-1].startswith("poststop")


def test_what_cannot_be_written_is_told_and_goes_on(remembering, rootfs):
    bundle = remembering
    # A file of the host besides the standard streams: nobody could hand it over again.
    run = f"exec nsunit-oci run --detach --preserve-fds 1 --pid-file pid {bundle.id} 3<{rootfs}/etc/passwd"
    bundle.call("-c", run, runtime="/bin/sh")
    pid = int((bundle.path / "pid").read_text())
    for option, value, text in (
        ("--lazy-pages", "", "--lazy-pages: there is none; somebody would have to stay who has the pages"),
        ("--manage-cgroups-mode", "x", "--manage-cgroups-mode: 'x' is none of ignore, soft, full, strict"),
        ("--parent-path", "/x", "--parent-path must be relative to --image-path"),
        ("--empty-ns", "pid", "--empty-ns: namespace 'pid' is not supported; it is always 'network'"),
    ):
        words = (option, value) if value else (option,)
        assert bundle.call("checkpoint", *words, bundle.id, check=False).stderr == text + "\n"
    failed = bundle.call("checkpoint", "--image-path", "image", bundle.id, check=False)
    assert failed.returncode == 1 and failed.stderr.startswith(f"criu cannot dump container {bundle.id}: ")
    assert f"path={rootfs}/etc/passwd" in failed.stderr and failed.stderr.count("\n") == 1
    assert failed.stderr.endswith(f"(see {bundle.path}/image/dump.log)\n")
    assert bundle.state()["status"] == "running" and word(bundle)
    bundle.call("kill", bundle.id, "KILL")
    os.waitpid(pid, 0)
    stopped = bundle.call("checkpoint", bundle.id, check=False).stderr
    assert stopped == "cannot checkpoint a container that is stopped\n"
    absent = bundle.call("restore", "--image-path", "nothing", f"{bundle.id}-2", check=False).stderr
    assert absent == f"--image-path: there is no image of a container in {bundle.path}/nothing\n"


def test_without_criu_there_is_neither(bundle):
    """It is told, and by `features` too, which podman and Docker show."""
    told = 'exec: "criu": executable file not found in $PATH: there is no checkpoint and restore without criu(8)\n'
    found = {}
    for path in ("/usr/bin:/usr/sbin", str(bundle.path)):
        shown = bundle.call("features", runtime="/usr/bin/nsunit-oci", env={"PATH": path}).stdout
        found[path] = json.loads(shown)["annotations"]["org.nsunit.checkpoint.enabled"]
    assert list(found.values()) == ["true", "false"]
    for verb in ("checkpoint", "restore"):
        words = (verb, "--image-path", "image", bundle.id)
        done = bundle.call(*words, runtime="/usr/bin/nsunit-oci", env={"PATH": str(bundle.path)}, check=False)
        assert (done.returncode, done.stderr) == (1, told)


def test_an_image_that_is_damaged_leaves_nothing(remembering):
    bundle = remembering
    pid = started(bundle)
    bundle.call("checkpoint", "--image-path", "image", bundle.id)
    os.waitpid(pid, 0)
    next((bundle.path / "image").glob("pages-*.img")).write_bytes(b"")
    failed = bundle.call("restore", "--detach", "--image-path", "image", bundle.id, check=False)
    assert failed.returncode == 1 and failed.stderr.startswith(f"criu cannot restore container {bundle.id}: ")
    assert not (ROOT / bundle.id).exists() and not list(CGROUPS.rglob(f"*{bundle.id}*"))


def test_whenever_a_restore_is_killed_delete_leaves_nothing(remembering):
    bundle = remembering
    pid = started(bundle)
    bundle.call("checkpoint", "--image-path", "image", bundle.id)
    os.waitpid(pid, 0)
    bundle.call("delete", bundle.id)
    killed = 0
    for call in ("sendto", "recvmsg", "rename", "mkdir", "wait4"):
        for when in range(1, 12, 2):
            inject = f"inject={call}:signal=KILL:when={when}"
            words = ("strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, "nsunit-oci")
            options = ("restore", "--detach", "--image-path", "image", bundle.id)
            done = bundle.call(*words[1:], *options, runtime=words[0], check=False)
            bundle.call("delete", "--force", bundle.id)
            assert not (ROOT / bundle.id).exists(), inject
            assert not list(CGROUPS.rglob(f"*{bundle.id}*")), inject
            if done.returncode == 0:
                break
            killed += 1
    assert killed > 8
    assert str(bundle.path) not in Path("/proc/self/mountinfo").read_text()


def test_podman_has_both(run):
    """It asks the runtime first whether it can, and takes the image to another container."""
    run("tar -C /srv/roots/busybox -c . | podman import -q - localhost/busybox:criu")
    podman = ("podman", "--runtime", "/usr/bin/nsunit-oci")
    name, archive = f"e{uuid.uuid4().hex[:8]}", f"/var/tmp/{uuid.uuid4().hex[:8]}.tar.gz"
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--network", "none")
    try:
        run(*podman, "run", "-d", "--name", name, *limits, "localhost/busybox:criu", "sh", "-c", REMEMBERS)
        seen = ("exec", name, "sh", "-c", "until cat /tmp/x; do sleep 0.1; done 2>/dev/null")
        before = run(*podman, *seen).stdout
        run(*podman, "container", "checkpoint", name)
        assert run(*podman, "inspect", "--format", "{{.State.Status}}", name).stdout == "exited\n"
        run(*podman, "container", "restore", name)
        run(*podman, "exec", name, "rm", "/tmp/x")
        assert run(*podman, *seen).stdout == before
        run(*podman, "container", "checkpoint", "--export", archive, name)
        run(*podman, "rm", name)
        run(*podman, "container", "restore", "--import", archive)
        run(*podman, "exec", name, "rm", "/tmp/x")
        assert run(*podman, *seen).stdout == before
    finally:
        run(*podman, "rm", "--force", "--time", "0", name)
        run("podman", "rmi", "--force", "localhost/busybox:criu")
        Path(archive).unlink(missing_ok=True)
    assert not list(ROOT.iterdir())
