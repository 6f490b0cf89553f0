"""What a container is shown of its limits: the least of what its group and those above it say."""

import errno
import fcntl
import os

import pytest

from nsunit.deeds import shown
from nsunit.deeds.shown import main, refresh
from nsunit.setup import mounts, namespaces, write_over
from nsunit.setup.build import Build
from nsunit.setup.namespaces import amount, limits_to_show, tightest, unit_and_slice, write_shown

UNIT = "/nsunit.slice/nsunit-shop.slice/nsunit-shop-web.slice/nsunit-web.service"
SLICE = UNIT.rpartition("/")[0]


@pytest.fixture
def tree(tmp_path):
    """A tree of cgroups; returns a function that writes a file of the group at a depth, 0 being the unit."""

    def write(depth, name, text):
        parts = UNIT.split("/")
        directory = tmp_path / "/".join(parts[1 : len(parts) - depth])
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text + "\n")

    write.root = str(tmp_path)
    return write


@pytest.mark.parametrize("group", [UNIT, UNIT + "/payload", UNIT + "/payload/init.scope"])
def test_unit_and_slice(group):
    assert unit_and_slice(group) == (UNIT, SLICE)


def test_the_one_of_a_user():
    above = "/user.slice/user-1000.slice/user@1000.service"
    assert unit_and_slice(f"{above}{UNIT}/payload") == (above + UNIT, above + SLICE)


def test_amounts():
    assert amount("5\n") < amount("40\n") < amount("max\n") == amount("max 100000\n") == amount("")
    assert amount("20000 100000\n") < amount("5000 20000\n") < amount("150000 100000\n")


def test_the_tightest_of_all_levels(tree):
    assert tightest(UNIT, "memory.max", tree.root) == ""
    for depth, texts in enumerate([("max", "max 100000"), ("300", "50000 100000"), ("200", "5000 20000"), ("400", "")]):
        tree(depth, "memory.max", texts[0])
        if texts[1]:
            tree(depth, "cpu.max", texts[1])
    assert tightest(UNIT, "memory.max", tree.root) == "200\n"
    assert tightest(UNIT, "cpu.max", tree.root) == "5000 20000\n"


def test_only_what_the_slice_does_not_say(tree):
    for name, own, slices, above in (("memory.max", "max", "2", "3"), ("pids.max", "9", "10", "max")):
        for depth, text in enumerate((own, slices, above)):
            tree(depth, name, text)
    assert limits_to_show(UNIT, SLICE, everything=False, root=tree.root) == {"pids.max": "9\n"}
    assert limits_to_show(UNIT, SLICE, everything=True, root=tree.root) == {"memory.max": "2\n", "pids.max": "9\n"}
    tree(2, "memory.high", "7")  # the slice has not got the file at all
    assert limits_to_show(UNIT, SLICE, everything=False, root=tree.root) == {"pids.max": "9\n", "memory.high": "7\n"}


def test_a_file_is_written_over(tmp_path):
    """It stays the same file, since that is what is mounted, and is cut last: what is read meanwhile can be parsed."""
    fd = os.open(tmp_path, os.O_RDONLY)
    write_over(fd, "cpu.max", "100000 100000\n")
    inode = (tmp_path / "cpu.max").stat().st_ino
    for text in ("5000 100000\n", "max 100000\n", "max 100000\n"):
        write_over(fd, "cpu.max", text)
        assert ((tmp_path / "cpu.max").read_text(), (tmp_path / "cpu.max").stat().st_ino) == (text, inode)
    os.close(fd)


def shown_by_the_helper(runtime, unit, root):
    parent = os.open(runtime, os.O_RDONLY | os.O_DIRECTORY)
    return write_shown(parent, unit, ("memory.max", "pids.max"), root)


def test_who_writes_last_has_read_last(tree, tmp_path):
    """The helper locks others out before it reads, until it closes the directory."""
    tree(1, "memory.max", "5")
    tree(1, "pids.max", "6")
    directory = shown_by_the_helper(tmp_path, UNIT, tree.root)
    assert (tmp_path / "limits/memory.max").read_text() == "5\n"
    other = os.open(tmp_path / "limits", os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(directory)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_what_cannot_be_written_leaves_no_lock(tree, tmp_path, monkeypatch):
    """As on a full /run: who has failed with one goes on with others, and would wait for its own lock."""

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(namespaces, "write_over", full)
    with pytest.raises(OSError, match="No space left"):
        shown_by_the_helper(tmp_path, UNIT, tree.root)
    other = os.open(tmp_path / "limits", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_all_are_brought_up_to_date(tree, tmp_path, monkeypatch):
    runtimes = tmp_path / "containers"
    refresh(str(runtimes), tree.root)  # nothing was ever started
    for name in ("plain", "web", "ended"):
        (runtimes / name).mkdir(parents=True)
    (runtimes / "ended/limits").mkdir()
    tree(1, "memory.max", "5")
    tree(1, "pids.max", "6")
    for _ in range(2):  # the second time after a restart
        os.close(shown_by_the_helper(runtimes / "web", UNIT, tree.root))
    tree(2, "memory.max", "4")
    tree(1, "cpu.max", "1000 100000")
    refresh(str(runtimes), tree.root)
    found = {path.name: path.read_text() for path in (runtimes / "web/limits").iterdir()}
    assert found == {"cgroup": UNIT, "memory.max": "4\n", "pids.max": "6\n"}
    tree(2, "memory.max", "3")
    waited = []
    monkeypatch.setattr("time.sleep", lambda seconds: (waited.append(seconds), tree(2, "memory.max", "2")))
    monkeypatch.setattr(refresh, "__defaults__", (tree.root,))
    main(["", str(runtimes)])
    assert waited and (runtimes / "web/limits/memory.max").read_text() == "2\n"


def test_who_ends_meanwhile_keeps_nobody_from_it(tree, tmp_path, monkeypatch):
    """Reading a file of a cgroup that was removed after the file was opened says ENODEV."""
    for name in ("web", "ends"):
        (tmp_path / "containers" / name).mkdir(parents=True)
        os.close(shown_by_the_helper(tmp_path / "containers" / name, UNIT if name == "web" else "/ends", tree.root))
    tree(0, "memory.max", "4")

    def limit(group, name, root):
        if group == "/ends":
            raise OSError(errno.ENODEV, "No such device")
        return tightest(group, name, root)

    monkeypatch.setattr(shown, "tightest", limit)
    refresh(str(tmp_path / "containers"), tree.root)
    assert (tmp_path / "containers/web/limits/memory.max").read_text() == "4\n"


@pytest.mark.parametrize(("own_users", "asked"), [(False, ["workspace"]), (True, [])])
def test_only_containers_of_the_system_ask_for_a_limit_of_all_to_be_followed(monkeypatch, own_users, asked):
    """A user has no nsunit-limits.path, and nobody would remove the file that asks it."""
    found = []
    build = Build("")
    build.own_users = own_users
    build.prepared["workspace"] = "workspace"
    monkeypatch.setattr(mounts.SliceCgroup, "shows_slice", False)
    monkeypatch.setattr(namespaces, "own_cgroup", lambda: UNIT)
    monkeypatch.setattr(namespaces, "limits_to_show", lambda *_, **__: {})
    monkeypatch.setattr(namespaces, "has_limits", lambda group: group == SLICE.rpartition("/")[0])
    monkeypatch.setattr(namespaces, "ask_to_follow", found.append)
    mounts.SliceCgroup("").join(build)
    assert found == asked
