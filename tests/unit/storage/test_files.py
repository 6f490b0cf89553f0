import errno
import os
import stat
from types import SimpleNamespace

import pytest

from nsunit.core import install
from nsunit.dropins import files as unit_files
from nsunit.setup import files as setup_files
from nsunit.setup.main import read_plan
from nsunit.storage import files, lock
from nsunit.storage.files import read_file, read_kernel_file, write_whole


def test_a_long_file_is_read_whole(tmp_path):
    (tmp_path / "io.stat").write_text("8:0 rbytes=1\n" * 20_000)
    assert len(read_kernel_file(str(tmp_path / "io.stat"))) == 13 * 20_000
    assert read_kernel_file(str(tmp_path / "nothing")) is None


def test_a_list_that_comes_in_pieces_is_read_whole(tmp_path, monkeypatch):
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, min(size, 4096)))
    (tmp_path / "cgroup.procs").write_text("12345\n" * 1_000)
    assert read_kernel_file(str(tmp_path / "cgroup.procs")).count("12345") == 1_000


def test_a_directory_whose_new_name_does_not_get_to_the_disk_keeps_its_former_one(tmp_path, monkeypatch):
    """Who moves it knows of nothing to take back then."""

    def sync(_path):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "own").mkdir()
    monkeypatch.setattr(files, "sync_directory", sync)
    with pytest.raises(OSError, match="No space left"):
        files.move(f"{tmp_path}/own", f"{tmp_path}/new")
    assert os.listdir(tmp_path) == ["own"]


def test_parameters_of_the_kernel_are_read_too():
    assert int(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start")) >= 0


def test_a_plan_that_is_a_pipe_is_an_empty_one(tmp_path):
    """Nobody is waited for."""
    os.mkfifo(tmp_path / "plan")
    assert read_plan(str(tmp_path)) == []


@pytest.fixture(params=["without a name", "with one"])
def kind(request, monkeypatch):
    """File systems that have files without names, and those that have not."""
    open_ = os.open

    def refuse(path, flags, *rest, **more):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no")
        return open_(path, flags, *rest, **more)

    if request.param == "with one":
        monkeypatch.setattr(os, "open", refuse)
    return request.param


def test_a_file_is_there_when_it_is_whole(kind, tmp_path):
    path = tmp_path / "a.tar"

    def write(fd):
        os.write(fd, b"half")
        seen.append(sorted(item.name for item in tmp_path.iterdir()))
        return "told"

    seen = []
    (tmp_path / ".a.tar.nsunit").write_text("of one that was killed")
    assert write_whole(str(path), write) == "told"
    assert (path.read_bytes(), oct(path.stat().st_mode & 0o777)) == (b"half", "0o600")
    assert write_whole(str(path), write) == "told", "it replaces what is there"
    assert seen[1] == (["a.tar"] if kind == "without a name" else [".a.tar.nsunit", "a.tar"])
    with pytest.raises(FileExistsError):
        write_whole(str(path), lambda fd: os.write(fd, b"other"), replace=False)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"half", ["a.tar"])
    write_whole(str(tmp_path / "b"), lambda fd: os.write(fd, b"b"), replace=False)
    assert (tmp_path / "b").read_bytes() == b"b"


def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    """As /dev/null and /dev/stdout, which root would make a file of."""
    pipe, link, beyond = (tmp_path / name for name in ("pipe", "link", "beyond"))
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert write_whole(str(pipe), lambda fd: os.write(fd, b"said")) == 4
    assert (os.read(reader, 9), pipe.is_fifo()) == (b"said", True)
    os.close(reader)
    link.symlink_to(beyond)
    for text in (b"longer", b"short"):
        write_whole(str(link), lambda fd, text=text: os.write(fd, text))
        assert (beyond.read_bytes(), link.is_symlink()) == (text, True)
    with pytest.raises(IsADirectoryError):
        write_whole(str(tmp_path), print)
    with pytest.raises(FileExistsError):
        write_whole(str(link), print, replace=False)


