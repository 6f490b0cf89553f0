"""What of images on their way out is pure, or needs no more than a directory."""

import errno
import fcntl
import io
import os
import tarfile
from types import SimpleNamespace

import pytest

from nsunit.errors import NsunitError, UsageError
from nsunit.features.images.layout import local_name
from nsunit.features.images.out import changes, lineage, pause, send, targets, walk
from nsunit.features.images.out.lowers import Lowers
from nsunit.features.images.out.parts import Parts
from nsunit.features.images.out.places import mount_points
from nsunit.features.images.out.tar import Owners, pack
from nsunit.features.images.unit import pack_unit, pause_unit
from nsunit.storage import files


@pytest.mark.parametrize("bad", range(9))
def test_bisecting_finds_each_place(bad):
    asked = []

    def test(place):
        asked.append(place)
        return 1 if place >= bad else 0

    assert lineage.search(9, test) == (bad, bad, len(asked))
    assert len(asked) <= 4


def test_what_cannot_be_told_is_skipped():
    assert lineage.search(6, lambda place: 125 if place in (1, 2) else int(place >= 3))[:2] == (1, 3)
    assert lineage.search(4, lambda _place: 125) == (0, 3, 3)
    assert lineage.search(1, lambda _place: 1 / 0) == (0, 0, 0)
    with pytest.raises(NsunitError, match="ended with status 128"):
        lineage.search(2, lambda _place: 128)


