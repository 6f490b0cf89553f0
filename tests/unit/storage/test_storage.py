"""Id ranges, locks and files in nsunit's own directories."""

import errno
import fcntl
import os
import signal
import stat
import time

import pytest

from nsunit.core.findings import is_locked
from nsunit.errors import NsunitError
from nsunit.storage import files, lock, ranges
from nsunit.storage.lock import Lock, hold, wait_until_left
from nsunit.storage.paths import Paths


@pytest.fixture
def paths(tmp_path):
    found = Paths(str(tmp_path / "run"), str(tmp_path / "state"))
    for directory in (found.runtimes, found.states):
        os.makedirs(directory, 0o700)
    return found


# Ranges


def make(paths, name):
    os.makedirs(paths.state_of(name), exist_ok=True)
    return paths.state_of(name)


def test_ranges_never_overlap(paths):
    starts = {ranges.allocate(paths, f"c{number}", make(paths, f"c{number}"))[0] for number in range(50)}
    assert len(starts) == 50
    assert all(start % 65536 == 0 and ranges.FIRST <= start <= ranges.LAST for start in starts)


def test_range_is_remembered(paths):
    first = ranges.allocate(paths, "web", make(paths, "web"))
    assert ranges.allocate(paths, "web", paths.state_of("web")) == first
    assert os.stat(paths.state_of("web") + "/ids").st_mode & 0o777 == 0o600


def test_a_range_that_another_has_too_is_left(paths):
    first = ranges.allocate(paths, "web", make(paths, "web"))
    content = files.read_file(f"{paths.state_of('web')}/ids")
    files.write_file(f"{make(paths, 'copy')}/ids", content)
    files.write_file(f"{make(paths, 'broken')}/ids", b"nonsense")
    ranges._known.clear()  # the next command
    with pytest.raises(NsunitError, match="does not hold an id range"):
        ranges.allocate(paths, "copy", paths.state_of("copy"))
    files.write_file(f"{paths.state_of('broken')}/ids", b"1 1")
    ranges._known.clear()  # the next command
    second = ranges.allocate(paths, "copy", paths.state_of("copy"))
    assert second != first
    files.write_file(f"{paths.state_of('broken')}/ids", b"nonsense")
    ranges._known.clear()
    assert ranges.allocate(paths, "web", paths.state_of("web")) == first
    assert ranges.allocate(paths, "copy", paths.state_of("copy")) == second


def test_a_start_of_many_reads_the_ranges_of_others_once(paths, monkeypatch):
    read, understood = [], []
    read_file, entries = files.read_file, ranges._entries
    monkeypatch.setattr(files, "read_file", lambda path: read.append(path) or read_file(path))
    monkeypatch.setattr(ranges, "_entries", lambda *words: understood.append(words[1]) or entries(*words))
    names = [f"c{number}" for number in range(40)]
    for name in names:
        make(paths, name)
        os.makedirs(paths.runtime_of(name))
    first = [ranges.allocate(paths, name, paths.state_of(name)) for name in names]
    assert [ranges.allocate(paths, name, paths.state_of(name)) for name in names] == first
    assert sum(path.endswith("/ids") and not path.startswith(paths.changes) for path in read) <= 4 * len(names)
    assert len(understood) <= 4 * len(names)
    assert len(set(first)) == len(names)


def test_what_others_have_is_looked_at_under_the_lock_alone(paths, monkeypatch):
    """Between a note of a change and the change, what is read would be taken for what is after it."""
    look, seen = ranges._look, []

    def looking(of):
        seen.append(is_locked(f"{of.locks}/{ranges.LOCK}"))
        return look(of)

    monkeypatch.setattr(ranges, "_look", looking)
    first = ranges.allocate(paths, "web", make(paths, "web"))
    assert ranges.allocate(paths, "web", paths.state_of("web")) == first
    assert seen == [True, True]


def test_what_another_command_allocates_meanwhile_is_seen(paths):
    own = [ranges.allocate(paths, name, make(paths, name)) for name in ("a", "b")]
    known = ranges._known.copy()
    ranges._known.clear()  # another command
    theirs = [ranges.allocate(paths, "theirs", make(paths, "theirs"))]
    ranges.remember(paths, make(paths, "chosen"), (ranges.planned("next"), 1))
    ranges._known.update(known)
    found = ranges.allocate(paths, "next", make(paths, "next"))
    assert found not in own + theirs
    assert found[0] != ranges.planned("next")
    ranges._known.clear()
    for name in ("theirs", "chosen"):
        os.unlink(f"{paths.state_of(name)}/ids")
        os.rmdir(paths.state_of(name))
    assert ranges.allocate(paths, "next", paths.state_of("next")) == found


