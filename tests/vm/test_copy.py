"""`nsunit cp`: files into containers, out of them and between them, whatever the payload does meanwhile."""

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from waiting import wait_until

pytestmark = pytest.mark.once("files and mounts of the kernel alone")


@pytest.fixture(scope="module")
def box(shared, program):
    """A container that sleeps, whose root is kept."""
    return shared.start(program("exec sleep 1000000", "Volatile=no"))


@pytest.fixture
def here(tmp_path):
    """A directory of the host with a tree in it."""
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "file").write_text("content\n")
    (tree / "file").chmod(0o640)
    os.utime(tree / "file", ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    (tree / "below/link").symlink_to("/etc/passwd")
    os.link(tree / "file", tree / "below/same")
    os.mkfifo(tree / "pipe")
    with (tree / "sparse").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"middle")
    os.setxattr(tree / "file", "user.note", b"a\0b\xff")
    for path in (tree, tree / "below", tree / "file"):
        os.chown(path, 1234, 5678)
    return tmp_path


def listing(top: Path) -> dict[str, tuple]:
    found = {}
    for path in sorted([top, *top.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
        names = os.listxattr(path, follow_symlinks=False)
        xattrs = {name: os.getxattr(path, name) for name in names if name.startswith("user.")}
        time_ = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
        found[str(path.relative_to(top))] = (oct(status.st_mode), content, target, xattrs, time_)
    return found


def test_there_and_back(box, nsunit, here):
    nsunit("cp", str(here / "tree"), f"{box.name}:/srv")
    inside = box.root / "srv"
    assert listing(inside) == listing(here / "tree")
    assert inside.joinpath("file").stat().st_ino == inside.joinpath("below/same").stat().st_ino
    assert inside.joinpath("sparse").stat().st_blocks * 512 < 1 << 20
    assert box.exec("stat", "-c", "%u:%g", "/srv/file").stdout == "0:0\n"
    nsunit("cp", f"{box.name}:/srv", str(here / "back"))
    assert listing(here / "back") == listing(here / "tree")
    assert (here / "back/file").stat().st_uid == 0
    assert (here / "back/sparse").stat().st_blocks * 512 < 1 << 20
    nsunit("cp", "-a", str(here / "tree/file"), f"{box.name}:/srv/kept")
    assert box.exec("stat", "-c", "%u:%g", "/srv/kept").stdout == "1234:5678\n"
    nsunit("cp", "-a", f"{box.name}:/srv/kept", str(here / "kept"))
    assert ((here / "kept").stat().st_uid, (here / "kept").stat().st_gid) == (1234, 5678)


def test_where_things_go(box, nsunit, here):
    """docker-cp(1)'s rules for what is there, what is not, and a slash at the end."""
    name = box.name
    box.exec("sh", "-c", "mkdir -p /a/in /a/d; echo old > /a/file; ln -s d /a/todir; ln -s file /a/tofile")
    (here / "one").write_text("one\n")

    def inside(path: str) -> str:
        return box.exec("cat", path).stdout

    nsunit("cp", str(here / "one"), f"{name}:/a/in")
    nsunit("cp", str(here / "one"), f"{name}:/a/new")
    nsunit("cp", str(here / "one"), f"{name}:a/file")
    nsunit("cp", str(here / "one"), f"{name}:/a/todir")
    assert [inside(f"/a/{path}") for path in ("in/one", "new", "file", "d/one")] == ["one\n"] * 4
    (here / "one").write_text("two\n")
    nsunit("cp", str(here / "one"), f"{name}:/a/tofile")
    assert inside("/a/file") == "two\n"
    assert box.exec("readlink", "/a/tofile").stdout == "file\n"
    nsunit("cp", str(here / "tree"), f"{name}:/a/in")
    nsunit("cp", f"{here}/tree/.", f"{name}:/a/in")
    assert inside("/a/in/tree/file") == inside("/a/in/file") == "content\n"
    nsunit("cp", str(here / "one"), str(here / "tree/file"), f"{name}:/a/d")
    assert inside("/a/d/file") == "content\n"
    nsunit("cp", "./tree/below", f"{name}:/a/in/", cwd=here)
    assert box.exec("readlink", "/a/in/below/link").stdout == "/etc/passwd\n"
    nsunit("cp", f"{name}:/a/tofile", str(here / "link"))
    nsunit("cp", "-L", f"{name}:/a/tofile", str(here / "followed"))
    assert (os.readlink(here / "link"), (here / "followed").read_text()) == ("file", "two\n")
    nsunit("cp", f"{name}:/a/d", f"{name}:/a/copy")
    assert inside("/a/copy/file") == "content\n"


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("one", "{}:/nowhere/x", "there is no such directory"),
        ("one", "{}:/nowhere/", "there is no such directory"),
        ("tree", "{}:/etc/group", "is no directory, and what is to be copied is one"),
        ("missing", "{}:/tmp", "'missing' is not there"),
        ("one", "{}:/etc/group/x", "no directory"),
        ("{}:/missing", ".", "/missing' is not there"),
        ("one", "two", "none of the two is a container's"),
        ("one", "nobody-there:/tmp", "is not defined"),
        ("one", "Bad Name:/tmp", "Bad Name"),
        ("{}:/etc/group", "null", "'null' is a device, a pipe or a socket, which no file can replace"),
    ],
)
def test_refusals(box, nsunit, here, source, target, said):
    (here / "one").write_text("one\n")
    os.mknod(here / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    done = nsunit("cp", source.format(box.name), target.format(box.name), check=False, cwd=here)
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_a_directory_and_a_file_do_not_take_each_others_place(box, nsunit, here):
    box.exec("mkdir", "-p", "/clash/tree/file", "/clash/dir")
    done = nsunit("cp", str(here / "tree"), f"{box.name}:/clash", check=False)
    assert (done.returncode, "a directory is in its place" in done.stderr) == (1, True)
    (here / "x/dir").mkdir(parents=True)
    (here / "y").mkdir()
    (here / "y/dir").write_text("")
    done = nsunit("cp", f"{box.name}:/clash/dir", str(here / "y"), check=False)
    assert (done.returncode, "something that is no directory is in its place" in done.stderr) == (1, True)


def test_streams(box, nsunit, here):
    archive = here / "archive.tar"
    with tarfile.open(archive, "w") as file:
        entry = tarfile.TarInfo("made/by-tar")
        entry.size, entry.uid = 3, 77
        file.addfile(entry, io.BytesIO(b"tar"))
    with archive.open("rb") as file:
        subprocess.run(["nsunit", "cp", "-a", "-", f"{box.name}:/srv"], stdin=file, check=True)
    assert box.exec("stat", "-c", "%u", "/srv/made/by-tar").stdout == "77\n"
    out = subprocess.run(["nsunit", "cp", f"{box.name}:/srv/made", "-"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(out)) as file:
        assert [(entry.name, entry.uid) for entry in file] == [("made", 0), ("made/by-tar", 77)]
    done = nsunit("cp", "-", f"{box.name}:/srv", input="this is no archive", check=False)
    assert (done.returncode, "it is no tar archive" in done.stderr) == (1, True)


def test_all_of_a_container_is_without_what_the_kernel_makes_up(box):
    """Else it has all that there is in /proc of each process, as empty files, and in /sys of each device."""
    out = subprocess.run(["nsunit", "cp", f"{box.name}:/", "-"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
    assert {"proc", "sys", "dev", "etc"} <= names
    assert [name for name in names if name.startswith(("proc/", "sys/"))] == []
    assert {"dev/shm", "dev/stdin"} <= names  # what is mounted there has files


@pytest.mark.kernel("transparent huge pages")
def test_a_directory_of_the_kernel_s_is_copied_where_it_is_named(box, nsunit, tmp_path):
    nsunit("cp", f"{box.name}:/proc/sys/kernel/random", str(tmp_path))
    assert "boot_id" in os.listdir(tmp_path / "random")
    # It says that they have no size, or that of a page.
    for source in ("/proc/sys/kernel/random/boot_id", "/sys/kernel/mm/transparent_hugepage/enabled"):
        nsunit("cp", f"{box.name}:{source}", str(tmp_path / "content"))
        assert (tmp_path / "content").read_text() == Path(source).read_text()


def test_paused_and_stopped(shared, program, nsunit, run, here, workplace):
    bound = workplace / "bound"
    bound.mkdir(exist_ok=True)
    box = shared.start(program("exec sleep 1000000", "Volatile=no", f"Bind={bound}:/data:idmap"))
    nsunit("pause", box.name)
    nsunit("cp", str(here / "tree/file"), f"{box.name}:/root/paused", timeout=20)
    nsunit("resume", box.name)
    nsunit("stop", box.name)
    nsunit("cp", str(here / "tree/file"), f"{box.name}:/root/stopped")
    nsunit("cp", str(here / "tree/file"), f"{box.name}:/data/bound")
    assert (bound / "bound").read_text() == "content\n"
    nsunit("cp", f"{box.name}:/root", str(here / "back"))
    assert {path.name for path in (here / "back").iterdir()} == {"paused", "stopped"}
    assert run("findmnt", "-n", "-t", "overlay", check=False).stdout.count(box.name) == 0
    nsunit("start", box.name)
    assert box.exec("cat", "/root/stopped").stdout == "content\n"
    assert box.exec("stat", "-c", "%u", "/root/stopped").stdout == "0\n"


def test_before_the_first_start(define, containers, program, nsunit, here):
    name = define(program("exec cat /early", "Volatile=no"))
    nsunit("cp", f"{name}:/program", str(here / "kept"))
    assert "/early" in (here / "kept").read_text()
    assert not (containers.of(name).state).exists()
    nsunit("cp", str(here / "tree/file"), f"{name}:/early")
    nsunit("start", name)
    wait_until(lambda: nsunit("logs", name).stdout.count("content"))
    nsunit("rm", "--force", name)
    volatile = define(program("exec sleep 1000000"))
    done = nsunit("cp", str(here / "tree/file"), f"{volatile}:/early", check=False)
    assert (done.returncode, "gone when it stops" in done.stderr) == (1, True)
    nsunit("cp", f"{volatile}:/program", str(here / "program"))
    assert "sleep" in (here / "program").read_text()
    assert not (containers.of(volatile).state).exists()


def test_links_of_the_payload_lead_nowhere(box, nsunit, here):
    """Reading and writing by links that lead to the host's files when they are looked up there."""
    canary = Path("/etc/nsunit-canary")
    canary.write_text("the host's\n")
    try:
        box.exec(
            "sh", "-c", "mkdir -p /t; ln -s /etc/nsunit-canary /t/abs; ln -s ../../../../../etc/nsunit-canary /t/rel"
        )
        box.exec("sh", "-c", "ln -s /etc /t/dir; ln -s /proc/1/root/etc/nsunit-canary /t/magic")
        for link in ("abs", "rel", "magic", "dir/nsunit-canary"):
            done = nsunit("cp", "-L", f"{box.name}:/t/{link}", str(here / "stolen"), check=False)
            assert done.returncode != 0
            assert not (here / "stolen").exists()
        (here / "evil").write_text("overwritten\n")
        for link in ("abs", "rel", "dir/nsunit-canary"):
            nsunit("cp", str(here / "evil"), f"{box.name}:/t/{link}")
        assert canary.read_text() == "the host's\n"
        assert box.exec("cat", "/etc/nsunit-canary").stdout == "overwritten\n"
        # A tree with links in it, onto the host: they stay links, and nothing is written through one that was there.
        box.exec("sh", "-c", f"mkdir -p /t/tree; ln -s {here}/outside /t/tree/out")
        (here / "outside").mkdir()
        nsunit("cp", f"{box.name}:/t/tree", str(here / "copied"))
        box.exec("sh", "-c", "rm /t/tree/out; mkdir /t/tree/out; echo x > /t/tree/out/file")
        done = nsunit("cp", f"{box.name}:/t/tree/.", str(here / "copied"), check=False)
        assert done.returncode == 1
        assert list((here / "outside").iterdir()) == []
    finally:
        canary.unlink()


def test_what_shells_offer(box, nsunit):
    """Entries of a directory inside, wherever links lead; none that the shell of the host would expand."""
    name = box.name
    script = "mkdir -p /o/dir /o/.hidden; touch /o/'$(reboot)' '/o/a b' '/o/a\nb' /o/done /o/é; ln -s / /o/up"
    box.exec("sh", "-c", script + "; ln -s /o/../../../o /linked")

    def offered(path):
        return sorted(nsunit("cp", "--offer", f"{name}:{path}", ".").stdout.splitlines())

    assert offered("/o/") == [f"{name}:/o/{item}" for item in ("dir/", "done", "up", "é")]
    assert offered("o/d") == [f"{name}:o/dir/", f"{name}:o/done"]
    assert offered("/linked/.") == [f"{name}:/linked/.hidden/"]
    assert f"{name}:/o/up/o/dir/" in offered("/o/up/o/")
    done = nsunit("cp", "--offer", f"{name}:/missing/", ".", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    done = nsunit("cp", "--offer", "/etc", ".", check=False)
    assert "'/etc' is not in a container" in done.stderr


def test_a_payload_that_changes_its_tree_meanwhile(shared, program, nsunit, here):
    """A directory becomes a link to the host's, and back, as fast as the payload can."""
    outside = Path("/var/tmp/nsunit-outside")
    outside.mkdir(exist_ok=True)
    (outside / "file").write_text("the host's\n")
    script = (
        f"mkdir -p /r/real /r/tmp; echo inside > /r/real/file; ln -s {outside} /r/evil\n"
        "while :; do mv /r/real /r/d; mv /r/d /r/real; mv /r/evil /r/d; mv /r/d /r/evil; done"
    )
    box = shared.start(program(script))
    (here / "into").write_text("from the host\n")
    seen = set()
    try:
        for number in range(8):
            done = nsunit("cp", f"{box.name}:/r/d/.", str(here / f"got{number}"), check=False)
            if done.returncode == 0:
                seen.add((here / f"got{number}/file").read_text())
            nsunit("cp", str(here / "into"), f"{box.name}:/r/d/file", check=False)
        assert (outside / "file").read_text() == "the host's\n"
        assert sorted(path.name for path in outside.iterdir()) == ["file"]
        assert "the host's\n" not in seen
    finally:
        nsunit("stop", "--now", box.name)
        (outside / "file").unlink()
        outside.rmdir()


def test_nothing_of_the_container_is_executed(shared, program, nsunit, here):
    """Programs and modules of its own in all places where a reader of it could look for some."""
    trap = "/t/trapped"
    script = f"#!/bin/sh\ntouch {trap}\n"
    box = shared.start(program("exec sleep 1000000", "Volatile=no"))
    fake = here / "fake"
    for place in ("bin/tar", "bin/xz", "bin/unpigz", "bin/python3"):
        (fake / place).parent.mkdir(parents=True, exist_ok=True)
        (fake / place).write_text(script)
        (fake / place).chmod(0o755)
    for directory in ("python3/dist-packages", "python3.11", "python3.13", "python3.14"):
        (fake / "usr/lib" / directory).mkdir(parents=True)
        for module in ("bz2", "encodings", "grp", "traceback", "nsunit"):
            (fake / "usr/lib" / directory / f"{module}.py").write_text(f"open('{trap}', 'w')\n")
    (fake / "usr/lib/x86_64-linux-gnu").mkdir()
    (fake / "usr/lib/x86_64-linux-gnu/libnss_files.so.2").write_text("no library")
    box.exec("mkdir", "-m", "777", "/t")
    nsunit("cp", f"{fake}/.", f"{box.name}:/")
    (here / "big").write_bytes(os.urandom(1 << 20))
    subprocess.run(["tar", "-C", here, "-czf", here / "big.tgz", "big"], check=True)
    nsunit("cp", "-a", f"{box.name}:/usr", str(here / "usr"))
    with (here / "big.tgz").open("rb") as file:
        subprocess.run(["nsunit", "cp", "-", f"{box.name}:/t"], stdin=file, check=True)
    assert box.exec("ls", "/t").stdout == "big\n"
    assert (here / "usr/lib/python3.13/bz2.py").exists()


def test_set_user_id_bits_stay_behind(box, nsunit, here):
    """A program of the container's root is not made one of the host's."""
    box.exec("sh", "-c", "cp /bin/busybox /suid; chmod 6755 /suid")
    nsunit("cp", f"{box.name}:/suid", str(here / "suid"))
    assert oct((here / "suid").stat().st_mode & 0o7777) == "0o755"
    nsunit("cp", "-a", f"{box.name}:/suid", str(here / "kept"))
    assert oct((here / "kept").stat().st_mode & 0o7777) == "0o6755"


def test_what_is_left_out_is_told(box, nsunit, here):
    server = subprocess.Popen(
        ["python3", "-c", "import socket,time; s=socket.socket(1); s.bind('s'); time.sleep(60)"], cwd=here / "tree"
    )
    try:
        wait_until(lambda: (here / "tree/s").exists())
        done = nsunit("cp", str(here / "tree"), f"{box.name}:/left")
        assert "'tree/s' is left out: it is a socket" in done.stderr
    finally:
        server.kill()
        server.wait()
    done = nsunit("cp", f"{box.name}:/dev", str(here / "dev"))
    assert "is left out: it is a device node" in done.stderr
    assert not (here / "dev/null").exists()


def test_a_full_target_and_a_reader_that_goes(box, nsunit, here, shared, program):
    small = shared.start(program("exec sleep 1000000", "Tmpfs=/small:size=1M"))
    (here / "big").write_bytes(bytes(range(256)) * 16384)
    done = nsunit("cp", str(here / "big"), f"{small.name}:/small", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        f"nsunit: '{small.name}:/small': No space left on device",
    )
    assert list((small.root / "small").iterdir()) == []
    command = ("nsunit", "cp", f"{box.name}:/bin", "-")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stdout and reader.stderr
        reader.stdout.buffer.read(1000)
        reader.stdout.close()
        assert reader.stderr.read() == ""
    assert reader.returncode == 141
