"""What nsunit-oci refuses, and that nothing is left of it."""

import json
from pathlib import Path

import pytest
from bundles import CGROUPS, ROOT, Bundle, broken, bundle, in_linux, in_process, rootfs, subreaper
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("texts of nsunit-oci about files, and the kernel's mounts")

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures

NAMESPACES = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")]

REFUSED = {
    "version": (broken(ociVersion="2.0.0"), "unsupported version 2.0.0"),
    "rootfs": (broken(root={"path": "/nowhere"}), "/nowhere"),
    "namespace type": (in_linux(namespaces=[*NAMESPACES, {"type": "foo"}]), "foo"),
    "namespace twice": (in_linux(namespaces=[*NAMESPACES, {"type": "pid"}]), "duplicated ns pid"),
    "namespace path": (in_linux(namespaces=[*NAMESPACES[1:], {"type": "pid", "path": "/nowhere"}]), "/nowhere"),
    "no arguments": (in_process(args=[]), "args must not be empty"),
    "program": (in_process(args=["nope"]), 'exec: "nope": executable file not found in $PATH'),
    "program's path": (in_process(args=["/nope"]), "no such file or directory"),
    "no program": (in_process(args=["/etc/passwd"]), "permission denied"),
    "relative cwd": (in_process(cwd="x"), "Cwd must be an absolute path"),
    "mount's source": (
        lambda config: config["mounts"].append({"destination": "/x", "source": "/nowhere", "options": ["bind"]}),
        "/nowhere",
    ),
    "mount's kind": (
        lambda config: config["mounts"].append({"destination": "/work", "source": "x", "type": "nosuchfs"}),
        "nosuchfs",
    ),
    "mount over the root": (
        lambda config: config["mounts"].append({"destination": "/tmp/../.", "source": "x", "type": "tmpfs"}),
        "].destination: '/tmp/../.' is the root: root.path says what that is",
    ),
    "propagation": (in_linux(rootfsPropagation="both"), "linux.rootfsPropagation: 'both' is none of "),
    "sysctl": (in_linux(sysctl={"vm.swappiness": "1"}), "vm.swappiness"),
    "sysctl with a file over it": (
        lambda config: (
            config["linux"].update(sysctl={"kernel.domainname": "x"}),
            config["mounts"].append(
                {
                    "destination": "/proc/sys/kernel/domainname",
                    "source": "/proc/sys/kernel/core_pattern",
                    "options": ["bind"],
                }
            ),
        ),
        "set sysctl 'kernel.domainname' to 'x': something else is mounted over it",
    ),
    "intelRdt": (in_linux(intelRdt={"closID": "x"}), "intelRdt"),
    "maps": (in_linux(namespaces=[*NAMESPACES, {"type": "user"}]), "mappings"),
    "hook": (broken(hooks={"createRuntime": [{"path": "/bin/false"}]}), "error running createRuntime hook #0"),
    "hook's program": (broken(hooks={"prestart": [{"path": "/nowhere"}]}), "/nowhere"),
    "hook's time": (
        broken(hooks={"createContainer": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}),
        "timeout of 1.0s",
    ),
}


@ANYWHERE
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_leaves_nothing(bundle, case):
    change, words = REFUSED[case]
    change(bundle.config)
    bundle.save()
    log = bundle.path / "log.json"
    before = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
    done = bundle.call("--log", str(log), "--log-format", "json", "create", bundle.id, check=False)
    assert done.returncode == 1 and words in done.stderr
    entry = json.loads(log.read_text().splitlines()[-1])
    assert entry["level"] == "error" and words in entry["msg"] and entry["time"]
    assert not (ROOT / bundle.id).exists() and not list(CGROUPS.rglob(bundle.id))
    for pid in {path.name for path in Path("/proc").iterdir() if path.name.isdigit()} - before:
        line = Path(f"/proc/{pid}/cmdline")
        wait_until(lambda line=line: not line.exists() or bundle.id.encode() not in line.read_bytes())


@ANYWHERE
def test_an_id_that_is_taken_and_one_that_is_none(bundle):
    pid = bundle.create()
    again = bundle.call("create", bundle.id, check=False)
    assert again.returncode == 1 and again.stderr == "container with given ID already exists\n"
    assert bundle.state()["pid"] == pid
    for wrong in ("../x", "a/b", "a b", ".."):
        assert bundle.call("create", wrong, check=False).stderr == "invalid container ID format\n"
    assert "config.json not found" in bundle.call("create", "x", check=False, cwd="/").stderr


@ANYWHERE
@pytest.mark.parametrize("text", ["{", '{"a": ,}', '{"a": "\t"}', "", "{} {}", "[]"])
def test_a_config_that_is_no_json_is_refused(bundle, text):
    (bundle.path / "config.json").write_text(text)
    done = bundle.call("create", bundle.id, check=False)
    assert done.returncode == 1 and done.stderr.startswith("config.json is no ") and done.stderr.count("\n") == 1
    assert not (ROOT / bundle.id).exists()


@ANYWHERE
def test_the_log_is_there_though_nothing_is_wrong(bundle):
    log = bundle.path / "log"
    bundle.call("--log", str(log), "create", bundle.id)
    assert log.read_bytes() == b""
    bundle.call("--log", str(log), "start", "nope-nope", check=False)
    assert 'level=error msg="container does not exist"' in log.read_text()


@ANYWHERE
def test_a_link_of_the_image_leads_no_mount_astray(bundle, rootfs):
    link = rootfs / "astray"
    link.symlink_to("/proc/sys")
    try:
        bundle.config["mounts"].append({"destination": "/astray", "type": "tmpfs", "source": "tmpfs"})
        bundle.save()
        assert "it lies in /proc" in bundle.call("run", bundle.id, check=False).stderr
    finally:
        link.unlink()


@ANYWHERE
def test_a_link_that_is_not_there_is_told(bundle):
    bundle.config["linux"]["netDevices"] = {"nolink0": {}}
    bundle.save()
    assert (
        "linux.netDevices: nolink0: no interface with this name" in bundle.call("create", bundle.id, check=False).stderr
    )


@pytest.mark.parametrize("options", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])
def test_the_cgroup_of_another_container_is_not_taken(bundle, tmp_path, rootfs, options):
    path = f"machine.slice:p:{bundle.id}" if options else f"/{bundle.id}"
    bundle.config["linux"]["cgroupsPath"] = path
    bundle.save()
    bundle.call(*options, "run", "--detach", bundle.id)
    other = Bundle(tmp_path / "other", rootfs)
    other.config["linux"]["cgroupsPath"] = path
    other.save()
    refused = other.call(*options, "create", other.id, check=False)
    assert refused.returncode == 1 and "cgroup is not empty" in refused.stderr
    assert not (ROOT / other.id).exists()
    assert bundle.state()["status"] == "running"
