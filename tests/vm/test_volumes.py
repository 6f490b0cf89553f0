"""Volumes: filled once, with the owners that programs see whatever ids they have, and gone when they should be."""

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import oci
import pytest
from test_images import Images, busybox, images  # noqa: F401 — a fixture
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("directories of nsunit's, and mounts of the kernel's")

VOLUMES = Path("/var/lib/nsunit/volumes")
STATES = Path("/var/lib/nsunit/containers")
BASE = "[Container]\nLayer={layer}\nLayer=/srv/roots/busybox\nExec=/bin/sleep 9999\n"
LISTING = "stat -c '%n %u:%g %a %s' /data /data/* /data/sub/*"


@pytest.fixture(scope="module")
def layer(workplace: Path) -> Path:
    """A layer with a directory of all kinds of files that belong to several users."""
    place = workplace / uuid.uuid4().hex
    data = place / "data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("content\n")
    (data / "tool").write_bytes(Path("/bin/true").read_bytes())
    os.link(data / "file", data / "sub" / "again")
    os.symlink("/etc/passwd", data / "link")
    os.mkfifo(data / "fifo", 0o620)
    with (data / "holes").open("wb") as file:
        file.seek(8 << 20)
        file.write(b"end")
    os.chown(data, 33, 34)
    os.chmod(data, 0o2750)
    os.chown(data / "sub", 1000, 1000)
    os.chmod(data / "sub", 0o1777)
    os.chown(data / "file", 33, 34)
    os.chown(data / "link", 7, 8, follow_symlinks=False)
    os.chown(data / "fifo", 5, 6)
    os.chmod(data / "tool", 0o4755)
    os.setxattr(data / "file", "user.word", b"said")
    subprocess.run(["setcap", "cap_net_raw+ep", data / "tool"], check=True)
    os.utime(data / "sub", ns=(10**18, 10**18))
    return place


@pytest.fixture
def volume(run) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    yield name
    shutil.rmtree(VOLUMES / name, ignore_errors=True)


def listing(place: Path) -> dict[str, tuple[object, ...]]:
    """What is in *place* and of it: types, modes, owners, sizes, times, attributes, targets."""
    found = {}
    for path in (place, *sorted(place.rglob("*"))):
        status = path.lstat()
        is_link = stat.S_ISLNK(status.st_mode)
        names = () if is_link else tuple((name, os.getxattr(path, name)) for name in sorted(os.listxattr(path)))
        size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
        what = os.readlink(path) if is_link else names
        found[str(path.relative_to(place))] = (
            *(status.st_mode, status.st_uid, status.st_gid, size, status.st_mtime_ns, what),
            path.is_dir() or status.st_nlink,
        )
    return found


OWNED = "[Container]\nLayer=/srv/roots/busybox\nUser=70\nGroup=71\nExec=/bin/sleep 9999\n"


def test_a_new_one_belongs_to_the_program_where_the_root_has_nothing(containers, nsunit, volume):
    """It was root's, and the program could not write to it."""
    text = f"Volume={volume}:/new /own /empty:nocopy /root\n"
    container = containers.start(OWNED + text)
    shown = nsunit("exec", container.name, "sh", "-c", "touch /new/x /own/x && stat -c '%n %u:%g %a' /new /own /new/x")
    assert shown.stdout.splitlines() == ["/new 70:71 755", "/own 70:71 755", "/new/x 70:71 644"]
    shown = nsunit("exec", container.name, "stat", "-c", "%n %u:%g", "/empty", "/root").stdout.splitlines()
    assert shown == ["/empty 70:71", "/root 0:0"]  # what the root has there stays as it is there
    # The place that was made for it is the program's, too, so that the next new one there is as well.
    nsunit("stop", container.name)
    nsunit("volume", "rm", "--force", volume)
    nsunit("start", container.name)
    assert nsunit("exec", container.name, "stat", "-c", "%u:%g", "/new").stdout == "70:71\n"
    shown = nsunit("run", "-p", "Layer=/srv/roots/busybox", "-p", "Volume=/x", "-u", "70:71", "stat", "-c%u:%g", "/x")
    assert shown.stdout == "70:71\n"


