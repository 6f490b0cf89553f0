"""An archive that becomes a volume: what goes on when the command is killed is in nobody's way, and is known."""

import errno
import os
import signal
import tarfile
from pathlib import Path

import pytest

from nsunit.core.context import Context
from nsunit.core.findings import Owners, is_locked
from nsunit.features.volumes import change, doctor, transfer
from nsunit.features.volumes.store import Store
from nsunit.features.volumes.transfer import import_volume
from nsunit.storage.lock import wait_until_left
from nsunit.storage.paths import Paths


def test_nobody_takes_away_what_is_still_unpacked_for_who_was_killed(tmp_path, monkeypatch):
    """Its lock was the command's alone: the next one removed what tar(1) was writing to."""
    (tmp_path / "bin").mkdir()
    for name in ("begun", "end"):
        os.mkfifo(tmp_path / name)
    program = tmp_path / "bin/systemd-run"  # as that with --wait, it ends with the unit
    program.write_text(f"#!/bin/sh\necho >{tmp_path}/begun\nread word <{tmp_path}/end\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    context = Context(paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    store = Store(context)
    path = store.path_of("data")
    owners = object.__new__(Owners)
    owners.context = context

    pid = os.fork()
    if pid == 0:
        try:
            import_volume(context, "data", os.open("/dev/null", os.O_RDONLY))
        finally:
            os._exit(1)
    (tmp_path / "begun").read_text()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    try:
        assert is_locked(path)
        assert not store.discard(path)
        assert os.listdir(path)
        assert list(doctor.left(owners)) == []
    finally:
        (tmp_path / "end").write_text("now\n")
    assert wait_until_left(path, 30)
    (item,) = doctor.left(owners)
    doctor.take_away(context, item)
    assert store.names() == [] and not os.path.lexists(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("place", ["data", "volumes"])
@pytest.mark.parametrize("made", [True, False])
def test_one_that_has_its_name_and_cannot_be_kept_is_none(tmp_path, monkeypatch, error, place, made):
    """It had failed, and the same command was refused since there was something in the volume."""
    context = Context(paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    monkeypatch.setattr(transfer, "_unpack", lambda _context, path, *_: Path(path, "file").touch())
    fsync, broken = os.fsync, [place]

    def fail(fd):
        if os.readlink(f"/proc/self/fd/{fd}").endswith(f"/{''.join(broken)}"):
            broken[:] = ["nothing"]
            raise error(errno.EIO, "broken")
        fsync(fd)

    if made:
        change.create(context, "data")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error):
        import_volume(context, "data", 0)
    store = Store(context)
    assert store.names() == ["data"] * made
    assert os.listdir(store.path) == ["data"] * made
    import_volume(context, "data", 0)
    assert os.listdir(f"{store.path_of('data')}/data") == ["file"]


def test_the_archive_ends_for_tar_when_the_command_is_killed(tmp_path, monkeypatch):
    """It had the file itself, and went on to its end; an archive that is whole comes in whole."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/systemd-run"  # takes all when it is told to go on
    steps = ("head -c 1 >begun", "read word <go", "cat >rest", "echo end >ended")
    program.write_text("\n".join(("#!/bin/sh", f"cd '{tmp_path}'", *steps, "")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    for name in ("begun", "go", "ended"):
        os.mkfifo(tmp_path / name)
    context = Context(paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    size = 8 << 20
    (tmp_path / "archive").write_bytes(b"x" * size)
    for killed in (True, False):
        pid = os.fork()
        if pid == 0:
            try:
                import_volume(context, "data", os.open(tmp_path / "archive", os.O_RDONLY))
            finally:
                os._exit(0)
        assert (tmp_path / "begun").read_bytes() == b"x"
        if killed:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        (tmp_path / "go").write_text("on\n")
        assert (tmp_path / "ended").read_text() == "end\n"
        if not killed:
            os.waitpid(pid, 0)
        assert ((tmp_path / "rest").stat().st_size < size - 1) == killed
        assert wait_until_left(Store(context).path_of("data"), 30)


COUNTERS = "/sys/devices/virtual/net/lo/statistics"  # its files say a size and no blocks, as those of erofs do


def test_a_file_without_blocks_of_its_own_is_read(tmp_path, monkeypatch):
    """With --sparse, tar(1) takes it for one hole, and had zeros in its place."""
    status = os.stat(f"{COUNTERS}/collisions")
    assert status.st_size and not status.st_blocks
    monkeypatch.setattr(transfer, "directory_of", lambda _context, _name: COUNTERS)
    with open(tmp_path / "archive", "wb") as output:
        transfer.export_volume(Context(), "data", output.fileno())
    with tarfile.open(tmp_path / "archive") as archive:
        content = archive.extractfile("./collisions").read()
    assert content[:2] == b"0\n"


def test_holes_are_left_out(tmp_path, monkeypatch):
    (tmp_path / "below/it").mkdir(parents=True)
    with open(tmp_path / "below/it/hole", "wb") as file:
        file.truncate(1 << 22)
    monkeypatch.setattr(transfer, "directory_of", lambda _context, _name: str(tmp_path))
    with open(tmp_path.parent / "holes.tar", "w+b") as output:
        assert transfer.export_volume(Context(), "data", output.fileno())
        assert os.fstat(output.fileno()).st_size < 1 << 20
