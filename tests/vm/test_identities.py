"""User and group ids: who a file belongs to, seen from inside and from outside."""

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ANYWHERE = pytest.mark.anywhere("ids and files of the kernel's")

ROOT = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\n"
OVERFLOW = 65534
CAP_NET_RAW_EFFECTIVE = bytes.fromhex("0100000200200000" + "00" * 12)


NS_GET_OWNER_UID = 0xB704


def start(maker, *keys, base=ROOT):
    return maker.start(base + "".join(f"{key}\n" for key in keys))


def owner(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid


def owner_inside(container, path):
    return tuple(map(int, container.exec("stat", "-c", "%u %g", path).stdout.split()))


@pytest.fixture(scope="module")
def data(workplace):
    """A directory of the host with files of several owners, everybody may write to it."""
    directory = workplace / "data"
    directory.mkdir()
    directory.chmod(0o777)
    for number in (0, 1000, 70000):
        (directory / str(number)).touch()
        os.chown(directory / str(number), number, number)
    return directory


@pytest.fixture(scope="module")
def mapped(shared, data):
    """A container with maps of several lines, and the directory bound with and without id-mapping."""
    return start(
        *(shared, "UIDMap=0 600000 1000", "UIDMap=1000 1000 1", "GIDMap=0 700000 1000", "GIDMap=1000 1000 1"),
        *(f"Bind={data}:/plain", f"Bind={data}:/mapped:idmap"),
    )


def test_maps_are_as_written(mapped):
    assert mapped.proc("uid_map").split() == ["0", "600000", "1000", "1000", "1000", "1"]
    assert mapped.proc("gid_map").split() == ["0", "700000", "1000", "1000", "1000", "1"]
    assert mapped.status()["Uid"].split()[0] == "600000"
    assert mapped.status()["Gid"].split()[0] == "700000"


def owner_of_namespace(container):
    with open(f"/proc/{container.pid}/ns/user", "rb") as file:
        return int.from_bytes(fcntl.ioctl(file, NS_GET_OWNER_UID, bytes(4)), sys.byteorder)


@ANYWHERE
def test_what_the_kernel_counts_for_users_is_not_taken_from_the_hosts_root(mapped, containers):
    """By the owner: with root's, 128 inotify(7) instances of one container would leave none to journalctl -f.

    Nobody of the host is one, who would have every right inside.
    """
    assert owner_of_namespace(mapped) == 600000
    ranged = start(containers)
    assert owner_of_namespace(ranged) == int(ranged.proc("uid_map").split()[1]) >= 524288
    assert owner_of_namespace(start(containers, "UIDMap=0 1000 1", "GIDMap=0 1000 1", "UserNamespace=private")) == 0
    assert owner_of_namespace(start(containers, "PrivateUsers=identity")) == 0


@ANYWHERE
def test_ids_map_both_ways(mapped, data):
    """What is not mapped is nobody's inside; with idmap, what is root's on disk is root's inside."""
    assert [owner_inside(mapped, f"/plain/{number}") for number in (0, 1000, 70000)] == [
        (OVERFLOW, OVERFLOW),
        (1000, 1000),
        (OVERFLOW, OVERFLOW),
    ]
    assert owner_inside(mapped, "/mapped/0") == (0, 0)
    assert owner_inside(mapped, "/mapped/70000") == (OVERFLOW, OVERFLOW)
    mapped.exec("touch", "/plain/by-root", "/mapped/by-root-mapped")
    nsunit = ("nsunit", "exec", "--uid=1000:1000", mapped.name, "touch", "/plain/by-user", "/tmp/by-user")
    subprocess.run(nsunit, check=True)
    assert owner(data / "by-root") == (600000, 700000)
    assert owner(data / "by-root-mapped") == (0, 0)
    assert owner(data / "by-user") == (1000, 1000)
    assert owner(mapped.root / "tmp/by-user") == (1000, 1000)
    assert owner_inside(mapped, "/tmp/by-user") == (1000, 1000)


@ANYWHERE
def test_upper_layer_keeps_what_the_container_sees(containers):
    """On disk are the ids inside: the layer can be used with another range, and `rm` gives the range back."""
    base = ROOT.replace("Rootfs=", "Layer=").replace("Volatile=yes\n", "")
    container = start(containers, "PrivateUsers=auto", base=base)
    container.exec("sh", "-c", "touch /file && chown 5:6 /file")
    start_of_range = int(container.proc("uid_map").split()[1])
    assert start_of_range >= 524288
    assert owner(container.upper / "file") == (5, 6)
    assert owner(container.root / "file") == (start_of_range + 5, start_of_range + 6)


def test_identity(containers, data):
    """Root owns what root owns and has no rights over the host; nothing is id-mapped, so any file system will do."""
    directory = Path("/run/test-identity")  # Linux 6.1 cannot id-map a tmpfs
    shutil.copytree("/srv/roots/busybox", directory, symlinks=True)
    try:
        container = start(
            containers,
            "PrivateUsers=identity",
            f"Bind={data}:/data",
            base=ROOT.replace("/srv/roots/busybox", str(directory)),
        )
        assert container.proc("uid_map").split() == ["0", "0", "65536"]
        assert owner_inside(container, "/data/0") == (0, 0)
        assert owner_inside(container, "/data/70000") == (OVERFLOW, OVERFLOW)
        assert "permission denied" in container.exec("mount", "-t", "tmpfs", "x", "/tmp", check=False).stderr
        assert "Read-only" in container.exec("sh", "-c", "echo 0 >/proc/sys/kernel/panic", check=False).stderr
        assert os.stat(f"/proc/{container.pid}/ns/user").st_ino != os.stat("/proc/1/ns/user").st_ino
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def fat(scratch_disk):
    """A file system that cannot id-map mounts, mounted where it can be entered by root only."""
    place = Path("/mnt/fat")
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "ramfs", "-o", "mode=0700", "ramfs", place], check=True)
    subprocess.run(["cp", "-a", "/srv/roots/busybox", place], check=True)
    yield place / "busybox"
    subprocess.run(["umount", place], check=True)
    place.rmdir()


