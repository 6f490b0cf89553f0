"""`doctor --check` and `--repair`: what is there of nsunit's and no container owns."""

import json
import os
import subprocess
from pathlib import Path

SLEEPER = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nNotify=no\nExec=/bin/sleep 1000\n"
CGROUPS = Path("/sys/fs/cgroup/nsunit.slice")
RUN = Path("/run/nsunit")
GONE = "gone-for-good"
SLICE = r"nsunit-gone\x2dfor\x2dgood.slice"
SERVICE = SLICE.replace(".slice", ".service")


def litter(run):
    """Leave one of each kind."""
    group = CGROUPS / SLICE / SERVICE
    group.mkdir(parents=True)
    stray = subprocess.Popen(["sleep", "1000"])
    (group / "cgroup.procs").write_text(str(stray.pid))
    (RUN / "containers" / GONE / "root").mkdir(parents=True)
    (RUN / "network" / GONE).mkdir(parents=True)
    run("mount", "-t", "tmpfs", "none", f"{RUN}/containers/{GONE}/root")
    for name in (f"unstarted-{GONE}", "plan.4194305.new", f"locks/{GONE}"):
        (RUN / name).touch()
    ids = Path("/var/lib/nsunit/containers", GONE)
    ids.mkdir(mode=0o700)
    (ids / "ids").write_text("1000000 65536 allocated\n")
    run("systemctl", "start", "nsunit-nothing.slice")
    run("ip", "link", "add", "nv-gone", "type", "veth", "peer", "name", "nv-peer")
    return stray, [
        ("unit", "nsunit-nothing.slice"),
        ("cgroup", f"{CGROUPS}/{SLICE}"),
        ("cgroup", f"{CGROUPS}/{SLICE}/{SERVICE}"),
        ("mount", f"{RUN}/containers/{GONE}/root"),
        ("directory", f"{RUN}/containers/{GONE}"),
        ("directory", f"{RUN}/network/{GONE}"),
        ("file", f"{RUN}/unstarted-{GONE}"),
        ("lock", f"{RUN}/locks/{GONE}"),
        ("file", f"{RUN}/plan.4194305.new"),
        ("id range", f"/var/lib/nsunit/containers/{GONE}"),
        ("network", "the link 'nv-gone' belongs to no container"),
        ("network", "the link 'nv-peer' belongs to no container"),
    ]


def test_one_of_each_kind(tidy, containers, nsunit, run):
    os.makedirs("/var/lib/nsunit/containers", mode=0o700, exist_ok=True)
    others = containers.start(SLEEPER + "[Service]\nRestart=always\n")
    kept = containers.start(SLEEPER.replace("Rootfs", "Layer").replace("Volatile=yes\n", ""))
    nsunit("stop", kept.name)
    stray, expected = litter(run)
    done = nsunit("doctor", "--check", "--json", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    found = [(item["kind"], item["what"]) for item in json.loads(done.stdout)]
    assert sorted(found) == sorted(expected)
    done = nsunit("doctor", "--repair", "--no-headings")
    assert len(done.stdout.splitlines()) == len(expected) + 1
    assert done.stdout.endswith(f"{len(expected)} leftovers taken away\n")
    assert stray.wait(60) == -9
    assert others.show("ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
    nsunit("start", kept.name)
