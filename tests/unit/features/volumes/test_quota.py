"""How much a volume can hold: projects, and what is said where there are none."""

import errno
import os
import struct

import pytest

from nsunit.core.context import Context
from nsunit.errors import NsunitError
from nsunit.features.volumes import quota
from nsunit.features.volumes.store import Store
from nsunit.storage.paths import Paths


@pytest.fixture
def kernel(monkeypatch):
    """Project quotas: what each has of files, and the limits that were set, in blocks."""
    files: dict[int, int] = {}
    limits: dict[int, int] = {}

    def call(_fd, command, project, buffer):
        if command == quota._GETQUOTA:
            if project not in files:
                raise OSError(errno.ENOENT, "none")
            buffer[:] = struct.pack(quota._QUOTA, 1, 0, 0, 0, 0, files[project], 0, 0, 0)
        else:
            limits[project] = struct.unpack(quota._QUOTA, buffer)[0]
            files[project] = 1

    attributes: dict[int, bytes] = {}

    def ioctl(fd, request, buffer):
        inode = os.fstat(fd).st_ino
        if request == quota._FSGETXATTR:
            buffer[:] = attributes.get(inode, bytes(len(buffer)))
        else:
            attributes[inode] = bytes(buffer)

    monkeypatch.setattr(quota.linux, "quotactl_fd", call)
    monkeypatch.setattr(quota.fcntl, "ioctl", ioctl)
    return files, limits


def test_each_has_a_project_of_its_own(kernel, tmp_path):
    files, limits = kernel
    os.mkdir(tmp_path / "volumes", 0o700)
    store = Store(Context(paths=Paths(str(tmp_path / "run"), str(tmp_path))))
    assert quota.keep_to(store.path_of("a"), 1025)
    assert quota.keep_to(store.path_of("b"), 1 << 20)
    assert sorted(limits.values()) == [2, 1024]
    assert store.size_max(store.path_of("a")) == 1025
    # Another size is that of the same project, and the same is none.
    assert not quota.keep_to(store.path_of("a"), 4096)
    assert not quota.keep_to(store.path_of("a"), 4096)
    assert sorted(limits.values()) == [4, 1024]
    os.makedirs(store.path_of("c") + "/data")
    with pytest.raises(NsunitError, match="the volume 'c' is there already, without a size"):
        quota.keep_to(store.path_of("c"), 4096)
    # What was taken away leaves a limit, and no files.
    (gone,) = (project for project, blocks in limits.items() if blocks == 4)
    files[gone] = 0
    assert quota._free_project(0, gone - quota._FIRST) == gone


def test_no_project_is_left(kernel, monkeypatch):
    files, _ = kernel
    monkeypatch.setattr(quota, "_COUNT", 2)
    files.update({quota._FIRST: 1, quota._FIRST + 1: 1})
    with pytest.raises(NsunitError, match="all project ids for quotas are in use"):
        quota._free_project(0, 7)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ESRCH, "has no project quotas"), (errno.EPERM, "only root can limit"), (errno.ENOTTY, "has no project")],
)
def test_what_cannot_be(kernel, monkeypatch, tmp_path, number, said):
    def refuse(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(quota.linux, "quotactl_fd", refuse)
    with pytest.raises(NsunitError, match=said):
        quota.keep_to(str(tmp_path / "a"), 4096)
    assert os.listdir(tmp_path) == []