def test_what_another_command_renames_meanwhile_keeps_its_range(paths):
    """Its directory is another one then, which nobody has written to."""
    old = ranges.allocate(paths, "old", make(paths, "old"))
    ranges.allocate(paths, "a", make(paths, "a"))
    os.rename(paths.state_of("old"), paths.state_of("new"))
    files.write_file(f"{make(paths, 'copy')}/ids", b"%d %d allocated\n" % old)
    assert ranges.allocate(paths, "copy", paths.state_of("copy")) != old


def test_whoever_notes_a_range_has_the_lock_of_those_who_look(paths, monkeypatch):
    """Else one who looks between the note and the file takes what is about to change for what there is."""
    held = []
    write_file = files.write_file

    def write(path, content, **options):
        with pytest.raises(NsunitError, match="another command has been working on it"), Lock(paths.locks, ".ids", 0):
            pass
        held.append(os.path.basename(path))
        write_file(path, content, **options)

    monkeypatch.setattr(files, "write_file", write)
    ranges.remember(paths, make(paths, "chosen"), (7, 1))
    ranges.allocate(paths, "web", make(paths, "web"))
    assert held == ["ids"] * 4


DEFAULT = ranges.configured("", "")


@pytest.fixture(autouse=True)
def host_files(monkeypatch, tmp_path):
    """What the host has given to others: nothing."""
    subordinate = (str(tmp_path / "subuid"), str(tmp_path / "subgid"))
    monkeypatch.setattr(ranges, "SUBORDINATE", subordinate)
    monkeypatch.setattr(ranges, "NSRESOURCED", str(tmp_path / "registry"))
    monkeypatch.setattr(ranges, "NSPAWN", str(tmp_path / "nspawn-uid"))
    return tmp_path


def test_a_chosen_range_is_taken_and_can_be_given_up(paths):
    preferred = ranges.choose("web", [], DEFAULT)
    ranges.remember(paths, make(paths, "other"), (preferred, 70000))
    start, count = ranges.allocate(paths, "web", make(paths, "web"))
    assert (start, count) not in ((preferred, 65536), (preferred + 65536, 65536))
    again = ranges.allocate(paths, "other", paths.state_of("other"))
    assert again[1] == 65536
    assert again != (preferred, 65536)


def test_every_chosen_range_is_taken(paths):
    preferred = ranges.choose("web", [], DEFAULT)
    ranges.remember(paths, make(paths, "other"), (1000, 1), (preferred, 1))
    assert ranges.allocate(paths, "web", make(paths, "web"))[0] != preferred


def test_choice_is_stable_and_moves_on():
    first = ranges.choose("web", [], DEFAULT)
    assert ranges.choose("web", [], DEFAULT) == first
    second = ranges.choose("web", [(first, 65536)], DEFAULT)
    assert second != first
    assert second == ranges.choose("web", [(first, 65536), (first + 1, 1)], DEFAULT)


def test_a_choice_from_ranges_of_any_size_is_free():
    candidates = (range(100000, 100000 + 3 * 65536, 65536), range(7, 8, 65536))
    free = {100000, 165536, 231072, 7}
    for start in sorted(free):
        taken = [(other + 65535, 1) for other in free - {start}]
        assert {ranges.choose(name, taken, candidates) for name in ("a", "b", "web", "db")} == {start}


def test_choice_wraps_around_and_ends():
    first = ranges.FIRST
    rest = (first + 65536, ranges.LAST - first)
    assert ranges.choose("web", [rest], DEFAULT) == first
    with pytest.raises(NsunitError, match="^no id range is left$"):
        ranges.choose("web", [rest, (first, 1)], DEFAULT)


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([], {100000, 165536, 231072}),
        ([(100000, 1)], {165536, 231072}),
        ([(165535, 2)], {231072}),
        ([(99999, 1), (296608, 1)], {100000, 165536, 231072}),
        ([(0, 170000)], {231072}),
    ],
)
def test_configured_ranges_need_not_be_aligned(taken, free):
    """One id of a range that is taken blocks all of it; what is left of 200,000 behind the third is too small."""
    candidates = ranges.configured("nsunit:100000:200000\n", "nsunit:100000:200000\n")
    assert {ranges.choose(str(number), taken, candidates) for number in range(100)} == free


@pytest.mark.parametrize(
    ("subuid", "subgid", "message"),
    [
        ("nsunit:100000:65536", "", "/etc/subuid and /etc/subgid give different ids to 'nsunit'"),
        ("nsunit:100000:65536", "nsunit:100001:65536", "/etc/subuid and /etc/subgid give different ids to 'nsunit'"),
        ("nsunit:100000:65535", "nsunit:100000:65535", "/etc/subuid gives 'nsunit' no ids that a container could use"),
        ("nsunit:0:65536", "nsunit:0:65536", "/etc/subuid gives 'nsunit' no ids that a container could use"),
    ],
)
def test_wrong_configurations(subuid, subgid, message):
    with pytest.raises(NsunitError, match=f"^{message}$"):
        ranges.configured(subuid, subgid)