def test_a_file_that_fails_leaves_nothing(kind, tmp_path):
    def fail(fd):
        os.write(fd, b"half")
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full") as caught:
        write_whole(str(tmp_path / "a.tar"), fail)
    assert caught.value.filename == str(tmp_path / "a.tar")
    assert os.listdir(tmp_path) == []
    with pytest.raises(OSError, match="none/a.tar"):
        write_whole(str(tmp_path / "none/a.tar"), fail)


@pytest.mark.parametrize("fails", ["fsync", "link", "rename", "unlink"])
def test_an_archive_that_cannot_be_finished_is_told_by_its_own_name(fails, tmp_path, monkeypatch):
    """Not by that of a descriptor, nor by one of nsunit's own."""

    def fail(*words, **_more):
        raise OSError(errno.EIO, "broken", *([] if fails == "fsync" else words[:1]))

    path = str(tmp_path / "a.tar")
    with monkeypatch.context() as broken, pytest.raises(OSError, match="broken") as caught:
        broken.setattr(os, fails, fail)
        write_whole(path, lambda fd: os.write(fd, b"x"))
    assert caught.value.filename == path


def test_what_a_descriptor_is_asked_for_is_told_by_its_name(tmp_path, monkeypatch):
    def fail(*_words):
        raise OSError(errno.ENOLCK, "no more of them")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no more") as caught:
        files.sync_directory(str(tmp_path))
    assert caught.value.filename == str(tmp_path)
    monkeypatch.setattr(lock.fcntl, "flock", fail)
    with pytest.raises(OSError, match="no more") as caught, lock.Lock(str(tmp_path), "web"):
        pass
    assert caught.value.filename == str(tmp_path / "web")


@pytest.fixture(params=[files.write_file, unit_files.write])
def write(request):
    """What replaces a small file."""
    return request.param


def test_what_a_killed_command_left_is_in_nobodys_way(write, tmp_path, monkeypatch):
    """Process numbers come again, after a reboot at the latest."""
    path = str(tmp_path / "it")
    with monkeypatch.context() as killed:
        killed.setattr(os, "rename", lambda *_: None)  # it never gets there
        write(path, b"half")
    assert len(os.listdir(tmp_path)) == 1
    write(path, b"whole")
    assert os.listdir(tmp_path) == ["it"]
    assert files.read_file(path) == b"whole"


@pytest.mark.parametrize("fails", ["open", "fsync"])
def test_what_cannot_be_written_is_told_by_its_own_name(fails, tmp_path, monkeypatch):
    """Not by that of the file beside it, which is gone; and a full disk has none at all."""

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "full", *([str(tmp_path / "other")] if fails == "open" else []))

    monkeypatch.setattr(os, fails, fail)
    with pytest.raises(OSError, match="full") as caught:
        files.write_file(str(tmp_path / "it"), b"content")
    assert caught.value.filename == str(tmp_path / "it")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_on_what_is_read_only_not_even_what_is_missing_is_removed(tmp_path, monkeypatch):
    """It is the file that is told, or the tree, and no name that nobody knows."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").touch()

    def refuse(path, **_more):
        raise OSError(errno.EROFS, "read-only", path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(OSError, match="read-only") as caught:
        files.write_file(str(tmp_path / "it"), b"content")
    assert caught.value.filename == str(tmp_path / "it")
    with pytest.raises(OSError, match="read-only") as caught:
        files.remove_tree(str(tree))
    assert caught.value.filename == str(tree)


def test_why_a_directory_cannot_be_written_to(tmp_path, monkeypatch):
    assert files.refusal(str(tmp_path)) == files.refusal(str(tmp_path / "none")) == ""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert files.refusal(str(tmp_path)) == "is not yours to write to"
    assert files.refusal("/sys") == "is not yours to write to"
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY | os.ST_NOSUID))
    assert files.refusal(str(tmp_path)) == "is on a file system that is read-only"


def test_an_interrupt_when_the_file_has_its_name_is_an_interrupt(write, tmp_path, monkeypatch):
    rename = os.rename

    def interrupted(*names):
        rename(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(str(tmp_path / "it"), b"whole")
    assert os.listdir(tmp_path) == ["it"]


def test_a_file_that_is_to_outlast_a_power_cut_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: done.append("fsync") or fsync(fd))
    monkeypatch.setattr(os, "rename", lambda *names: done.append("rename") or rename(*names))
    files.write_file(str(tmp_path / "it"), b"content")
    assert done == ["fsync", "rename"]


@pytest.mark.parametrize(("uid", "mode"), [(0, 0o755), (1000, 0o700)])
def test_directories_of_roots_files_are_for_all_to_look_into(tmp_path, monkeypatch, uid, mode):
    """Whatever the umask: systemd reads what is there in any case, and users would not see it."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    before = os.umask(0o077)
    try:
        unit_files.write(str(tmp_path / "system/web.slice.d/50.conf"), b"[Slice]")
        unit_files.write(str(tmp_path / "system/web.slice.d/60.conf"), b"[Slice]")
    finally:
        os.umask(before)
    found = [tmp_path / "system", tmp_path / "system/web.slice.d", tmp_path / "system/web.slice.d/50.conf"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in found] == [mode, mode, 0o644]