def test_one_is_given_to_the_program_with_all_in_it(containers, nsunit, layer, volume):
    first = containers.start(BASE.format(layer=layer) + f"Volume={volume}:/data\n")
    nsunit("exec", first.name, "sh", "-c", "mkdir /data/sub/deep && touch /data/sub/deep/file")
    for options in ("U", "ro,U"):
        nsunit("exec", first.name, "chown", "0:0", "/data", "/data/sub/deep/file", "/data/link")
        second = containers.start(OWNED + f"Volume={volume}:/data:{options}\n")
        shown = nsunit("exec", second.name, "sh", "-c", "cd /data; find . | xargs stat -c %u:%g | sort -u")
        assert shown.stdout == "70:71\n"
        link = nsunit("exec", second.name, "stat", "-c", "%u:%g", "/bin/busybox").stdout
        assert link == "0:0\n"
    assert (VOLUMES / volume / "data").stat().st_uid == 70


def test_a_new_one_is_what_the_root_has_there_and_stays(containers, nsunit, layer, volume):
    first = containers.start(BASE.format(layer=layer) + f"Volume={volume}:/data\n")
    assert listing(VOLUMES / volume / "data") == listing(layer / "data")
    assert (VOLUMES / volume / "data" / "holes").stat().st_blocks < 100
    seen = nsunit("exec", first.name, "sh", "-c", LISTING).stdout
    assert "/data 33:34 2750" in seen
    assert "/data/sub 1000:1000 1777" in seen
    nsunit("exec", first.name, "sh", "-c", "echo mine >/data/file; rm /data/sub/again; chown 70:70 /data/tool")
    # Another one, with another range of ids, has the same, and what its root has there does not matter any more.
    second = containers.start(
        f"[Container]\nLayer=/srv/roots/busybox\nExec=/bin/sleep 9999\nVolume={volume}:/data {volume}:/ro:ro,noexec\n"
    )
    assert first.proc("uid_map") != second.proc("uid_map")
    shown = nsunit(
        "exec", second.name, "sh", "-c", "cat /data/file; stat -c %u:%g /data/tool; ls /ro/sub; echo +"
    ).stdout
    assert shown == "mine\n70:70\n+\n"
    refused = nsunit("exec", second.name, "sh", "-c", "touch /ro/x; cp /bin/busybox /data/b; /ro/b true", check=False)
    assert "Read-only file system" in refused.stderr
    assert "Permission denied" in refused.stderr
    for mount in ("/data", "/ro"):
        options = next(line for line in second.proc("mountinfo").splitlines() if f" {mount} " in line).split()[5]
        assert {"nosuid", "nodev"} <= set(options.split(","))
    # A restart finds what was written; rm leaves it, and does not what is the container's own.
    nsunit("restart", first.name)
    assert nsunit("exec", first.name, "cat", "/data/file").stdout == "mine\n"
    shown = json.loads(nsunit("volume", "list", "--json").stdout)
    mine = next(item for item in shown if item["name"] == volume)
    assert sorted(mine["running"]) == sorted([first.name, second.name])
    refused = nsunit("volume", "rm", volume, check=False)
    assert refused.returncode == 1
    assert f"the volume '{volume}' is used by " in refused.stderr
    nsunit("rm", "--force", first.name)
    assert (VOLUMES / volume / "data/file").read_text() == "mine\n"
    nsunit("volume", "rm", "--force", volume)
    assert not (VOLUMES / volume).exists()
    assert not second.state.exists()


def test_one_without_a_name_goes_with_its_container(containers, nsunit, layer):
    container = containers.start(BASE.format(layer=layer) + "Volume=/data /empty:nocopy\n")
    own = container.state / "volumes"
    assert listing(own / "data/data") == listing(layer / "data")
    nsunit("exec", container.name, "sh", "-c", "echo kept >/empty/x")
    nsunit("restart", container.name)
    assert nsunit("exec", container.name, "cat", "/empty/x").stdout == "kept\n"
    name = f"{container.name}:/data"
    shown = json.loads(nsunit("volume", "inspect", "--json", name).stdout)[0]
    assert (shown["anonymous"], shown["filled"], shown["containers"]) == (True, True, [container.name])
    refused = nsunit("volume", "rm", name, check=False)
    assert f"nsunit rm {container.name}" in refused.stderr
    nsunit("rm", "--force", container.name)
    assert not own.exists()