def test_the_ids_of_others_are_left_alone(paths, host_files):
    """Users with subordinate ids, and what systemd has given out; our own lines say where to look."""
    lines = "nsunit:1000000:262144\n"
    (host_files / "subuid").write_text(lines + "me:1000000:65536\n# x\nbad:x:y\n")
    (host_files / "subgid").write_text("me:1065536:10\n" + lines)
    (host_files / "registry").mkdir()
    (host_files / "registry/u1131072.userns").touch()
    (host_files / "registry/nfoo.userns").touch()
    assert ranges.allocate(paths, "web", make(paths, "web")) == (1196608, 65536)
    (host_files / "nspawn-uid").mkdir()
    (host_files / "nspawn-uid/1196608").touch()
    assert ranges.allocate(paths, "web", paths.state_of("web")) == (1196608, 65536)
    with pytest.raises(NsunitError, match="^no id range is left$"):
        ranges.allocate(paths, "web2", make(paths, "web2"))


@pytest.mark.parametrize("text", ["", "x y", "1", "1 2 3", "-1 65536", "1.5 65536"])
def test_spoiled_range(paths, text):
    directory = make(paths, "web")
    with open(directory + "/ids", "w") as file:
        file.write(text)
    with pytest.raises(NsunitError, match="does not hold an id range$"):
        ranges.remembered(directory)


def test_a_spoiled_range_that_is_in_use_is_noted_again(paths):
    own = ranges.allocate(paths, "web", make(paths, "web"))
    content = files.read_file(f"{paths.state_of('web')}/ids")
    files.write_file(f"{paths.state_of('web')}/ids", b"")
    ranges.restore(paths, paths.state_of("web"), [own])
    assert files.read_file(f"{paths.state_of('web')}/ids") == content
    ranges.restore(paths, paths.state_of("web"), [(1000, 10), (2000, 5)])
    assert files.read_file(f"{paths.state_of('web')}/ids") == b"1000 10\n2000 5\n"


# Locks


def test_a_directory_that_somebody_has_hold_of_is_waited_for(tmp_path):
    assert wait_until_left(str(tmp_path / "nowhere"), 0)
    held = hold(str(tmp_path))
    assert not wait_until_left(str(tmp_path), 0.05)
    os.close(held)
    assert wait_until_left(str(tmp_path), 0)


def test_lock_is_exclusive_and_leaves_nothing(paths):
    with Lock(paths.locks, "web"):
        with pytest.raises(NsunitError, match="^web: another command has been working on it for 0 s$"):
            Lock(paths.locks, "web", timeout=0.05).__enter__()
        with Lock(paths.locks, "other"):
            assert sorted(os.listdir(paths.locks)) == ["other", "web"]
    assert os.listdir(paths.locks) == []


def test_a_signal_that_comes_just_before_the_wait_does_not_make_it_endless(paths, monkeypatch):
    def flock(_fd: int, flags: int) -> None:
        if flags & fcntl.LOCK_NB:
            raise BlockingIOError
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        assert signal.sigtimedwait({signal.SIGALRM}, 5), "the first"
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        time.sleep(2)  # for flock(2), which another one ends

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(NsunitError, match="^web: another command"):
        Lock(paths.locks, "web", timeout=0.01).__enter__()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_who_cannot_remove_a_lock_or_is_interrupted_lets_go_of_it(paths, monkeypatch):
    """Else what it undoes then waits for itself."""

    def unlink(path):
        raise OSError(5, "Input/output error", path)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(os, "unlink", unlink)
        Lock(paths.locks, "web").__enter__().release()

    def interrupted(_lock, _fd):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Lock, "_is_current", interrupted)
        Lock(paths.locks, "web", timeout=0).__enter__()
    with Lock(paths.locks, "web", timeout=0):
        pass


def test_lock_can_be_released_early_and_taken_again(paths):
    with Lock(paths.locks, "web") as lock:
        lock.release()
        with Lock(paths.locks, "web", timeout=1):
            pass
        lock.__enter__()
    assert os.listdir(paths.locks) == []


def test_lock_of_a_killed_holder_is_free(paths):
    child = os.fork()
    if child == 0:
        Lock(paths.locks, "web").__enter__()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert os.listdir(paths.locks) == ["web"]
    with Lock(paths.locks, "web", timeout=1):
        pass
    assert os.listdir(paths.locks) == []


