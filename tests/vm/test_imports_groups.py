"""Definitions of libcgroup, OpenVZ, Linux-VServer and lmctfy come in, start, and have the limits that they had."""

import os
import shutil
import uuid
from pathlib import Path

import pytest

ANYWHERE = pytest.mark.anywhere("definitions of keys that have tests of their own on all releases")

MIB = 1 << 20
# The machine's agent would wait for a serial port inside as well.
ROOT = """[Container]
Rootfs=
Layer=/
Volatile=yes
BindReadOnly=/dev/null:/etc/systemd/system/test-agent.service
[Service]
TimeoutStartSec=120
"""


@pytest.fixture
def imported(containers, run):
    """Brings files in, and returns what is written on standard error; all of it is removed afterwards."""

    def bring(kind, *sources, names):
        for name in names:
            containers.files.append(Path(f"/etc/nsunit/{name}.nsunit"))
        done = run("nsunit", "import", kind, *map(str, sources))
        assert sorted(done.stdout.split()) == sorted(f"/etc/nsunit/{name}.nsunit" for name in names)
        run("nsunit", "verify", *names)
        return done.stderr

    return bring


def a_root(place):
    """A root with busybox."""
    root = place / "root"
    (root / "bin").mkdir(parents=True)
    (root / "sbin").mkdir()
    shutil.copy("/bin/busybox", root / "bin/busybox")
    (root / "sbin/init").symlink_to("../bin/busybox")
    for applet in ("sh", "sleep", "cat"):
        (root / "bin" / applet).symlink_to("busybox")
    return root


def shown(run, unit, *keys):
    lines = run("systemctl", "show", *(f"--property={key}" for key in keys), unit).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_groups_of_libcgroup_and_lmctfy_hold_their_containers(containers, imported, run, tmp_path):
    group, jobs = f"g{uuid.uuid4().hex[:8]}", f"j{uuid.uuid4().hex[:8]}"
    (tmp_path / "cgconfig.conf").write_text(
        f"group {group}/cp {{\n cpu {{ cpu.shares = 512; cpu.cfs_quota_us = 50000; }}\n"
        " memory { memory.limit_in_bytes = 64M; memory.memsw.limit_in_bytes = 96M; }\n pids { pids.max = 50; }\n"
        " perm { admin { uid = nobody; } }\n}\n"
    )
    said = imported("libcgroup", tmp_path, names=[f"{group}-cp.slice"])
    assert "cgconfig.conf:5: admin.uid: a slice belongs to nobody else" in said
    (tmp_path / f"{jobs}.pbtxt").write_text("cpu { max_limit: 250 } memory { limit: 33554432 max_limit: 67108864 }")
    assert imported("lmctfy", tmp_path / f"{jobs}.pbtxt", names=[f"{jobs}.slice"]) == ""

    text = f"[Container]\nLayer={a_root(tmp_path)}\nExec=sleep 3600\n"
    members = [containers.member(f"{group}-cp", text), containers.member(jobs, text)]
    run("nsunit", "start", *(member.name for member in members))
    keys = ("CPUWeight", "CPUQuotaPerSecUSec", "MemoryMax", "MemorySwapMax", "TasksMax")
    expected = dict(zip(keys, ("50", "500ms", str(64 * MIB), str(32 * MIB), "50"), strict=True))
    assert shown(run, f"nsunit-{group}-cp.slice", *keys) == expected
    keys = ("CPUQuotaPerSecUSec", "MemoryHigh", "MemoryMax")
    expected = dict(zip(keys, ("250ms", str(32 * MIB), str(64 * MIB)), strict=True))
    assert shown(run, f"nsunit-{jobs}.slice", *keys) == expected


