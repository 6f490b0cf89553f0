"""What the helper of a user's container looks at as root of a user namespace, where the user's links are root's."""

import errno
import os

import pytest

from nsunit.features.devices.setup import Device
from nsunit.features.rootless import setup
from nsunit.setup import linux, root
from nsunit.setup.build import Build
from nsunit.setup.mounts import Bind


@pytest.fixture
def own():
    build = Build("")
    build.own_users = True
    return build


@pytest.mark.parametrize(
    "operation",
    [
        lambda path: Bind(path, "/mnt", ()),
        lambda path: root.Directory(path),
        lambda path: root.Overlay("", (path,)),
        lambda path: Device(path, "/dev/x", ()),
    ],
)
def test_a_link_that_came_after_the_look_at_all_links_is_not_followed(operation, own, tmp_path, monkeypatch):
    """The payload of another container of the user may have put it into a volume of both."""
    monkeypatch.setattr(
        linux, "clone_tree", lambda fd: pytest.fail(f"followed to {os.readlink(f'/proc/self/fd/{fd}')}")
    )
    monkeypatch.setattr(os, "lstat", lambda path: os.stat_result((0o120777, 0, 0, 1, 0, 0, 0, 0, 0, 0)))  # root's
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(OSError) as caught:  # noqa: PT011 — the number is looked at
        operation(str(tmp_path / "link")).prepare(own)
    assert caught.value.errno == errno.ELOOP


def test_links_of_root_are_resolved_while_they_can_be_told_apart(monkeypatch):
    monkeypatch.setattr(setup.files, "resolve_source", lambda path: path + "/real")
    device, bind, layers = Device("/dev/d", "/dev/d", ()), Bind("/b", "/b", ()), root.Overlay("", ("/1", "/2"))
    for operation in (device, bind, layers):
        setup._resolve(operation)
    assert (device.source, bind.source, layers.lowers) == ("/dev/d/real", "/b/real", ("/1/real", "/2/real"))


@pytest.mark.parametrize(
    ("tools", "status"), [("/nowhere", 1), ("true", 0), ("false", 1)], ids=["missing", "done", "refused"]
)
def test_maps_that_were_not_written_are_not_taken_for_written(tools, status, tmp_path, capfd):
    for name in ("newuidmap", "newgidmap") if tools != "/nowhere" else ():
        (tmp_path / name).symlink_to(f"/bin/{tools}")
    users = setup.OwnUsers(tools if tools == "/nowhere" else str(tmp_path), "0:1000:1", "0:1000:1")
    reader, writer = os.pipe()
    os.write(writer, b".")
    pid = os.fork()
    if pid == 0:
        users._map_from_outside(reader, 1)
    os.close(reader), os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status