def test_lock_is_handed_on(paths):
    """Each waiter gets it in turn, though every holder removes the file."""
    inside = paths.runtime + "/inside"
    children = []
    for _ in range(8):
        child = os.fork()
        children.append(child)
        if child == 0:
            status = 1
            try:
                for _ in range(5):
                    with Lock(paths.locks, "web", timeout=30):
                        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                        time.sleep(0.002)
                        os.unlink(inside)
                status = 0
            finally:
                os._exit(status)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 8


# Files


def test_write_file_is_private_and_whole(paths):
    path = paths.runtime + "/plan"
    os.symlink("/dev/null", path)
    files.write_file(path, b"x")
    assert (files.read_file(path), stat.S_IMODE(os.lstat(path).st_mode)) == (b"x", 0o600)
    assert sorted(os.listdir(paths.runtime)) == ["containers", "plan"]
    assert files.read_file(path + "x") is None


def test_links_are_not_read(paths):
    os.symlink("/etc/passwd", paths.runtime + "/link")
    with pytest.raises(OSError, match="is not a regular file") as caught:
        files.read_file(paths.runtime + "/link")
    assert caught.value.errno == errno.EINVAL


def test_full_disk_names_the_file(paths, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write_file(paths.runtime + "/plan", b"x")
    assert caught.value.filename == paths.runtime + "/plan"
    assert os.listdir(paths.runtime) == ["containers"]


def test_directory_that_others_can_write_to_is_refused(paths):
    os.mkdir(paths.runtime + "/open", 0o700)
    os.chmod(paths.runtime + "/open", 0o777)
    os.symlink("/tmp", paths.runtime + "/link")
    for name in ("open", "link"):
        with pytest.raises(NsunitError, match="is not a directory that only its owner can write to$") as caught:
            files.make_private_directory(f"{paths.runtime}/{name}")
        mode = f"see what is in it, then 'chmod go-w {paths.runtime}/open'"
        assert caught.value.hint == {"open": mode, "link": "see who made it, and remove it"}[name]
    files.make_private_directory(paths.runtime + "/new/inner")
    for name in ("new", "new/inner"):
        assert stat.S_IMODE(os.stat(f"{paths.runtime}/{name}").st_mode) == 0o700


def test_removing_follows_no_link_and_knows_no_depth(paths, tmp_path):
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").touch()
    top = paths.state_of("web")
    os.makedirs(top)
    os.symlink(keep, top + "/link")
    os.mkfifo(top + "/fifo")
    directory = os.open(top, os.O_RDONLY)
    for number in range(3000):
        os.mkdir("d", dir_fd=directory)
        os.symlink(keep, f"link{number}", dir_fd=directory)
        deeper = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = deeper
    os.close(directory)
    assert files.remove_tree(top)
    assert not os.path.lexists(top)
    assert os.listdir(keep) == ["file"]
    assert not files.remove_tree(top)


def test_removing_refuses_a_link(paths):
    os.symlink("/tmp", paths.state_of("web"))
    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        files.remove_tree(paths.state_of("web"))


def test_ranges_of_commands_at_once_are_distinct(paths):
    children = []
    for number in range(6):
        make(paths, f"c{number}")
    for number in range(6):
        child = os.fork()
        children.append(child)
        if child == 0:
            status = 1
            try:
                ranges.allocate(paths, f"c{number}", paths.state_of(f"c{number}"))
                status = 0
            finally:
                os._exit(status)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 6
    assert len({ranges.remembered(paths.state_of(f"c{number}")) for number in range(6)}) == 6


def test_a_lock_whose_file_was_removed_is_let_go(tmp_path):
    """And a new one of the name, which another command may hold, stays."""
    with Lock(str(tmp_path), "web") as lock:
        os.unlink(lock.path)
    assert lock.fd == -1
    with Lock(str(tmp_path), "web") as first:
        os.unlink(first.path)
        with Lock(str(tmp_path), "web") as second:
            first.release()
            assert os.path.samestat(os.fstat(second.fd), os.stat(second.path))
    assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_no_timer(tmp_path, monkeypatch):
    """The signal of one that was left ended whatever was under way by then."""
    set_timer, before = signal.setitimer, signal.getsignal(signal.SIGALRM)

    def interrupted(which, seconds, *interval):
        set_timer(which, seconds, *interval)
        if seconds:
            raise KeyboardInterrupt

    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    fcntl.flock(first, fcntl.LOCK_EX)
    monkeypatch.setattr(lock._signal, "setitimer", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            lock.flock(second, 1000)
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        assert signal.getsignal(signal.SIGALRM) == before
    finally:
        set_timer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(first)
        os.close(second)