@ANYWHERE
def test_a_file_system_that_cannot_be_mapped(containers, nsunit, fat):
    """It is refused in words, and with Ownership=chown its files are given to the container."""
    os.chmod(fat / "bin/busybox", 0o4755)
    base = f"[Container]\nRootfs={fat}\nExec=/bin/sleep 1000\n"
    done = nsunit("start", containers.define(base), check=False)
    assert done.returncode == 1
    assert "its file system cannot id-map mounts" in done.stderr
    bound = nsunit("start", containers.define(f"{ROOT}Bind={fat}:/mnt:idmap\n"), check=False)
    assert "its file system cannot id-map mounts" in bound.stderr
    container = start(containers, "Ownership=chown", "PrivateUsers=800000:65536", base=base)
    assert owner(fat) == owner(fat / "bin/busybox") == (800000, 800000)
    assert stat.S_IMODE(os.stat(fat / "bin/busybox").st_mode) == 0o4755
    assert owner_inside(container, "/bin/busybox") == (0, 0)
    container.exec("touch", "/made")
    assert owner(fat / "made") == (800000, 800000)
    nsunit("stop", container.name)
    os.utime(fat / "bin/busybox", (0, 0))
    nsunit("start", container.name)  # all is done already


@ANYWHERE
def test_capabilities_of_files_survive_a_change_of_owner(containers, workplace):
    workplace.chmod(0o700)  # a root that is written to must be out of reach of the host's users
    root = workplace / "capable"
    subprocess.run(["cp", "-a", "/srv/roots/busybox", root], check=True)
    os.setxattr(root / "bin/busybox", "security.capability", CAP_NET_RAW_EFFECTIVE)
    keys = ("Ownership=chown", "PrivateUsers=800000:65536", "Capability=+NET_RAW", "NoNewPrivileges=no", "User=1000")
    container = start(containers, *keys, base=f"[Container]\nRootfs={root}\nExec=/bin/sleep 1000\n")
    assert os.getxattr(root / "bin/busybox", "security.capability")[-4:] == (800000).to_bytes(4, "little")
    assert int(container.status()["CapEff"], 16) == 1 << 13
    assert container.status()["Uid"].split()[0] == "801000"


def test_ranges_come_from_subuid(containers):
    """And leave out what the same files give to others."""
    files = [Path("/etc/subuid"), Path("/etc/subgid")]
    before = [path.read_text() if path.exists() else None for path in files]
    try:
        for path in files:
            path.write_text("nsunit:3000000:131072\nsomebody:3000000:65536\n")
        container = start(containers)
        assert container.proc("uid_map").split() == ["0", "3065536", "65536"]
    finally:
        for path, text in zip(files, before, strict=True):
            path.unlink() if text is None else path.write_text(text)


def test_supplementary_groups_are_exactly_those_asked_for(containers):
    container = start(containers, "User=1000", "SupplementaryGroups=50 60")
    assert container.exec("id", "-G").stdout.split() == ["1000", "4", "50", "60"]
    assert container.status()["Groups"].split() == [
        str(int(container.proc("gid_map").split()[1]) + gid) for gid in (4, 50, 60)
    ]