@ANYWHERE
def test_nocopy_and_a_place_that_the_root_has_not(containers, nsunit, layer, volume):
    container = containers.start(BASE.format(layer=layer) + f"Volume={volume}:/data:nocopy\nVolume=/made/here\n")
    assert nsunit("exec", container.name, "sh", "-c", "ls -A /data; stat -c %u:%g:%a /data /made/here").stdout == (
        "0:0:755\n0:0:755\n"
    )


@ANYWHERE
@pytest.mark.parametrize("option", ["anonymous", "tmpfs", "ignore"])
def test_volumes_of_an_image(images, containers, nsunit, option):  # noqa: F811
    config = {"Cmd": ["/bin/sleep", "9999"], "Volumes": {"/var/lib/app/": {}, "/srv/own": {}, "/proc/x": {}, "y": {}}}
    entries = busybox(
        oci.directory("var/lib/app", uid=33, gid=34, mode=0o700), oci.file("var/lib/app/db", "1\n", uid=33)
    )
    name = images.image([entries], **config)
    container = containers.start(f"[Container]\nImage={name}\nImageVolumes={option}\nTmpfs=/srv/own\n")
    mounts = {line.split()[4]: line for line in container.proc("mountinfo").splitlines()}
    assert ("/var/lib/app" in mounts) == (option != "ignore")
    assert " - tmpfs " in mounts["/srv/own"]
    show = ("exec", container.name, "sh", "-c", "cat /var/lib/app/db; stat -c %u:%g:%a /var/lib/app")
    assert nsunit(*show).stdout == "1\n33:34:700\n"
    nsunit("exec", container.name, "sh", "-c", "echo 2 >/var/lib/app/db")
    nsunit("restart", container.name)
    assert nsunit(*show).stdout[0] == ("1" if option == "tmpfs" else "2")
    assert (container.state / "volumes").exists() == (option == "anonymous")


@ANYWHERE
def test_a_run_of_which_nothing_is_kept(nsunit, layer, volume):
    words = ("run", "-p", f"Layer={layer}", "-p", "Layer=/srv/roots/busybox", "-p", f"Volume={volume}:/named /data")
    command = "stat -c %u:%g:%a /data; cat /data/file; echo x >/data/y; echo kept >/named/z"
    assert nsunit(*words, "--", "sh", "-c", command).stdout == "33:34:2750\ncontent\n"
    assert (VOLUMES / volume / "data/z").read_text() == "kept\n"
    assert nsunit(*words, "--", "sh", "-c", "cat /named/z; ls /data/y", check=False).stdout == "kept\n"


@ANYWHERE
def test_a_link_of_the_root_leads_nowhere_else(containers, nsunit, layer, volume):
    top = layer.parent / uuid.uuid4().hex
    (top / "srv").mkdir(parents=True)
    (top / "srv/in").symlink_to("../../../../data")
    (top / "srv/kernel").symlink_to("/proc/sys")
    text = BASE.format(layer=f"{top}\nLayer={layer}")
    container = containers.start(text + f"Volume={volume}:/srv/in\n")
    assert listing(VOLUMES / volume / "data") == listing(layer / "data")
    assert " /data " in container.proc("mountinfo")
    failed = containers.define(text + f"Volume={volume}-2:/srv/kernel\n")
    assert "it lies in /proc or /sys" in nsunit("start", failed, check=False).stderr
    assert not (VOLUMES / f"{volume}-2").exists()


