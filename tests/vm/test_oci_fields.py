"""Fields of config.json that runc of this release does not know, or that say something of mounts and processes."""

import json
import os
import resource
import signal
import subprocess
import uuid
from pathlib import Path

import pytest
from bundles import RUNTIME, Bundle, bundle, mounts, rootfs, says, subreaper, users

ANYWHERE = pytest.mark.anywhere("the kernel's mounts, ids and processes")

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures


@ANYWHERE
@pytest.mark.parametrize(
    ("said", "root", "below"),
    [
        ("shared", "shared", "master"),  # what is mounted inside stays inside: not shared with the host
        ("rshared", "shared", "master shared"),
        ("slave", "", "master"),
        ("private", "", ""),
        ("unbindable", "unbindable", "unbindable"),
    ],
)
def test_the_root_has_the_propagation_that_is_said(bundle, rootfs, said, root, below):
    bundle.config["linux"]["rootfsPropagation"] = said
    bundle.config["process"]["args"] = ["cat", "/proc/self/mountinfo"]
    bundle.save()
    found = mounts(bundle.call("run", bundle.id).stdout.splitlines())
    kinds = {"shared", "master", "unbindable"}
    assert [" ".join(sorted(kinds & set(found[place]))) for place in ("/", "/source")] == [root, below]


@ANYWHERE
def test_the_domain_name(bundle):
    bundle.config["domainname"] = "some.domain"
    assert says(bundle, "cat /proc/sys/kernel/domainname") == "some.domain\n"


