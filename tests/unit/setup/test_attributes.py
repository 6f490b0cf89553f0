"""Attributes of control groups, on a tree of ordinary files that stands for the kernel's."""

from __future__ import annotations

import errno
import os

import pytest

from nsunit.setup import attributes

GROUP = "/nsunit.slice/nsunit-web.slice/nsunit-web.service"


@pytest.fixture
def tree(tmp_path):
    directory = tmp_path
    for part in ("", *GROUP.strip("/").split("/")):
        directory = directory / part
        directory.mkdir(exist_ok=True)
        (directory / "cgroup.subtree_control").touch()
    (directory / "cpu.max.burst").touch()
    return tmp_path


def content(tree, group):
    return (tree / group.strip("/") / "cgroup.subtree_control").read_text()


def test_a_value_is_written(tree):
    attributes.write(GROUP, "cpu.max.burst=20000", str(tree))
    assert (tree / GROUP.strip("/") / "cpu.max.burst").read_text() == "20000"
    assert content(tree, "/") == ""


def test_a_controller_that_systemd_does_not_manage_is_handed_down(tree):
    with pytest.raises(OSError, match="this machine has no huge pages of that size"):
        attributes.write(GROUP, "hugetlb.2MB.max=5", str(tree))
    above = ("/", "/nsunit.slice", "/nsunit.slice/nsunit-web.slice")
    assert [content(tree, group) for group in above] == ["+hugetlb"] * 3
    assert content(tree, GROUP) == ""


def test_no_other_file_is_made(tree):
    with pytest.raises(OSError, match="No such file") as caught:
        attributes.write(GROUP, "memory.swap.high=5", str(tree))
    assert caught.value.filename == "memory.swap.high"
    assert not (tree / GROUP.strip("/") / "memory.swap.high").exists()


@pytest.mark.parametrize(
    ("attribute", "path", "number", "reason"),
    [
        ("misc.max=sev 4", "/x/cgroup.subtree_control", errno.EINVAL, "this kernel has no controller 'misc'"),
        ("misc.max=sev 4", "/x/misc.max", errno.EINVAL, "this machine has no resource 'sev'"),
        ("rdma.max=mlx4_0 hca_handle=1", "/x/rdma.max", errno.ENODEV, "this machine has no RDMA device 'mlx4_0'"),
        (
            "cpu.uclamp.min=5",
            "/x/cpu.uclamp.min",
            errno.ENOENT,
            "this kernel was built without CONFIG_UCLAMP_TASK_GROUP",
        ),
        ("cpu.max.burst=5", "/x/cpu.max.burst", errno.EINVAL, "Invalid argument"),
    ],
)
def test_reasons(tree, monkeypatch, attribute, path, number, reason):
    def refuse(_path, _text):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(attributes, "write_file", refuse)
    with pytest.raises(OSError, match=reason) as caught:
        attributes.write(GROUP, attribute, str(tree))
    assert caught.value.strerror == reason
    assert caught.value.filename == attribute.partition("=")[0]
