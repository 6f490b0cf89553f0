"""`doctor --check` and `--repair`: what is there of nsunit's and no container owns."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from nsunit.names import timer_name

SLEEPER = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nNotify=no\nExec=/bin/sleep 1000\n"
CGROUPS = Path("/sys/fs/cgroup/nsunit.slice")
RUN = Path("/run/nsunit")
STATE = Path("/var/lib/nsunit")
UNITS = Path("/etc/systemd/system")
GONE = "gone-for-good"
SLICE = r"nsunit-gone\x2dfor\x2dgood.slice"
SERVICE = SLICE.replace(".slice", ".service")


def litter_files():
    """The kinds that are files, or directories that somebody was at work in."""
    dead = 4194305
    places = [RUN / f"notify/{GONE}", RUN / f"failed-{GONE}", RUN / "locks/cgroup:gone"]
    places += [STATE / f"networks/x.{dead}.new", UNITS / f".nsunit-gone.service.{dead}"]
    places += [Path(f"/etc/nsunit/.gone.nsunit.{dead}")]
    for place in places:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.touch()
    kinds = [("lock" if "locks" in str(place) else "file", str(place)) for place in places]
    for place in (STATE / "incoming/0123", STATE / "images/staging/0123", Path("/etc/nsunit/.edit-0123")):
        (place / "deeper").mkdir(parents=True, mode=0o700)
        kinds.append(("draft" if "edit" in place.name else "directory", str(place)))
    mounted = RUN / f"mounts/{GONE}"
    (mounted / "root").mkdir(parents=True)
    (mounted / "places").write_bytes(b"4194305 ro %s/root\0" % bytes(mounted))
    (pin := RUN / "namespaces/gone").mkdir(parents=True)
    (pin / ".net").touch()
    (pin / "net").touch()
    (note := STATE / "groups/gone.slice").parent.mkdir(mode=0o700, exist_ok=True)
    note.write_text("[Slice]\n")
    (UNITS / "nsunit-gone.slice").write_text("[Slice]\n")
    return [*kinds, ("place of a mount", str(mounted)), ("pin", str(pin)), ("group", str(note))]


def litter_of_enable(run):
    """Containers that are enabled by half, and a socket whose unit file is gone."""
    for name in ("killed", "bare"):
        boot = STATE / f"containers/{name}/boot"
        boot.mkdir(parents=True, mode=0o700)
        (boot.parent / "overlay").mkdir()
    (STATE / "containers/killed/boot/unfinished").touch()
    made = "# Container {}: what it is.\n# Made by nsunit from nowhere; change it there.\n[Service]\nExecStart=true\n"
    for name in ("killed", "orphan"):
        (UNITS / f"nsunit-{name}.service").write_text(made.format(name))
    link = UNITS / "multi-user.target.wants/nsunit-none.service"
    link.symlink_to(UNITS / "nsunit-none.service")
    socket = UNITS / "nsunit-lost-port-80.socket"
    socket.write_text("[Socket]\nListenStream=/run/lost\n[Unit]\n")
    socket.with_suffix(".service").write_text("[Service]\nExecStart=true\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "start", socket.name)
    socket.unlink()
    run("systemctl", "daemon-reload")
    socket.with_suffix(".service").unlink()
    return [
        ("enable", f"{STATE}/containers/bare/boot"),
        ("enable", f"{STATE}/containers/killed/boot"),
        ("unit file", f"{UNITS}/nsunit-orphan.service"),
        ("link", str(link)),
        ("unit", socket.name),
    ]


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
    files, other = litter_files(), litter_of_enable(run)
    return stray, [
        *files,
        *other,
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
    living = containers.start(SLEEPER + "[Service]\n")
    grouped = containers.define(SLEEPER + "Slice=living\n[Timer]\nOnCalendar=2099-01-01\n")
    nsunit("enable", "--now", grouped)
    nsunit("ns", "pin", living.name, "net", "living-pin")
    nsunit("mount", kept.name)
    twin = STATE / "containers/twin"
    shutil.copytree(STATE / f"containers/{kept.name}", twin, symlinks=True)
    # Only the later one of two that do not run.
    (same,) = json.loads(nsunit("doctor", "--check", "--json", check=False).stdout)
    assert (same["kind"], same["what"]) in [("file", f"{path}/ids") for path in (twin, twin.with_name(kept.name))]
    stray, expected = litter(run)
    done = nsunit("doctor", "--check", "--json", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    found = [(item["kind"], item["what"]) for item in json.loads(done.stdout)]
    expected.append((same["kind"], same["what"]))
    assert sorted(found) == sorted(expected)
    done = nsunit("doctor", "--repair", "--no-headings")
    assert len(done.stdout.splitlines()) == len(expected) + 1
    assert done.stdout.endswith(f"{len(expected)} leftovers taken away\n")
    assert stray.wait(60) == -9
    assert others.show("ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
    assert nsunit("doctor", "--check").stdout == "nothing is left\n"
    assert living.show("ActiveState")["ActiveState"] == "active"
    assert (RUN / "namespaces/living-pin/net").exists()
    assert (UNITS / f"{timer_name(grouped)}").exists()
    assert [item["name"] for item in json.loads(nsunit("mount", "--json").stdout)] == [kept.name]
    nsunit("ns", "unpin", "living-pin")
    nsunit("umount", kept.name)
    nsunit("disable", "--now", grouped)
    for name in ("twin", "killed", "bare"):
        shutil.rmtree(STATE / "containers" / name)
    nsunit("start", kept.name)
