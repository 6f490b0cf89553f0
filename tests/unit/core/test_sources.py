"""What is checked before a start."""

import errno
import os

import pytest

from nsunit.core import sources
from nsunit.core.prepare import check_sources
from nsunit.definition.load import Host, load_text
from nsunit.errors import DefinitionError

HOST = Host(257)


@pytest.fixture
def root(tmp_path):
    """A directory that users cannot reach, as pytest's own temporary directory is private."""
    path = tmp_path / "parent/root"
    path.mkdir(parents=True)
    return path


def check(root, *lines):
    text = "\n".join(("[Container]", f"Rootfs={root}", "Exec=/bin/true", *lines, ""))
    check_sources(load_text("web", text, "web.nsunit", HOST))


def test_a_root_that_is_written_to_must_be_out_of_reach(root):
    check(root)
    with pytest.raises(DefinitionError) as caught:
        check("/usr/share")
    (problem,) = caught.value.problems
    assert str(problem) == "web: Rootfs=: '/usr/share' is to be written to, and users of the host can enter it"
    assert problem.hint == (
        "move it below /var/lib/machines, which only root can enter, or use Layer=, Volatile= or ReadOnly="
    )


@pytest.mark.parametrize("line", ["ReadOnly=yes", "Volatile=yes"])
def test_a_root_that_stays_as_it_is_may_be_anywhere(line):
    check("/usr/share", line)


def test_a_link_does_not_hide_where_the_root_is(tmp_path):
    (tmp_path / "link").symlink_to("/usr/share")
    with pytest.raises(DefinitionError, match="users of the host can enter it"):
        check(tmp_path / "link")


def test_what_is_missing_is_told_all_at_once(tmp_path):
    with pytest.raises(DefinitionError) as caught:
        check(tmp_path / "a", f"Bind={tmp_path}/b:/b", f"Bind=-{tmp_path}/c:/c", f"EnvironmentFile={tmp_path}/d")
    assert [problem.message for problem in caught.value.problems] == [
        f"Rootfs=: '{tmp_path}/a' does not exist",
        f"Bind=: '{tmp_path}/b' does not exist",
        f"EnvironmentFile=: '{tmp_path}/d' does not exist",
    ]


def test_where_a_root_comes_from(tmp_path):
    with pytest.raises(DefinitionError) as caught:
        check(tmp_path / "a", f"Bind={tmp_path}/b:/b")
    assert [problem.hint for problem in caught.value.problems] == [
        "mmdebstrap can make it a root, see nsunit-tutorial(7)",
        f"make it, or put a dash in front if it may be missing: Bind=-{tmp_path}/b",
    ]


def test_what_to_do_with_a_disk_image(tmp_path):
    (tmp_path / "web.raw").touch()
    with pytest.raises(DefinitionError) as caught:
        check(tmp_path / "web.raw")
    (problem,) = caught.value.problems
    assert problem.message == f"Rootfs=: '{tmp_path}/web.raw' is not a directory"
    expected = f"'nsunit image import {tmp_path}/web.raw' makes an image of it, for Image=; or mount a disk"
    assert problem.hint == expected + ", see nsunit.container(5)"


def test_automounts_are_called_as_they_are(monkeypatch):
    lines = (
        r"30 1 0:40 / /srv/a\040b\011c\134040\012\134 rw - autofs systemd-1 rw",
        "31 1 0:41 / /srv/disk rw - ext4 /dev/sda rw",
        "32 1 0:42 / /srv/\x85next rw - autofs systemd-1 rw",
    )
    monkeypatch.setattr(sources, "read_kernel_file", lambda _: "".join(f"{line}\n" for line in lines))
    assert sources.automounts() == ("/srv/a b\tc\\040\n\\", "/srv/\x85next")


def test_a_source_that_cannot_be_reached_is_not_said_to_be_missing(tmp_path, monkeypatch):
    """As for a user what is below /var/lib/machines, to whom a hint to make it is none."""

    def lstat(path, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(sources.os, "lstat", lstat)
    with pytest.raises(DefinitionError) as caught:
        check("/usr/share", "ReadOnly=yes", "Bind=/root/x:/x")
    (problem,) = caught.value.problems
    hint = "'namei -l /root/x' shows who may pass each directory above it; its owner opens it by 'chmod o+x'"
    assert (problem.message, problem.hint) == ("Bind=: '/root/x': Permission denied", hint)
