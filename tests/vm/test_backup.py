"""Whole containers exported and imported."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest
from backups import DEFINITIONS, INCOMING, forget, seen, text, written
from interrupting import interrupted
from waiting import wait_until

__all__ = ["text"]  # a fixture
pytestmark = pytest.mark.once("files and mounts of the kernel alone")


@pytest.fixture
def place(tmp_path):
    """Where archives go."""
    return tmp_path


def test_export_and_import(containers, nsunit, text, place):
    box = written(containers, text, limits="[Service]\nTasksMax=99\n")
    nsunit("set", "--persist", box.name, "CPUWeight=77")
    before = seen(box)
    first = (box.state / "ids").read_text()
    archive = place / "a.tar"
    nsunit("export", box.name, str(archive))
    assert not box.show("FreezerState")["FreezerState"].startswith("frozen")
    assert oct(archive.stat().st_mode & 0o777) == "0o600"
    assert archive.stat().st_size < 1 << 20
    manifest = json.loads(
        subprocess.run(["tar", "-xOf", archive, "nsunit-container.json"], capture_output=True, check=True).stdout
    )
    assert manifest["name"] == box.name
    assert {"key": "Layer", "value": "/srv/roots/busybox"} in manifest["needs"]
    listed = subprocess.run(
        ["tar", "--numeric-owner", "-tvf", archive], capture_output=True, text=True, check=True
    ).stdout
    assert "33/44" in listed
    nsunit("stop", "--now", box.name)
    done = nsunit("import", str(archive), check=False)
    assert (done.returncode, "is the state of a container of that name" in done.stderr) == (1, True)
    forget(nsunit, box.name)
    taken = Path("/var/lib/nsunit/containers/taken")  # somebody else has its ids now
    taken.mkdir(mode=0o700)
    (taken / "ids").write_text(first)
    try:
        assert nsunit("import", str(archive)).stdout == f"{box.name}\n"
        nsunit("start", box.name)
        wait_until(lambda: (box.root / "ready").exists())
        assert seen(box) == before
        assert (box.state / "ids").read_text() != first
        assert os.getxattr(box.root / "data", "user.note") == b"a\0b"
        assert (box.upper / "data/hole").stat().st_blocks * 512 < 1 << 20
        assert box.show("TasksMax")["TasksMax"] == "99"
        assert box.show("CPUWeight", unit=box.slice)["CPUWeight"] == "77"
    finally:
        (taken / "ids").unlink()
        taken.rmdir()
    assert list(INCOMING.iterdir()) == []
    nsunit("stop", "--now", box.name)
    (box.upper / "data/later").write_text("later\n")
    nsunit("import", "--force", str(archive))
    assert not (box.upper / "data/later").exists()


def test_by_streams_and_compressed(containers, nsunit, run, text, place):
    box = written(containers, text)
    before = seen(box)
    run(f"nsunit export --no-pause {box.name} - | gzip > {place}/a.tar.gz")
    nsunit("stop", "--now", box.name)
    run(f"nsunit export {box.name} - > {place}/a.tar")
    for archive in ("a.tar.gz", "a.tar"):
        forget(nsunit, box.name)
        run(f"nsunit import - < {place}/{archive}" if "gz" in archive else f"cat {place}/{archive} | nsunit import -")
        nsunit("start", box.name)
        assert seen(box) == before
        nsunit("stop", "--now", box.name)


def test_volumes_without_a_name_go_along(containers, nsunit, program, place):
    """Databases keep there what they have, and an image may say so where the definition does not."""
    script = "echo first > /data/file; chown 33:44 /data/file; ln /data/file /data/same; mkdir -m 1777 /data/sub"
    lines = ("Volatile=yes", "Volume=/data", "Volume=/var/lib/more")
    box = containers.start(program("touch /ready; exec sleep 1000000", *lines))
    look = "cd /data; stat -c '%n %F %a %u:%g %h' . *; cat file /var/lib/more/more"
    box.exec("sh", "-c", f"{script}; echo more > /var/lib/more/more")
    before, archive = box.exec("sh", "-c", look).stdout, place / "box.tar"
    nsunit("export", box.name, str(archive))

    copy = containers.own(f"{box.name}-copy")
    containers.files.append(DEFINITIONS / f"{copy}.nsunit")
    assert "Volume=" not in nsunit("clone", box.name, copy).stderr
    nsunit("start", copy)
    assert containers.of(copy).exec("sh", "-c", look).stdout == before

    box.exec("sh", "-c", "echo later > /data/file; touch /data/other")
    nsunit("stop", "--now", box.name)
    nsunit("import", "--force", str(archive))
    nsunit("start", box.name)
    assert box.exec("sh", "-c", look).stdout == before
    nsunit("rm", "--force", "--definition", box.name)
    nsunit("import", str(archive))
    nsunit("start", box.name)
    assert box.exec("sh", "-c", look).stdout == before

    # What is not in the archive, as of an older nsunit, is kept.
    nsunit("stop", "--now", box.name)
    without = place / "without.tar"
    with tarfile.open(archive) as source, tarfile.open(without, "w", format=tarfile.PAX_FORMAT) as target:
        for info in source:
            if not info.name.startswith("volumes/data/"):
                target.addfile(info, source.extractfile(info) if info.isreg() else None)
    nsunit("import", "--force", str(without))
    nsunit("start", box.name)
    assert box.exec("sh", "-c", look).stdout == before
    assert list(INCOMING.iterdir()) == []


def test_killed_at_any_time(containers, nsunit, run, text, place):
    """An import or export that is killed leaves nothing that the next one does not take away, and nobody paused."""
    box = written(containers, text)
    box.exec("sh", "-c", "head -c 5000000 /dev/urandom > /data/big")
    archive, freezer = place / "a.tar", {"unit": box.slice}
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Its reader takes nothing, so that it never ends by itself.
        with subprocess.Popen(
            ["nsunit", "export", box.name, "-"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as export:
            wait_until(lambda: "frozen" in box.show("FreezerState", **freezer)["FreezerState"])
            export.send_signal(number)
            export.wait()
        wait_until(lambda: box.show("FreezerState", **freezer)["FreezerState"] == "running")
    left = place / ".a.tar.nsunit"
    left.write_text("of one that was killed")
    nsunit("export", box.name, str(archive))
    assert not left.exists()
    forget(nsunit, box.name)
    content = archive.read_bytes()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(["nsunit", "import", "-"], stdin=subprocess.PIPE) as bring:
            bring.stdin.write(content[:3_000_000])
            wait_until(lambda: any(INCOMING.glob("*/archive")))
            bring.send_signal(number)
        with subprocess.Popen(["nsunit", "import", str(archive)], stdin=subprocess.DEVNULL) as bring:
            ended = bring.poll
            wait_until(lambda ended=ended: any(INCOMING.glob("*/overlay/upper/data")) or ended() is not None)
            bring.send_signal(number)
            bring.wait()
        if (DEFINITIONS / f"{box.name}.nsunit").exists():  # it was quicker, and then it is whole
            forget(nsunit, box.name)
    wait_until(lambda: not run("systemctl list-units --no-legend 'nsunit-unpack-*'").stdout)
    nsunit("import", "--force", str(archive))
    assert list(INCOMING.iterdir()) == []
    nsunit("start", box.name)
    assert (box.root / "data/big").stat().st_size == 5_000_000


def test_interrupted_in_the_moment_in_which_it_gets_its_name(containers, nsunit, text, place):
    """What was there is there again, whatever was already renamed."""
    box = written(containers, text)
    archive = str(place / "a.tar")
    nsunit("export", box.name, archive)
    nsunit("stop", "--now", box.name)
    later, volume = box.upper / "data/later", box.state / "volumes/own/data"
    later.write_text("later\n")
    volume.mkdir(parents=True)
    for where in ("restore:swap", "restore:_keep_volumes"):
        words = ("import", "--force", archive)
        done = interrupted(signal.SIGINT, "after", f"nsunit.features.transfer.{where}", *words)
        assert (done.returncode, later.exists(), volume.exists()) == (130, True, True), (where, done.stderr)
    shutil.rmtree(box.state / "volumes")
    new = f"{box.name}-new"
    for verb in ("clone", "rename"):
        done = interrupted(signal.SIGTERM, "after", "nsunit.storage.files:move", verb, box.name, new)
        assert (done.returncode, later.exists()) == (143, True), (verb, done.stderr)
        assert not (box.state.parent / new).exists(), verb
        assert not (DEFINITIONS / f"{new}.nsunit").exists(), verb
    assert list(INCOMING.iterdir()) == []
    nsunit("rename", box.name, new)
    forget(nsunit, new)


def test_the_examples_of_the_manual(containers, run):
    """Each command of nsunit-backup(7), in their order: the page's own test sees that they are the same."""
    for name in ("shop", "shop-test", "shop-next"):
        containers.own(name)
        containers.files.append(DEFINITIONS / f"{name}.nsunit")
    text = Path(__file__).with_name("backup-examples.txt").read_text()
    blocks = text.replace("/var/lib/machines/debian", "/srv/roots/busybox").split("\n\n")
    assert len(blocks) > 8
    told = [
        subprocess.run(["bash", "-euo", "pipefail", "-c", block], capture_output=True, text=True) for block in blocks
    ]
    assert [(done.args[-1], done.stderr) for done in told if done.returncode] == []
    assert json.loads(told[5].stdout[told[5].stdout.index("{") :])["name"] == "shop"
    assert "is shared with shop" in told[10].stderr
    assert not run("ls /etc/nsunit/shop* /var/lib/nsunit/containers/shop*", check=False).stdout
    Path("/var/tmp/shop.tar").unlink()
    Path("/var/tmp/shop-data.tar").unlink()
    shutil.rmtree("/var/tmp/disk")


def test_machinectl(containers, program, nsunit, run, place):
    """What the manual says of it: it copies out, and cannot copy in."""
    box = containers.start(program("exec sleep 1000000", "Register=yes", "Volatile=no"))
    run("machinectl", "copy-from", box.name, "/etc/passwd", str(place / "passwd"))
    assert (place / "passwd").read_text() == box.exec("cat", "/etc/passwd").stdout
    done = run("machinectl", "copy-to", box.name, str(place / "passwd"), "/tmp/passwd", check=False)
    assert done.returncode != 0
    nsunit("cp", str(place / "passwd"), f"{box.name}:/tmp/passwd")
    assert box.exec("cat", "/tmp/passwd").stdout == (place / "passwd").read_text()