@ANYWHERE
def test_what_is_killed_half_way_leaves_no_volume(containers, nsunit, layer, volume):
    text = BASE.format(layer=layer) + f"Volume={volume}:/data\n"
    for point in ("volumes:prepare", "volume:prepare", "volume:execute", "exec:execute"):
        failed = containers.define(text + f"[Service]\nEnvironment=NSUNIT_FAILPOINT={point}\n")
        assert nsunit("start", failed, check=False).returncode == 1
        assert not (VOLUMES / volume / "data").exists(), point
        assert volume not in nsunit("volume", "list").stdout
    # As if the command had been killed as well, and so had not taken back anything.
    half = VOLUMES / volume / "new"
    half.mkdir(parents=True)
    (half / "file").write_text("half\n")
    container = containers.start(text)
    assert listing(VOLUMES / volume / "data") == listing(layer / "data")
    nsunit("volume", "prune")
    assert sorted(os.listdir(VOLUMES / volume)) == ["data"]
    assert container.pid


def test_two_starts_at_once_fill_once(containers, run, layer, volume):
    """Each of them looks for what the other has written; both roots have another file there."""
    other = layer.parent / uuid.uuid4().hex
    (other / "data").mkdir(parents=True)
    (other / "data/other").write_text("")
    text = "[Container]\nLayer={}\nLayer=/srv/roots/busybox\nExec=/bin/sleep 9999\nVolume={}:/data\n"
    made = [containers.define(text.format(place, volume)) for place in (layer, other)]
    starts = [subprocess.Popen(["nsunit", "start", name]) for name in made]
    assert [start.wait(60) for start in starts] == [0, 0]
    names = sorted(os.listdir(VOLUMES / volume / "data"))
    assert names in (["other"], sorted(os.listdir(layer / "data")))
    assert sorted(os.listdir(VOLUMES / volume)) == ["data"]


def test_at_boot_the_helper_fills_it(containers, nsunit, run, layer, volume):
    container = containers.of(containers.define(BASE.format(layer=layer) + f"Volume={volume}:/data\n"))
    nsunit("enable", container.name)
    run("systemctl", "start", container.service)
    assert listing(VOLUMES / volume / "data") == listing(layer / "data")
    nsunit("stop", container.name)
    refused = nsunit("volume", "rm", "--force", volume, check=False)
    assert "it is enabled" in refused.stderr
    assert (VOLUMES / volume / "data").exists()
    nsunit("disable", container.name)
    assert f"used by {container.name}" in nsunit("volume", "rm", volume, check=False).stderr
    nsunit("rm", container.name)
    nsunit("volume", "rm", "--force", volume)
    assert not (VOLUMES / volume).exists()