@ANYWHERE
def test_offsets_of_clocks(bundle):
    bundle.config["linux"]["namespaces"].append({"type": "time"})
    bundle.config["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000}, "monotonic": {"secs": 5, "nanosecs": 7}}
    words = says(bundle, "cat /proc/self/timens_offsets; cat /proc/uptime").split()
    assert words[:6] == ["monotonic", "5", "7", "boottime", "1000000", "0"]
    assert float(words[6]) > 1000000


@ANYWHERE
def test_persona_scheduler_priorities_and_labels_of_the_process(bundle):
    bundle.config["linux"]["personality"] = {"domain": "LINUX32"}
    bundle.config["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
    bundle.config["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    bundle.save()
    pid = bundle.create()
    assert Path(f"/proc/{pid}/personality").read_text() == "00000008\n"
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH and os.getpriority(os.PRIO_PROCESS, pid) == 7
    shown = subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "idle"


def test_processors_of_a_command(bundle):
    pid = bundle.create()
    bundle.call("start", bundle.id)
    process = bundle.config["process"] | {"args": ["grep", "Cpus_allowed_list", "/proc/self/status"]}
    last = max(os.sched_getaffinity(pid))
    process["execCPUAffinity"] = {"initial": "0", "final": str(last)}
    (bundle.path / "process").write_text(json.dumps(process))
    done = bundle.call("exec", "--process", "process", bundle.id)
    assert done.stdout.split() == ["Cpus_allowed_list:", str(last)]


@ANYWHERE
def test_what_was_there_is_copied_into_a_tmpfs(bundle):
    bundle.config["mounts"].append(
        {"destination": "/work", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro"]}
    )
    assert says(bundle, "cat /work/kept; touch /work/x 2>&1 || true") == "kept\ntouch: /work/x: Read-only file system\n"


@ANYWHERE
def test_read_only_to_the_last_mount_below(bundle, rootfs):
    below = rootfs / "source/below"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        options = ["rbind", "rro", "rnosuid"]
        bundle.config["mounts"].append({"destination": "/work", "source": str(rootfs / "source"), "options": options})
        text = says(bundle, "touch /work/x /work/below/x 2>&1; grep ' /work' /proc/self/mountinfo")
        assert text.count("Read-only file system") == 2 and text.count(" ro,nosuid,") == 2
        bundle.config["mounts"][-1]["options"] = ["rbind", "ro"]
        assert says(bundle, "touch /work/x 2>/dev/null || touch /work/below/x && echo written") == "written\n"
    finally:
        subprocess.run(["umount", below], check=True)


@ANYWHERE
def test_a_mount_with_ids_of_its_own(bundle, rootfs):
    maps = [{"containerID": 0, "hostID": 5000, "size": 1000}]
    entry = {"destination": "/work", "source": str(rootfs / "work"), "options": ["bind", "idmap"]}
    bundle.config["mounts"].append(entry | {"uidMappings": maps, "gidMappings": maps})
    assert says(bundle, "stat -c '%u %g' /work/kept") == "5000 5000\n"


@ANYWHERE
def test_ids_of_the_container_for_a_mount(bundle, rootfs):
    users(bundle.config)
    entry = {"destination": "/work", "source": str(rootfs / "work"), "options": ["bind", "idmap"]}
    bundle.config["mounts"].append(entry)
    assert says(bundle, "stat -c '%u %g' /work/kept /etc/passwd").split() == ["0", "0", "65534", "65534"]


@ANYWHERE
@pytest.mark.machine("raised limits")
def test_limits_above_the_callers_where_the_container_could_not_raise_them(bundle):
    """As engines ask for: they say a million of descriptors where systemd's limit for services is half of that."""
    users(bundle.config)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bundle.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": soft + 1, "hard": hard + 1}]
    bundle.save()
    assert resource.prlimit(bundle.create(), resource.RLIMIT_NOFILE) == (soft + 1, hard + 1)
    bundle.call("start", bundle.id)
    process = bundle.config["process"] | {"args": ["sh", "-c", "ulimit -Sn; ulimit -Hn"]}
    (bundle.path / "process").write_text(json.dumps(process))
    assert bundle.call("exec", "--process", "process", bundle.id).stdout.split() == [str(soft + 1), str(hard + 1)]


@ANYWHERE
def test_namespaces_of_another_process(bundle, tmp_path, rootfs):
    first = Bundle(tmp_path / "first", rootfs)
    users(first.config)
    first.save()
    try:
        pid = first.create()
        kinds = {"user": "user", "network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid"}
        bundle.config["linux"]["namespaces"] = [
            {"type": "mount"},
            *({"type": kind, "path": f"/proc/{pid}/ns/{name}"} for kind, name in kinds.items()),
        ]
        kept = [entry for entry in bundle.config["mounts"] if entry["type"] not in ("sysfs", "cgroup")]
        bundle.config["mounts"] = kept
        bundle.config.pop("hostname")
        text = says(bundle, "for kind in user net ipc uts pid; do readlink /proc/self/ns/$kind; done; id -u")
        assert text.split() == [*(os.readlink(f"/proc/{pid}/ns/{name}") for name in kinds.values()), "0"]
    finally:
        first.call("delete", "--force", first.id)


@ANYWHERE
def test_mounts_travel_into_a_root_that_shares_them(bundle, rootfs):
    bundle.config["linux"]["rootfsPropagation"] = "rshared"
    entry = {"destination": "/work", "source": str(rootfs / "source"), "options": ["rbind", "rshared"]}
    bundle.config["mounts"].append(entry)
    bundle.save()
    bundle.call("run", "--detach", bundle.id)
    assert str(rootfs / "dev") not in Path("/proc/self/mountinfo").read_text()
    below = rootfs / "source/below"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=711", "tmpfs", below], check=True)
    try:
        assert bundle.call("exec", bundle.id, "stat", "-c", "%a", "/work/below").stdout == "711\n"
    finally:
        subprocess.run(["umount", below], check=True)


def test_the_cgroup_is_seen_without_a_namespace_of_its_own(bundle):
    spaces = bundle.config["linux"]["namespaces"]
    bundle.config["linux"]["namespaces"] = [entry for entry in spaces if entry["type"] != "cgroup"]
    text = says(bundle, "cat /sys/fs/cgroup/cgroup.procs; grep ^0:: /proc/self/cgroup")
    assert text.split()[0] == "1" and text.splitlines()[-1].endswith(f"/{bundle.id}")


@ANYWHERE
def test_a_link_of_the_host_becomes_the_containers(bundle):
    name = f"t{uuid.uuid4().hex[:8]}"
    for words in (f"link add {name} type veth peer name {name}p", f"address add 192.0.2.7/24 dev {name}"):
        subprocess.run(["ip", *words.split()], check=True)
    try:
        bundle.config["linux"]["netDevices"] = {name: {"name": "inner0"}}
        bundle.save()
        pid = bundle.create()
        show = ["nsenter", "-t", str(pid), "-n", "ip", "-json", "address", "show", "inner0"]
        shown = json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)[0]
        assert "UP" in shown["flags"] and shown["addr_info"][0]["local"] == "192.0.2.7"
    finally:
        subprocess.run(["ip", "link", "delete", f"{name}p"], check=False)


@ANYWHERE
def test_nothing_of_the_callers_masks_gets_in(bundle):
    """Neither its umask, by which mount points would be for root only, nor signals that it blocks and ignores."""
    bundle.config["root"]["readonly"] = False
    bundle.config["mounts"].append({"destination": "/made/below", "type": "tmpfs", "source": "tmpfs"})
    script = "umask; stat -c %a /made; exec grep -E 'Sig(Blk|Ign)' /proc/self/status"
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()

    def mask():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        for number in (signal.SIGCHLD, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

    done = bundle.call("run", bundle.id, umask=0o077, preexec_fn=mask)
    assert done.stdout.split() == ["0022", "755", "SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


@ANYWHERE
def test_a_user_has_containers_with_his_own_id(bundle, rootfs):
    config = json.loads((bundle.path / "config.json").read_text())
    config["root"] = {"path": str(rootfs)}
    spaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "user")]
    ids = [{"containerID": 0, "hostID": 1000, "size": 1}]
    config["linux"] = {"namespaces": spaces, "uidMappings": ids, "gidMappings": ids}
    config["mounts"] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
    ]
    config["process"] |= {"args": ["sh", "-c", "id -u; cat /proc/self/uid_map; ls /dev/null"], "user": {}}
    (bundle.path / "config.json").write_text(json.dumps(config))
    for path in (bundle.path, *bundle.path.parents):
        if path.is_relative_to("/tmp/pytest-of-root"):
            path.chmod(0o755)
    own = bundle.path / "run"
    own.mkdir()
    os.chown(own, 1000, 1000)
    words = ("--reuid=1000", "--regid=1000", "--clear-groups", RUNTIME, "--root", str(own / "state"))
    done = bundle.call(*words, "run", bundle.id, runtime="setpriv", env={"XDG_RUNTIME_DIR": str(own)})
    assert done.stdout.split() == ["0", "0", "1000", "1", "/dev/null"]
    assert not (own / "state" / bundle.id).exists()


def test_a_tmpfs_has_the_mode_of_what_it_hides_and_is_for_all_else(bundle, rootfs):
    new = f"new-{bundle.id}"
    (rootfs / "work").chmod(0o750)
    bundle.config["mounts"] += [{"type": "tmpfs", "destination": place} for place in (f"/{new}/below", "/work")]
    try:
        assert says(bundle, f"stat -c %a /{new} /{new}/below /work") == "755\n1777\n750\n"
    finally:
        (rootfs / "work").chmod(0o755)
        (rootfs / new / "below").rmdir()
        (rootfs / new).rmdir()
