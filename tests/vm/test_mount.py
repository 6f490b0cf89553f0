"""`nsunit mount`: a container's root on the host, with the owners that its programs see."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.once("files and mounts of the kernel alone")
BASE = "[Container]\nLayer={layer}\nLayer=/srv/roots/busybox\nExec=/bin/sleep 9999\n"
MOUNTS = Path("/run/nsunit/mounts")


@pytest.fixture(scope="module")
def layer(workplace: Path) -> Path:
    place = workplace / uuid.uuid4().hex
    (place / "srv").mkdir(parents=True)
    (place / "srv/file").write_text("layer\n")
    (place / "srv/gone").write_text("layer\n")
    os.chown(place / "srv/file", 33, 34)
    return place


def points() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


def test_of_one_that_runs_and_of_one_that_does_not(containers, nsunit, layer, workplace):
    bound = workplace / "bound"
    bound.mkdir()
    volume = f"m-{uuid.uuid4().hex[:8]}"
    text = BASE.format(layer=layer) + f"Volume={volume}:/volume\nBind={bound}:/bound\nTmpfs=/srv/tmp\n"
    container = containers.start(text)
    nsunit("exec", container.name, "sh", "-c", "rm /srv/gone; echo mine >/srv/new; chown 7:8 /srv/new /volume")
    start = int(container.proc("uid_map").split()[1])
    os.chown(bound, start + 5, start + 6)
    place = Path(nsunit("mount", container.name).stdout.strip())
    assert place == MOUNTS / container.name / "root"
    assert (place / "srv/new").read_text() == "mine\n"
    assert not (place / "srv/gone").exists()
    assert [owner(place / path) for path in ("srv/file", "srv/new", "bin")] == [(33, 34), (7, 8), (0, 0)]
    # Its mounts as well: a volume, and a bind, whose owner is shown as inside.
    assert owner(place / "volume") == (7, 8)
    assert nsunit("exec", container.name, "stat", "-c", "%u:%g", "/bound").stdout == "5:6\n"
    assert owner(place / "bound") == (5, 6)
    for path in ("srv/x", "volume/x", "bound/x"):
        with pytest.raises(OSError, match="Read-only file system"):
            (place / path).touch()
    # Once more is where it is; elsewhere is another one.
    assert nsunit("mount", container.name).stdout.strip() == str(place)
    elsewhere = workplace / "else where"
    elsewhere.mkdir()
    nsunit("mount", container.name, str(elsewhere))
    assert points().count(str(place)) == 1
    listed = json.loads(nsunit("mount", "--json").stdout)
    assert [item["path"] for item in listed if item["name"] == container.name] == [str(place), str(elsewhere)]
    refused = nsunit("mount", "--write", container.name, str(bound), check=False)
    assert "two cannot write to one root" in refused.stderr
    assert "read-only" in nsunit("mount", "--write", container.name, check=False).stderr
    done = nsunit("umount", "/srv", check=False)
    assert "no container's root is mounted on '/srv'" in done.stderr
    nsunit("umount", str(elsewhere))
    assert os.listdir(elsewhere) == []
    # It outlives a stop, and a start finds its root as it was.
    nsunit("stop", container.name)
    assert (place / "srv/new").read_text() == "mine\n"
    nsunit("start", container.name)
    assert container.exec("cat", "/srv/new").stdout == "mine\n"
    nsunit("stop", container.name)
    assert nsunit("umount", container.name).stdout.strip() == str(place)
    assert not (MOUNTS / container.name).exists()
    assert nsunit("umount", container.name, check=False).returncode == 3
    nsunit("mount", container.name, str(elsewhere))
    assert owner(elsewhere / "srv/new") == (7, 8)
    nsunit("rm", container.name)
    assert str(elsewhere) not in points()
    assert not (MOUNTS / container.name).exists()
    nsunit("volume", "rm", "--force", volume)


def test_what_is_written_is_there_at_the_next_start(containers, nsunit, layer):
    container = containers.of(containers.define(BASE.format(layer=layer)))
    refused = nsunit("mount", "-w", container.name, check=False)
    assert "it was not started yet" in refused.stderr
    assert not (MOUNTS / container.name).exists()
    nsunit("start", container.name)
    nsunit("stop", container.name)
    place = Path(nsunit("mount", "-w", container.name).stdout.strip())
    (place / "srv/file").write_text("by the host\n")
    (place / "srv/gone").unlink()
    tool = place / "srv/tool"
    tool.write_bytes(Path("/bin/id").read_bytes())
    tool.chmod(0o4755)
    os.chown(tool, 1000, 1000)
    tool.chmod(0o4755)
    assert "uid=0" in subprocess.run([tool], capture_output=True, text=True, check=True).stdout
    assert "euid" not in subprocess.run([tool], capture_output=True, text=True, check=True).stdout
    refused = nsunit("start", container.name, check=False)
    assert "its root is mounted on the host, to be written to" in refused.stderr
    assert f"nsunit umount {container.name}" in refused.stderr
    nsunit("umount", container.name)
    nsunit("start", container.name)
    assert container.exec("sh", "-c", "cat /srv/file; stat -c %u:%g:%a /srv/file /srv/tool; ls /srv").stdout == (
        "by the host\n33:34:644\n1000:1000:4755\nfile\ntool\n"
    )


def test_other_kinds_of_roots(containers, nsunit, layer, workplace):
    tree = workplace / "private"
    subprocess.run(["cp", "-a", "/srv/roots/busybox/.", tree], check=True)
    (tree / "own").write_text("")
    os.chown(tree / "own", 12, 13)
    workplace.chmod(0o700)
    whole = containers.start(f"[Container]\nRootfs={tree}\nExec=/bin/sleep 9999\n")
    place = Path(nsunit("mount", whole.name).stdout.strip())
    assert owner(place / "own") == (12, 13)
    with pytest.raises(OSError, match="Read-only"):
        (place / "x").touch()
    closed = containers.start(BASE.format(layer=layer) + "ReadOnly=yes\n")
    place = Path(nsunit("mount", closed.name).stdout.strip())
    assert owner(place / "srv/file") == (33, 34)
    volatile = containers.start(BASE.format(layer=layer) + "Volatile=yes\n")
    refused = nsunit("mount", volatile.name, check=False)
    assert "what it writes is in memory" in refused.stderr
    nsunit("stop", volatile.name)
    assert "nothing that is written to its root is kept" in nsunit("mount", "-w", volatile.name, check=False).stderr
    place = Path(nsunit("mount", volatile.name).stdout.strip())
    assert (place / "srv/file").read_text() == "layer\n"
    for container in (whole, closed, volatile):
        nsunit("umount", container.name)


def test_left_overs_and_what_is_in_the_way(containers, nsunit, run, layer, workplace):
    container = containers.of(containers.define(BASE.format(layer=layer)))
    place = Path(nsunit("mount", container.name).stdout.strip())
    # Somebody has taken it away, or put something on top.
    run("umount", str(place))
    assert container.name not in nsunit("mount").stdout
    nsunit("mount", container.name)
    run("mount", "-t", "tmpfs", "none", str(place))
    refused = nsunit("umount", container.name, check=False)
    assert "something else is mounted over its root" in refused.stderr
    run("umount", str(place))
    # What it does not know of is left alone, with all that is in it.
    known = MOUNTS / container.name / "places"
    content = known.read_bytes()
    known.write_bytes(b"")
    refused = nsunit("rm", container.name, check=False)
    assert f"something is mounted at '{place}'" in refused.stderr
    assert (layer / "srv/file").exists()
    known.write_bytes(content)
    # As if it had been killed between writing it down and mounting it.
    known.write_bytes(known.read_bytes() + b"999999 rw " + os.fsencode(workplace) + b"\0")
    assert str(workplace) not in nsunit("mount").stdout
    assert nsunit("umount", container.name).stdout.strip() == str(place)
    assert not (MOUNTS / container.name).exists()
    assert "is not a directory" in nsunit("mount", container.name, str(workplace / "none"), check=False).stderr
    assert nsunit("mount", "nobody-has-it", check=False).returncode == 3
    assert "--write is for a container" in nsunit("mount", "--write", check=False).stderr
    assert not (MOUNTS / container.name).exists()