@ANYWHERE
def test_verbs(containers, nsunit, run, layer, volume, tmp_path):
    nsunit("volume", "create", volume)
    assert json.loads(nsunit("volume", "inspect", volume, "--json").stdout)[0]["filled"] is False
    assert "is there already" in nsunit("volume", "create", volume, check=False).stderr
    assert "nothing is in the volume" in nsunit("volume", "export", volume, str(tmp_path / "x"), check=False).stderr
    assert os.listdir(tmp_path) == []
    container = containers.start(BASE.format(layer=layer) + f"Volume={volume}:/data\n")
    archive = tmp_path / "archive.tar"
    nsunit("volume", "export", volume, str(archive))
    nsunit("rm", "--force", container.name)
    (Path("/etc/nsunit") / f"{container.name}.nsunit").unlink()
    assert "is something in the volume" in nsunit("volume", "import", volume, str(archive), check=False).stderr
    nsunit("volume", "rm", volume)
    run("gzip", str(archive))
    nsunit("volume", "import", volume, f"{archive}.gz")
    assert listing(VOLUMES / volume / "data") == listing(layer / "data")
    # Both ways by pipes.
    copy = f"{volume}-copy"
    run(f"nsunit volume export {volume} | nsunit volume import {copy}")
    full = nsunit("volume", "export", volume, "/dev/full", check=False).stderr
    assert f"'{volume}' could not be written to '/dev/full'" in full
    done = run("bash", "-c", f"nsunit volume export {volume} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("141\n", "")
    assert listing(VOLUMES / copy / "data") == listing(layer / "data")
    assert nsunit("volume", "rm", copy, "nobody-has-it", check=False).returncode == 3
    run("mount", "--bind", str(tmp_path), str(VOLUMES / copy / "data/sub"))
    refused = nsunit("volume", "rm", copy, check=False)
    run("umount", str(VOLUMES / copy / "data/sub"))
    assert f"something is mounted in the volume '{copy}', at " in refused.stderr
    assert copy in nsunit("volume", "list").stdout
    nsunit("volume", "prune")
    assert copy in nsunit("volume", "list").stdout
    asked = nsunit("volume", "prune", "--all", check=False)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.startswith("nsunit: volume prune asks, and nobody can answer\n  hint: --dry-run shows what")
    assert {copy, volume} <= set(nsunit("volume", "prune", "--all", "--dry-run").stdout.splitlines())
    assert (VOLUMES / volume).exists()
    pruned = json.loads(nsunit("volume", "prune", "--all", "--force", "--json").stdout)
    assert {copy, volume} <= set(pruned)
    assert not (VOLUMES / copy).exists()


@ANYWHERE
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_is_interrupted_takes_its_unit_along(run, volume, tmp_path, number):
    """Else it would read on, and write to what is taken away."""
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    content = subprocess.run(["tar", "-cC", tmp_path, "big"], capture_output=True, check=True).stdout
    import_ = subprocess.Popen(["nsunit", "volume", "import", volume], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    import_.stdin.write(content[: 1 << 19])
    import_.stdin.flush()
    wait_until(lambda: (VOLUMES / volume / "new/big").exists(), "the first file")
    import_.send_signal(number)
    import_.wait()
    assert "nsunit-unpack-" not in run("systemctl list-units --plain --no-legend").stdout
    import_.stdin.close()
    assert (import_.returncode, import_.stderr.read()) == (128 + number, b"")
    assert not (VOLUMES / volume).exists()


@ANYWHERE
def test_what_was_killed_half_way_is_known_to_doctor(nsunit, volume):
    """Killed while it fills, and while it removes."""
    (VOLUMES / volume / "new/x").mkdir(parents=True)
    trash = VOLUMES / ".trash-killed"
    (trash / "data/x").mkdir(parents=True)
    told = nsunit("doctor", "--check", check=False)
    assert (told.returncode, f"volume\t{VOLUMES}/{volume}" in told.stdout, str(trash) in told.stdout) == (1, True, True)
    nsunit("doctor", "--repair")
    assert not (VOLUMES / volume).exists()
    assert not trash.exists()


@ANYWHERE
def test_an_archive_cannot_write_elsewhere(nsunit, volume, tmp_path):
    canary = tmp_path / "canary"
    canary.mkdir()
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(canary)
        tar.addfile(link)
        for name in ("out/planted", "../../planted", str(canary / "absolute")):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))
    assert nsunit("volume", "import", volume, str(archive), check=False).returncode == 1
    assert os.listdir(canary) == []
    assert not (VOLUMES / volume).exists()


@ANYWHERE
def test_a_broken_definition_may_use_any(containers, nsunit, volume):
    nsunit("volume", "create", volume)
    broken = containers.define("[Container]\nNonsense=1\n")
    for words in (("rm", volume), ("prune", "--all", "--force")):
        refused = nsunit("volume", *words, check=False)
        assert f"{broken}: its definition cannot be read, so it may use any volume" in refused.stderr
    assert volume in nsunit("volume", "list").stdout


@ANYWHERE
def test_a_size_takes_a_quota(containers, nsunit, volume):
    """Natively the disk has none; see test_size_by_quota.  One in memory takes none."""
    line = f"Volume={volume}:/srv:size=1M\n"
    options = subprocess.run(["findmnt", "-no", "OPTIONS", "-T", str(VOLUMES)], capture_output=True, text=True).stdout
    if "prjquota" not in options:
        refused = nsunit("volume", "create", volume, "--size", "1M", check=False)
        assert "has no project quotas, so no size can be limited" in refused.stderr
        failed = containers.define(f"[Container]\nRootfs=/srv/roots/busybox\nReadOnly=yes\nExec=/bin/true\n{line}")
        assert "has no project quotas" in nsunit("start", failed, check=False).stderr
        assert not (VOLUMES / volume).exists()
    command = ("stat", "-f", "-c", "%b %S", "/x")
    shown = nsunit("run", "-p", "Layer=/srv/roots/busybox", "-p", "Volume=/x:size=1M", "--", *command).stdout.split()
    assert int(shown[0]) * int(shown[1]) == 1 << 20


