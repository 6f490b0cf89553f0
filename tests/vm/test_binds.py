"""Whose the files of a bind are: by default nobody's inside, which is told; one id's, or all the program's."""

import os
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.anywhere("mounts of the kernel's")

BASE = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
Exec=/bin/sleep 1000
"""
START = 900_000
USERS = f"PrivateUsers={START}:65536\n"
WWW = 33


@pytest.fixture
def data(workplace):
    """A directory of user 1000's, with what a walk must not follow, and a file outside that is not to be touched."""
    place = Path(tempfile.mkdtemp(dir=workplace))
    directory, outside = place / "data", place / "outside"
    (directory / "below").mkdir(parents=True)
    outside.write_text("")
    (directory / "link").symlink_to(outside)
    (directory / "below/directory").symlink_to(place)
    (directory / "below/file").write_text("")
    os.mkfifo(directory / "fifo")
    for path in (directory, *directory.rglob("*")):
        os.chown(path, 1000, 1000, follow_symlinks=False)
    return directory


def owner(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid


def test_that_it_is_nobodys_is_told(containers, nsunit, data):
    name = containers.define(f"{BASE}Bind={data}:/data\nBindReadOnly={data}:/read\nBind=/tmp:/host-tmp\n")
    said = nsunit("start", name).stderr
    assert f"'{data}' belongs to user 1000, who is nobody inside; with 'Bind={data}:/data:idmap'" in said
    assert said.count("nobody inside") == 1


@pytest.mark.parametrize("users", [USERS, "PrivateUsers=no\n"])
def test_one_id_is_another_inside(containers, nsunit, data, users):
    name = containers.define(f"{BASE}{users}Bind={data}::idmap=1000-{WWW}\n")
    assert "nobody" not in nsunit("start", name).stderr
    script = f"cd {data}; stat -c '%u %g' . below/file; touch made; stat -c '%u %g' made"
    done = nsunit("exec", "-u", f"{WWW}:{WWW}", name, "sh", "-c", script)
    assert done.stdout.splitlines() == [f"{WWW} {WWW}"] * 3
    assert owner(data / "made") == (1000, 1000)
    assert nsunit("exec", name, "touch", f"{data}/by-root", check=False).returncode != 0  # who has no id there


def test_all_becomes_the_programs(containers, nsunit, data):
    base = f"{BASE}{USERS}User={WWW}\nGroup={WWW}\nBind={data}:/data:U\n"
    container = containers.start(base)
    own = (START + WWW, START + WWW)
    for path in (data, data / "below", data / "below/file", data / "link", data / "below/directory", data / "fifo"):
        assert owner(path) == own, path
    assert owner(data.parent) == owner(data.parent / "outside") == (0, 0)
    container.exec("stat", "-c", "%u", "/data")
    assert nsunit("exec", "-u", f"{WWW}:{WWW}", container.name, "touch", "/data/new").stderr == ""
    os.chown(data / "new", 0, 0)
    nsunit("restart", container.name)
    assert owner(data / "new") == (0, 0)  # it was done already, as the directory itself tells


def test_source_alone_with_options(containers, data):
    container = containers.start(f"{BASE}Bind={data}::ro\n")
    done = container.exec("touch", f"{data}/new", check=False)
    assert "Read-only file system" in done.stderr


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Bind=/srv:/data:U", "'/srv' is the host's"),
        ("Bind=/etc/ssh:/data:U", "'/etc/ssh' is the host's"),
        ("Bind=/srv/a:/data:U,idmap", "says twice whose the files are"),
        ("Bind=/srv/a:/data:idmap=33", "is no id on disk and one inside"),
        ("Bind=/srv/a:/data:idmap=1-70000", "'70000' is outside the container's 65536 ids"),
        ("UIDMap=0 600000 1000\nBind=/srv/a:/data:idmap=1-2", "one range of the container's own"),
    ],
)
def test_what_is_refused(containers, nsunit, lines, message):
    name = containers.define(f"{BASE}{lines}\n")
    assert message in nsunit("start", name, check=False).stderr