@ANYWHERE
def test_a_vserver_starts(containers, imported, run, tmp_path):
    name = containers.own(f"v{uuid.uuid4().hex[:8]}")
    box = containers.of(name)
    root, server = a_root(tmp_path), tmp_path / "vservers" / name
    for file, text in {
        "apps/init/cmd.start": "/bin/sleep\n3600\n",
        "apps/init/environment": "A=b c\n",
        "apps/init/killseq": "KILL\n",
        "bcapabilities": "CAP_NET_RAW\n",
        "context": "42\n",
        "fstab": "none /proc proc defaults 0 0\nnone /work tmpfs size=1m 0 0\n",
        "nice": "5\n",
        "rlimits/nproc": "30\n",
        "rlimits/rss.hard": f"{64 * MIB // 4096}\n",
        "sched/fill-rate": "1\n",
        "sched/interval": "4\n",
        "uts/nodename": "old.example\n",
    }.items():
        (server / file).parent.mkdir(parents=True, exist_ok=True)
        (server / file).write_text(text)
    (server / "vdir").symlink_to(root)
    said = imported("vserver", server.parent, names=[name])
    assert (
        said
        == f"nsunit: {server}/context: context: ids are chosen by nsunit; use PrivateUsers=START:COUNT for a range\n"
    )
    run("nsunit", "start", name)
    assert box.exec("cat", "/proc/sys/kernel/hostname").stdout == "old.example\n"
    assert box.exec("sh", "-c", "echo $A").stdout == "b c\n"
    assert (box.root / "work").is_dir()
    assert os.getpriority(os.PRIO_PROCESS, box.pid) == 5
    assert int(box.status()["CapBnd"], 16) & 1 << 13
    keys = ("CPUQuotaPerSecUSec", "MemoryMax", "TasksMax")
    expected = dict(zip(keys, ("250ms", str(64 * MIB), "30"), strict=True))
    assert shown(run, f"nsunit-{name}.slice", *keys) == expected


@ANYWHERE
def test_a_container_of_lmctfy_starts(containers, imported, run, tmp_path):
    name = containers.own(f"l{uuid.uuid4().hex[:8]}")
    box = containers.of(name)
    (tmp_path / f"{name}.pbtxt").write_text(
        f'filesystem {{ rootfs: "{a_root(tmp_path)}" fd_limit: 64 }}\n'
        "memory { limit: 67108864 eviction_priority: 2500 tmpfs { path: '/tmp' } }\n"
        'virtual_host { virtual_hostname: "lm" init { init_argv: "/bin/sleep" init_argv: "3600" } }\n'
    )
    assert imported("lmctfy", tmp_path / f"{name}.pbtxt", names=[name]) == ""
    run("nsunit", "start", name)
    assert box.exec("cat", "/proc/sys/kernel/hostname").stdout == "lm\n"
    assert box.proc("oom_score_adj") == "500\n"
    assert os.readlink(f"/proc/{box.pid}/ns/net") == os.readlink("/proc/self/ns/net")
    assert shown(run, f"nsunit-{name}.slice", "MemoryMax") == {"MemoryMax": str(64 * MIB)}


@ANYWHERE
def test_a_container_of_openvz_boots(containers, imported, run, tmp_path):
    """With another root, as one of OpenVZ's with a systemd in it would have to be made first."""
    name = containers.own(f"o{uuid.uuid4().hex[:8]}")
    (tmp_path / "101.conf").write_text(
        f'NAME="{name}"\nVE_ROOT="/vz/root/$VEID"\nVE_PRIVATE="{a_root(tmp_path)}"\nPHYSPAGES="128M:256M"\n'
        'SWAPPAGES="0:64M"\nNUMPROC="500:500"\nCPULIMIT="150"\nHOSTNAME="ve101"\nVE_ENVIRONMENT="A=b"\n'
    )
    assert imported("openvz", tmp_path / "101.conf", names=[name]) == ""
    folder = Path(f"/etc/nsunit/{name}.nsunit.d")
    folder.mkdir()
    containers.files.append(folder / "root.conf")
    (folder / "root.conf").write_text(ROOT)
    try:
        run("nsunit", "start", name)
        assert containers.of(name).exec("cat", "/proc/sys/kernel/hostname").stdout == "ve101\n"
        keys = ("CPUQuotaPerSecUSec", "MemoryHigh", "MemoryMax", "MemorySwapMax", "TasksMax")
        expected = ("1.500000s", str(128 * MIB), str(256 * MIB), str(64 * MIB), "500")
        assert shown(run, f"nsunit-{name}.slice", *keys) == dict(zip(keys, expected, strict=True))
    finally:
        run("nsunit", "stop", name)
        (folder / "root.conf").unlink()
        folder.rmdir()