@ANYWHERE
@pytest.mark.machine("a disk")
def test_size_by_quota(containers, nsunit, run, scratch_disk, volume):
    run("mkfs.ext4", "-q", "-F", "-O", "quota,project", scratch_disk)
    VOLUMES.mkdir(mode=0o700, exist_ok=True)
    run("mount", "-o", "prjquota", scratch_disk, str(VOLUMES))
    try:
        nsunit("volume", "create", volume, "--size", "4M")
        nsunit("volume", "create", f"{volume}-2", "--size=16M")
        (shown,) = json.loads(nsunit("volume", "inspect", "--json", volume).stdout)
        assert shown["size_max"] == 4 << 20
        container = containers.start(
            f"[Container]\nLayer=/srv/roots/busybox\nExec=/bin/sleep 9999\nVolume={volume}:/a {volume}-2:/b\n"
        )
        for place, fits in (("/a", False), ("/b", True)):
            done = container.exec("dd", "if=/dev/zero", f"of={place}/x", "bs=1M", "count=8", "conv=fsync", check=False)
            assert (done.returncode == 0) == fits, done.stderr
        assert 2 << 20 < (VOLUMES / volume / "data/x").stat().st_size <= 4 << 20
        nsunit("rm", "--force", container.name)
        # By a definition, which can change it; not for what is there without one.
        text = f"[Container]\nLayer=/srv/roots/busybox\nExec=/bin/sleep 9999\nVolume={volume}-3:/bin"
        failed = containers.define(f"{text}:size=64K\n")
        assert "Disk quota exceeded" in nsunit("start", failed, check=False).stderr
        assert f"{volume}-3" not in os.listdir(VOLUMES)
        containers.start(f"{text}:size=64M\n")
        containers.start(f"{text}:size=65M\n")
        (shown,) = json.loads(nsunit("volume", "inspect", "--json", f"{volume}-3").stdout)
        assert shown["size_max"] == 65 << 20
        nsunit("volume", "create", f"{volume}-4")
        container = containers.start(text.replace("-3:", "-4:") + "\n")
        nsunit("rm", "--force", container.name)
        refused = nsunit("start", containers.define(text.replace("-3:", "-4:") + ":size=1M\n"), check=False)
        assert "is there already, without a size" in refused.stderr
        containers.clean()
    finally:
        run("umount", str(VOLUMES))


@ANYWHERE
def test_nobody_of_the_host_can_enter(containers, layer, volume):
    containers.start(BASE.format(layer=layer) + f"Volume={volume}:/data\n")
    tool = VOLUMES / volume / "data/sub"
    assert subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "ls", tool], check=False).returncode


@ANYWHERE
@pytest.mark.machine("the release's own kernel")
def test_on_the_releases_own_kernel(containers, nsunit, layer, volume):
    """Id-mapped mounts of a volume in a container, and `mount` on the host: as in the rest, on Linux 6.1 and later."""
    text = f"[Container]\nLayer={layer}\nLayer=/srv/roots/busybox\nVolume={volume}:/volume\nExec=/bin/sleep 9999\n"
    container = containers.start(text)
    container.exec("sh", "-c", "echo mine >/volume/new; chown 7:8 /volume/new /volume; echo root >/srv-new")
    assert int(container.proc("uid_map").split()[1]) >= 65536
    status = (Path("/var/lib/nsunit/volumes") / volume / "data/new").stat()
    assert (status.st_uid, status.st_gid) == (7, 8)
    place = Path(nsunit("mount", container.name).stdout.strip())
    try:
        for path, owner in (("volume/new", (7, 8)), ("srv-new", (0, 0)), ("bin/busybox", (0, 0))):
            status = (place / path).stat()
            assert (status.st_uid, status.st_gid) == owner
        with pytest.raises(OSError, match="Read-only file system"):
            (place / "volume/x").touch()
    finally:
        nsunit("umount", container.name)
