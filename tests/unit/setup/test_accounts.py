"""Account files of a hostile root, and the paths of sources on the host."""

import os

import pytest

from nsunit.setup import accounts, files

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
app:x:1000:1001::/srv/app:/bin/sh
short:x:1
wrap:x:4294967296:0::/:/bin/sh
minus:x:-1:0::/:/bin/sh
empty:x:::
4294967296:x:0:0::/:/bin/sh
007:x:0:0::/:/bin/sh
+1:x:0:0::/:/bin/sh
app:x:0:0:second of the name:/:/bin/sh
nohome:x:5:5:::/bin/sh
"""
GROUP = "root:x:0:\napp:x:1001:\nwheel:x:10:root,app\nbig:x:4294967296:app\nvideo:x:44:app\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("user", "group", "more", "identity"),
    [
        ("", "", (), (0, 0, [10], "/root", "root")),
        ("root", "", (), (0, 0, [10], "/root", "root")),
        ("app", "", (), (1000, 1001, [10, 44], "/srv/app", "app")),
        ("1000", "", (), (1000, 1001, [10, 44], "/srv/app", "app")),
        ("app", "video", ("7",), (1000, 44, [7, 10], "/srv/app", "app")),
        ("app", "5", ("wheel", "wheel"), (1000, 5, [10, 44], "/srv/app", "app")),
        ("1", "", (), (1, 0, [], "/", "")),
        ("4294967294", "", (), (4294967294, 0, [], "/", "")),
        ("007", "", (), (7, 0, [], "/", "")),
        ("nohome", "", (), (5, 5, [], "/", "nohome")),
    ],
)
def test_who_it_is(root, user, group, more, identity):
    found = accounts.look_up(root, user, group, more)
    assert (found.uid, found.gid, found.groups, found.home, found.name) == identity


@pytest.mark.parametrize("user", ["4294967295", "4294967296", "99999999999", "0" * 11])
def test_digits_out_of_range_are_no_name(root, user):
    with pytest.raises(LookupError, match=f"^user '{user}' is out of range$"):
        accounts.look_up(root, user, "", ())
    with pytest.raises(LookupError, match=f"^group '{user}' is out of range$"):
        accounts.look_up(root, "0", user, ())


@pytest.mark.parametrize(
    "user", ["wrap", "minus", "empty", "short", "ghost", "-1", " 1", "1_0", "0x0", "\uff11", "\u0661"]
)
def test_who_it_is_not(root, user):
    with pytest.raises(LookupError, match="is not in the container's /etc/passwd$"):
        accounts.look_up(root, user, "", ())


def test_groups_out_of_range_do_not_count(root):
    with pytest.raises(LookupError, match="^group 'big' is not in the container's /etc/group$"):
        accounts.look_up(root, "0", "big", ())


def test_root_without_account_files(tmp_path):
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    assert accounts.look_up(fd, "7", "", ()).uid == 7
    with pytest.raises(LookupError):
        accounts.look_up(fd, "app", "", ())
    os.close(fd)


def test_links_stay_inside(tmp_path, root):
    outside = tmp_path.parent / "outside"
    outside.write_text("app:x:1:1::/:\n")
    for target in (str(outside), "../../../../../.." + str(outside)):
        (tmp_path / "etc/passwd").unlink()
        (tmp_path / "etc/passwd").symlink_to(target)
        with pytest.raises(LookupError):
            accounts.look_up(root, "app", "", ())


def test_what_is_no_file_is_refused_at_once(tmp_path, root):
    path = tmp_path / "etc/passwd"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        accounts.look_up(root, "app", "", ())
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than"):
        accounts.look_up(root, "app", "", ())


# Paths inside


def test_missing_directories_are_made_inside(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to("../../../../../../" + str(outside))
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        with pytest.raises(OSError, match="File exists|Not a directory|symbolic links|No such file"):
            files.open_directory(fd, "/link/a/b")  # it points nowhere inside, and what it names is not made
        os.close(files.open_file(fd, "/a/b/file"))
        assert (root / "a/b/file").read_bytes() == b""
    finally:
        os.close(fd)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", ["/a/..", "/a/.", "/"])
def test_paths_that_cannot_be_made(tmp_path, path):
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    with pytest.raises(OSError):
        files.open_file(fd, "/missing" + path) if path != "/" else files._split(path)
    os.close(fd)


# Sources on the host


def test_links_of_root_are_followed(tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/file").touch()
    (tmp_path / "a").symlink_to("dir")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to("../" + tmp_path.name + "/./b/file")
    for name in ("dir/file", "a/file", "b/file", "c", "b/../dir/file"):
        fd = files.open_source(str(tmp_path / "x")[:-1] + name)
        assert os.path.samestat(os.fstat(fd), os.stat(tmp_path / "dir/file"))
        os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_links_of_others_are_not(tmp_path):
    (tmp_path / "link").symlink_to("/")
    os.lchown(tmp_path / "link", 600000, 600000)
    for path in (tmp_path / "link", tmp_path / "link/etc"):
        with pytest.raises(OSError, match="belongs to user 600000, not to root"):
            files.open_source(str(path))


def test_circles_and_wrong_kinds(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="symbolic links"):
        files.open_source(str(tmp_path / "circle"))
    with pytest.raises(OSError, match="Not a directory"):
        files.open_source(str(tmp_path / "file"), directory=True)
    with pytest.raises(FileNotFoundError):
        files.open_source(str(tmp_path / "missing"))
