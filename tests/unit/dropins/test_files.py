"""Writing what systemd reads: what fails leaves nothing, and what no disk can do is no failure."""

import errno
import os

import pytest

from nsunit.dropins import files
from nsunit.errors import NsunitError


def test_an_interrupt_once_it_is_opened_leaves_nothing(tmp_path, monkeypatch):
    opened = os.open

    def interrupted(*words):
        os.close(opened(*words))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(str(tmp_path / "web.nsunit.d/a.conf"), b"[Service]\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("there", [False, True])
def test_what_fails_leaves_no_directory(error, there, tmp_path, monkeypatch):
    """An empty nsunit-web.service.d stayed, which nobody knew of."""
    directory = tmp_path / "nsunit-web.service.d"
    if there:
        directory.mkdir()

    def fail(_fd):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((NsunitError, KeyboardInterrupt)):
        files.write(str(directory / "50-nsunit.conf"), b"[Service]\n")
    assert list(tmp_path.iterdir()) == [directory] * there


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EROFS, errno.EIO])
def test_a_directory_that_cannot_be_synced(number, tmp_path, monkeypatch):
    fsync = os.fsync

    def fail(fd):
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(number, os.strerror(number))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "x.conf"
    if number == errno.EIO:
        with pytest.raises(NsunitError, match="Input/output error"):
            files.write(str(path), b"")
    else:
        files.write(str(path), b"")
        assert files.remove(str(path))
        assert not path.exists()


def test_two_commands_that_remove_the_last_drop_ins(tmp_path, monkeypatch):
    """Each takes away the directory once it is empty: who comes second is done as well."""
    path = str(tmp_path / "nsunit-web.service.d/50-nsunit.conf")
    files.write(path, b"[Service]\n")
    unlink = os.unlink

    def both(what):
        unlink(what)
        os.rmdir(os.path.dirname(what))

    monkeypatch.setattr(os, "unlink", both)
    assert files.remove(path)
    assert list(tmp_path.iterdir()) == []