@pytest.fixture
def synced(monkeypatch):
    """What was done, in its order: names that were given, and what was then on its disk."""
    done = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: done.append(os.readlink(f"/proc/self/fd/{fd}")) or fsync(fd))
    monkeypatch.setattr(os, "rename", lambda *names: done.append(f"→ {names[1]}") or rename(*names))
    return done


def test_what_was_moved_has_its_name_after_a_power_cut(synced, tmp_path):
    for name in ("old", "old/it", "new"):
        (tmp_path / name).mkdir()
    files.move(f"{tmp_path}/old/it", f"{tmp_path}/new/it")
    assert (synced[0], sorted(synced[1:])) == (f"→ {tmp_path}/new/it", [f"{tmp_path}/new", f"{tmp_path}/old"])


def test_what_a_container_is_started_from_at_boot_is_on_its_disk(synced, tmp_path):
    """With the directories that it is in: the unit file, which is on its own by then, may be on another disk."""
    boot = tmp_path / "containers/web/boot"
    boot.mkdir(parents=True)
    undo = []
    install.write_contents(str(boot), {"plan": b"x"}, undo)
    assert synced[-4:] == [f"→ {boot}/plan", str(boot), f"{tmp_path}/containers/web", f"{tmp_path}/containers"]
    synced.clear()
    install.write_contents(str(boot), {"plan": b"y"}, undo)
    undo[0]()
    assert synced[-2].startswith(f"{boot}/plan.") and synced[-1] == f"→ {boot}/plan"
    assert (boot / "plan").read_bytes() == b"x"


def test_a_directory_of_a_file_system_that_cannot_be_synced_is_no_error(monkeypatch, tmp_path):
    def fsync(_fd):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    files.sync_directory(str(tmp_path))


def test_a_file_in_a_container_is_written_whole(tmp_path, monkeypatch):
    """os.write() takes a part of it where the file system has no more room."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: real(fd, content[:1]))
    directory = os.open(tmp_path, os.O_RDONLY)
    setup_files.write_new(directory, "it", b"content")
    os.close(directory)
    assert (tmp_path / "it").read_bytes() == b"content"


def test_what_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    path = f"{tmp_path}/record"
    assert files.read_known(path) is None
    files.write_file(path, b"one")
    first = files.read_known(path)
    assert first == b"one"
    assert files.read_known(path) is first
    with monkeypatch.context() as patch:
        patch.setattr(files, "read_file", lambda path: pytest.fail(f"{path} is read again"))
        assert files.read_known(path) is first
    files.write_file(path, b"two")
    assert files.read_known(path) == b"two"
    os.unlink(path)
    assert files.read_known(path) is None


def test_a_change_is_seen_where_clock_and_inodes_do_not_tell(tmp_path, monkeypatch):
    """An inode may be used again within the same tick of the clock."""
    path = f"{tmp_path}/changes/ids"
    assert files.version_of(path) is None
    status = os.lstat(tmp_path)
    seen = [files.note_change(path)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lambda _path: status)
        assert files.version_of(path) == seen[0]
        seen += [files.note_change(path) for _ in range(3)]
        assert files.version_of(path) == seen[-1]
    assert len(set(seen)) == len(seen)