@pytest.mark.parametrize(
    ("instruction", "config"),
    [
        ("CMD a b", {"Cmd": ["/bin/sh", "-c", "a b"]}),
        ('cmd=["a","b"]', {"Cmd": ["a", "b"]}),
        ('ENTRYPOINT ["x"]', {"Entrypoint": ["x"]}),
        ("ENV A=1 B='2 3'", {"Env": ["OLD=0", "A=1", "B=2 3"]}),
        ("ENV OLD new words", {"Env": ["OLD=new words"]}),
        ("ENV=OLD=", {"Env": ["OLD="]}),
        ("EXPOSE 80 53/udp", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        ("LABEL a=b", {"Labels": {"a": "b"}}),
        ('VOLUME ["/a"]', {"Volumes": {"/a": {}}}),
        ("VOLUME /a /b", {"Volumes": {"/a": {}, "/b": {}}}),
        ("USER web", {"User": "web"}),
        ("WORKDIR /srv", {"WorkingDir": "/srv"}),
        ("WORKDIR srv", {"WorkingDir": "/srv"}),
        ("STOPSIGNAL USR1", {"StopSignal": "USR1"}),
    ],
)
def test_changes_of_a_config(instruction, config):
    found = changes.changed({"config": {"Env": ["OLD=0"]}, "os": "linux"}, [instruction])
    assert found == {"config": {"Env": ["OLD=0"], **config}, "os": "linux"}


def test_a_directory_without_a_slash_is_in_the_one_before():
    found = changes.changed({"config": {"WorkingDir": "/srv"}}, ["WORKDIR a", "WORKDIR b/c"])
    assert found["config"] == {"WorkingDir": "/srv/a/b/c"}
    assert changes.changed(found, ["WORKDIR /x"])["config"] == {"WorkingDir": "/x"}


@pytest.mark.parametrize("instruction", ["RUN x", "CMD", "", "ENV =x", "EXPOSE http", "CMD [1]", "CMD [", 'LABEL "a'])
def test_changes_that_make_no_sense(instruction):
    with pytest.raises(UsageError):
        changes.changed({}, [instruction])


def test_layers_come_and_go_with_what_is_told_of_them():
    told = changes.Told("2026-01-01T00:00:00Z", "sh", "me", "why")
    base = {"config": {"Cmd": ["x"]}, "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]}}
    found = changes.with_layers(base, ["2"], [told])
    assert found["rootfs"]["diff_ids"] == ["sha256:1", "sha256:2"]
    entry = {"created": told.created, "created_by": "sh", "author": "me", "comment": "why"}
    assert (found["history"], found["author"], found["created"]) == ([{}, entry], "me", told.created)
    assert changes.without_top(found, 1)["history"] == [{}]
    assert changes.without_top(found, 1)["rootfs"] == base["rootfs"]
    assert "history" not in changes.without_top({**found, "history": [entry]}, 0)


def packed(path, base=0, lowers=()):
    content = io.BytesIO()
    root = walk.open_root(str(path))
    try:
        warnings = pack(root, content.write, Owners(base), tuple(map(str, lowers)))
    finally:
        os.close(root)
    return content.getvalue(), warnings


def test_an_archive_is_the_same_for_the_same_files(tmp_path):
    for place, names in (("one", "ab"), ("two", "ba")):
        root = tmp_path / place
        (root / "d").mkdir(parents=True)
        for name in names:
            (root / "d" / name).write_text(name)
        os.link(root / "d/a", root / "d/c")
        os.symlink("a" * 200, root / "d/long")
        for path in (*root.rglob("*"), root):
            os.utime(path, ns=(0, -1_500_000_001), follow_symlinks=False)
    (one, warnings), (two, _) = packed(tmp_path / "one"), packed(tmp_path / "two")
    assert one == two
    assert warnings == []
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        entries = {entry.name: entry for entry in archive}
    assert list(entries) == [".", "d", "d/a", "d/b", "d/c", "d/long"]
    assert (entries["d/c"].islnk(), entries["d/c"].linkname) == (True, "d/a")
    assert entries["d/a"].pax_headers["mtime"] == "-1.500000001"


def test_holes_stay_holes(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(9 << 20)
        os.pwrite(file.fileno(), b"x", 4 << 20)
    content, _ = packed(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entry = archive.getmember("sparse")
        assert entry.issparse()
        assert archive.extractfile(entry).read() == (tmp_path / "sparse").read_bytes()
    assert len(content) < 3 << 20


def test_what_an_archive_cannot_have(tmp_path):
    (tmp_path / ".wh.x").write_text("")
    assert packed(tmp_path)[1] == ["'/.wh.x' is left out: in an image its name would mean that a file was removed"]
    with pytest.raises(NsunitError, match="which are not the container's"):
        packed(tmp_path, base=os.getuid() + os.getgid() + 1)
    deep = tmp_path
    for _ in range(260):
        deep = deep / "d"
    os.makedirs(deep)
    with pytest.raises(NsunitError, match="lies deeper than a file of an archive may"):
        packed(tmp_path)


def test_what_changes_while_it_is_packed(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    os.setxattr(tmp_path / "a", "user.x=y", b"")
    assert packed(tmp_path)[1] == ["'/a' goes without its attribute 'user.x=y', which no archive can have"]
    other = os.stat(tmp_path / "b")
    nodes = [node.replace(status=other) if node.path == "a" else node for node in listed(tmp_path)]
    monkeypatch.setattr("nsunit.features.images.out.tar.walk", lambda _root: nodes)
    with pytest.raises(NsunitError, match="'a' was replaced while it was read"):
        packed(tmp_path)
    nodes = [node.replace(name="gone") if node.path == "a" else node for node in listed(tmp_path)]
    assert b"\0a\0" not in packed(tmp_path)[0]


def listed(path):
    root = walk.open_root(str(path))
    return [node.replace(directory=root) for node in walk.walk(root)]


def test_marks_of_other_overlays_are_refused():
    walk.check_marks("x", {"trusted.overlay.origin": b"", "user.overlay.redirect": b"/"})
    for mark in ("redirect", "metacopy"):
        with pytest.raises(NsunitError, match=f"only a reference to a lower layer, by overlayfs's {mark}"):
            walk.check_marks("x", {f"trusted.overlay.{mark}": b""})


def test_capabilities_lose_the_root_that_they_hold_for():
    second = bytes.fromhex("01000002") + bytes(16)
    third = bytes.fromhex("01000003") + bytes(16) + (700000).to_bytes(4, "little")
    assert walk.capability_of_image(second, (0,)) == second
    assert walk.capability_of_image(third, (0, 700000)) == second
    assert walk.capability_of_image(third, (0,)) is None


def test_what_a_start_makes_to_mount_on_is_known(tmp_path):
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    for path in ("etc", "run/later", "srv", "was-there"):
        (lower / path).mkdir(parents=True)
    (lower / "var").symlink_to("run")
    # Made for a mount: what is empty at its target, also behind a link, and the directories on the way.
    for path in ("proc", "data/deep/mount", "run/secrets", "etc", "srv", "own", "was-there/kept", "opened"):
        (upper / path).mkdir(parents=True)
    for path in ("etc/hosts", "run/secrets/key", "srv/mount"):
        (upper / path).touch()
    # The program's own: it has content, something beside it, another mode, or nothing is mounted there.
    (upper / "etc/resolv.conf").write_text("nameserver 192.0.2.1")
    (upper / "srv/beside").touch()
    (upper / "opened/mount").mkdir()
    (lower / "opened").mkdir(mode=0o700)
    found = {"/proc", "/data/deep/mount", "/etc/hosts", "/etc/resolv.conf", "/var/secrets/key", "/srv/mount"}
    targets = (*found, "/opened/mount", "/was-there", "/nowhere/at/all", "/own/x")
    root = walk.open_root(str(upper))
    made = mount_points(root, targets, Lowers((str(lower),)))
    assert made == {
        *("proc", "data", "data/deep", "data/deep/mount", "etc/hosts", "run", "run/secrets", "run/secrets/key"),
        *("srv/mount", "opened/mount"),
    }
    (upper / "etc/resolv.conf").write_text("")
    assert mount_points(root, targets, Lowers((str(lower),))) == made | {"etc", "etc/resolv.conf"}
    content = io.BytesIO()
    assert pack(root, content.write, Owners(), (str(lower),), targets=targets) == []
    os.close(root)
    content.seek(0)
    with tarfile.open(fileobj=content) as archive:
        assert archive.getnames() == [
            *(".", "etc", "opened", "own", "run", "srv", "srv/beside", "was-there", "was-there/kept"),
        ]


def test_lower_directories_are_no_way_out(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_text("")
    (tmp_path / "lower").mkdir()
    (tmp_path / "lower/d").symlink_to(tmp_path / "elsewhere")
    lowers = Lowers((str(tmp_path / "lower"),))
    assert lowers.find("d") is not None
    assert lowers.find("d/x") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("oci:/tmp/no-such:1", ("oci", "/tmp/no-such", "1")),
        ("oci:/tmp/no-such", ("oci", "/tmp/no-such", "")),
        ("oci-archive:/tmp/no-such.tar:a", ("oci-archive", "/tmp/no-such.tar", "a")),
        (
            "docker-archive:/tmp/no-such.tar:localhost:5000/a/b:1",
            ("docker-archive", "/tmp/no-such.tar", "localhost:5000/a/b:1"),
        ),
        ("docker-archive:/tmp/no-such.tar", ("docker-archive", "/tmp/no-such.tar", "")),
        ("oci-archive:/tmp/no-such.tar:web:2", ("oci-archive", "/tmp/no-such.tar", "web:2")),
        ("oci:/tmp/no-such:localhost:5000/a/b:1", ("oci", "/tmp/no-such", "localhost:5000/a/b:1")),
        ("dir:/tmp/no:thing", ("dir", "/tmp/no:thing", "")),
        ("-", ("docker-archive", "-", "")),
        ("tar:-", ("tar", "-", "")),
        ("oci-archive:-:1", ("oci-archive", "-", "1")),
    ],
)
def test_targets(text, found):
    target = targets.target_of(text)
    assert (target.transport, target.path, target.tag) == found


def test_a_pipe_takes_no_directory_and_a_terminal_nothing(monkeypatch):
    with pytest.raises(UsageError, match="'oci:' is a directory"):
        targets.target_of("oci:-")
    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    with pytest.raises(UsageError, match="an image is not for a terminal"):
        targets.target_of("-")


@pytest.mark.parametrize("there", ["", "directory"])
def test_a_directory_that_was_begun_goes(there, tmp_path):
    place = tmp_path / "layout"
    if there:
        place.mkdir()
    with pytest.raises(FileNotFoundError):
        targets.write_directory(str(place), [("oci-layout", b"{}"), ("blobs/sha256/1", str(tmp_path / "missing"))])
    assert list(tmp_path.rglob("*")) == [place] * bool(there)
    targets.write_directory(str(place), [("oci-layout", b"{}")])
    with pytest.raises(FileNotFoundError):
        targets.write_directory(str(place), [("blobs/sha256/1", str(tmp_path / "missing"))])
    assert (place / "oci-layout").read_bytes() == b"{}"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_image_that_does_not_come_beside_others_leaves_no_blob(error, tmp_path, monkeypatch):
    """They had filled the disk, and no image was theirs."""
    place = tmp_path / "layout"
    targets.write_directory(str(place), [("blobs/sha256/1", b"old"), ("index.json", b"1")])
    (tmp_path / "layer").write_bytes(b"new")
    wanted = [("blobs/sha256/1", b"old"), ("blobs/sha256/2", str(tmp_path / "layer")), ("index.json", b"2")]
    write, ends = files.write_file, ["before", "after"]

    def fail(path, *words):
        if ends[0] == "after":
            write(path, *words)
        raise error(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(files, "write_file", fail)
        with pytest.raises(error):
            targets.write_directory(str(place), wanted)
        assert [(place / name).read_bytes() for name in ("blobs/sha256/1", "index.json")] == [b"old", b"1"]
        assert os.listdir(place / "blobs/sha256") == ["1"]
        ends.pop(0)
        with pytest.raises(error):
            targets.write_directory(str(place), wanted)
        assert [(place / name).read_bytes() for name in ("blobs/sha256/2", "index.json")] == [b"new", b"2"]


def test_a_directory_with_something_else_in_it(tmp_path):
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(NsunitError, match="is not that of an OCI layout"):
        targets._index_there(str(tmp_path))


def test_an_image_that_is_made_here_is_of_no_registry():
    assert local_name("web") == "localhost/web:latest"
    assert local_name("docker.io/web:1") == "docker.io/library/web:1"


def test_a_container_is_thawed_by_the_unit_itself():
    unit = pause_unit("x", "nsunit-web.slice", ("/bin/systemctl", "--user"), ("/bin/tail", "--pid=7"))
    commands = {item.name: item.value[0][1] for item in unit.properties if item.signature == "a(sasb)"}
    assert commands == {
        "ExecStartPre": ("/bin/systemctl", "--user", "freeze", "nsunit-web.slice"),
        "ExecStart": ("/bin/tail", "--pid=7"),
        "ExecStopPost": ("/bin/systemctl", "--user", "thaw", "nsunit-web.slice"),
    }


@pytest.mark.parametrize("result", ["done", "failed"])
def test_a_pause_ends_with_what_it_is_for(monkeypatch, result):
    stopped = []
    bus = SimpleNamespace(
        start_transient=lambda _unit: 1, wait=lambda job, _seconds: result if job == 1 else "done", stop=stopped.append
    )
    monkeypatch.setattr(pause, "is_frozen", lambda _running: False)
    paused = pause.Paused(SimpleNamespace(user=False, bus=bus), SimpleNamespace(name="web", slice="nsunit-web.slice"))
    if result == "failed":
        with pytest.raises(NsunitError, match="web: it cannot be paused"):
            paused.__enter__()
        assert stopped == []
        return
    with paused:
        assert stopped == []
    assert stopped[0].startswith("nsunit-pause-")


def test_a_users_unit_asks_for_what_a_users_systemd_can_give():
    names = {item.name for item in pack_unit("x", ("/bin/true",), "/x", user=True).properties}
    assert {"MemoryMax", "TasksMax"} <= names
    assert not names & {"NoNewPrivileges", "CapabilityBoundingSet", "PrivateNetwork", "DevicePolicy"}


def test_marks_of_users_are_others():
    """What a container writes into the other kind means nothing."""
    both = {"trusted.overlay.opaque": b"y"}
    assert walk.is_opaque(both) and not walk.is_opaque(both, walk.USERS_MARKS)
    assert walk.is_opaque({"user.overlay.opaque": b"y"}, walk.USERS_MARKS)
    walk.check_marks("x", {"trusted.overlay.redirect": b"/"}, walk.USERS_MARKS)
    with pytest.raises(NsunitError):
        walk.check_marks("x", {"user.overlay.redirect": b"/"}, walk.USERS_MARKS)


def test_what_only_this_host_has_is_sent_nowhere_unasked_and_nothing_without_skopeo(monkeypatch):
    store = SimpleNamespace(find=lambda _text: "0" * 64, named=lambda text: f"localhost/{text}:1")
    monkeypatch.setattr(send, "Store", lambda _paths, _remove: store)
    monkeypatch.setattr(send, "directory_with", lambda _names: "")
    context = SimpleNamespace(user=False, paths=None, remove_tree=None)
    with pytest.raises(UsageError, match="'localhost/x:1' is a name of this host's, and of no registry") as caught:
        send.push(context, "x")
    assert caught.value.hint == "say where to: 'nsunit image push x REGISTRY/x:1'"
    with pytest.raises(NsunitError, match="sent by skopeo, which is not installed"):
        send.push(context, "x", "docker://registry/x:1")


@pytest.mark.parametrize("there", [False, True])
def test_who_writes_an_index_is_alone_with_it(there, tmp_path, monkeypatch):
    """Two exports into one layout both read the index, and the second to write it lost the tag of the first."""
    place, parts, write_file, seen = tmp_path / "layout", Parts(b"{}", (), "", 0), files.write_file, []
    if there:
        place.mkdir()

    def looked_at(path, *arguments):
        other = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        seen.append(os.path.basename(path))
        write_file(path, *arguments)

    monkeypatch.setattr(files, "write_file", looked_at)
    for tag in ("one", "two"):
        targets.put(targets.Target("oci", str(place), tag), parts, ())
    assert seen.count("index.json") == 2
    assert [item["annotations"][targets._TAG] for item in targets._index_there(str(place))] == ["one", "two"]


@pytest.mark.parametrize("there", [False, True])
def test_of_an_export_that_fails_nothing_is_left(there, tmp_path, monkeypatch):
    place = tmp_path / "layout"
    if there:
        place.mkdir()

    def full(path, *_arguments):
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(files, "write_file", full)
    with pytest.raises(OSError, match="No space left"):
        targets.put(targets.Target("oci", str(place), "one"), Parts(b"{}", (), "", 0), ())
    assert list(tmp_path.rglob("*")) == [place] * there


def test_a_layout_where_directories_have_no_locks(tmp_path, monkeypatch):
    def flock(_fd, _how):
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", flock)
    targets.put(targets.Target("oci", str(tmp_path / "layout"), "one"), Parts(b"{}", (), "", 0), ())
    assert (tmp_path / "layout/index.json").exists()
