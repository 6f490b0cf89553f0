"""Changing the owners of a root directory; what takes privileges is shown in the machine."""

import os
import struct

import pytest

from nsunit.errors import NsunitError
from nsunit.features.identities.owners import change_owners, for_root


def test_capabilities_belong_to_the_container_root():
    """Version 2 has no root id, version 3 one; version 1 has no namespaces and is left as it is."""
    permitted = struct.pack("<4I", 0x2000, 0, 0, 0)
    expected = struct.pack("<I", 0x03000001) + permitted + struct.pack("<I", 524288)
    assert for_root(struct.pack("<I", 0x02000001) + permitted, 524288) == expected
    assert for_root(struct.pack("<I", 0x03000001) + permitted + struct.pack("<I", 7), 524288) == expected
    first = struct.pack("<3I", 0x01000001, 0x2000, 0)
    assert for_root(first, 524288) == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners_change_and_all_else_stays(tmp_path):
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/program").write_text("x")
    os.symlink("/etc/passwd", root / "a/link")
    os.mkfifo(root / "a/fifo")
    os.chown(root / "a/b/program", 5, 6)
    os.chmod(root / "a/b/program", 0o6755)
    os.chmod(root / "a", 0o2711)
    host = os.stat("/etc/passwd").st_uid
    change_owners(str(root), 524288, 65536)
    change_owners(str(root), 524288, 65536)
    for path, ids in (("", (0, 0)), ("a", (0, 0)), ("a/link", (0, 0)), ("a/fifo", (0, 0)), ("a/b/program", (5, 6))):
        status = os.lstat(root / path)
        assert (status.st_uid, status.st_gid) == (524288 + ids[0], 524288 + ids[1]), path
    assert os.stat(root / "a/b/program").st_mode & 0o7777 == 0o6755
    assert os.stat(root / "a").st_mode & 0o7777 == 0o2711
    assert os.stat("/etc/passwd").st_uid == host
    change_owners(str(root), 1000000, 65536)  # another range, later
    assert os.stat(root / "a/b/program").st_gid == 1000006


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_id_without_a_counterpart_is_told(tmp_path):
    (tmp_path / "x").touch()
    os.chown(tmp_path / "x", 70000, 0)
    with pytest.raises(NsunitError, match="x' belongs to id 70000, which the container has no counterpart for$"):
        change_owners(str(tmp_path), 524288, 65536)
    assert os.stat(tmp_path).st_uid == 0  # so that the next run begins again


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("step", ["chown", "chmod", "setxattr", "removexattr"])
def test_killed_at_each_step_nothing_is_lost(tmp_path, step):
    """After one that is killed at *step*, and one that was killed thereafter, the third has all."""
    capability = struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0)
    for name, mode in (("capable", 0o755), ("setuid", 0o4750)):
        (tmp_path / name).touch()
        os.chmod(tmp_path / name, mode)
    os.setxattr(tmp_path / "capable", "security.capability", capability)
    done = 0
    while done < 4:
        child = os.fork()
        if child == 0:
            with pytest.MonkeyPatch.context() as patch:
                deed = getattr(os, step)

                def then_die(*arguments, deed=deed, **options):
                    deed(*arguments, **options)
                    os._exit(9)

                patch.setattr(os, step, then_die)
                change_owners(str(tmp_path), 524288, 65536)
            os._exit(0)
        done = done + 1 if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) else 4
    change_owners(str(tmp_path), 524288, 65536)
    assert os.stat(tmp_path).st_uid == 524288
    assert os.stat(tmp_path / "setuid").st_mode & 0o7777 == 0o4750
    assert os.getxattr(tmp_path / "capable", "security.capability") == for_root(capability, 524288)
    for name in ("capable", "setuid"):
        assert os.stat(tmp_path / name).st_uid == 524288
        assert [key for key in os.listxattr(tmp_path / name) if "nsunit" in key] == []
