"""ShmSize=: what it takes, and what /dev becomes."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError
from nsunit.plan.facts import Facts
from nsunit.plan.operations import SHM_SIZE, operations
from nsunit.setup.mounts import Devices, Tmpfs

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\n"
HOST = Host(257)
FACTS = Facts(257, "python3", "run.py", "/run/nsunit/containers/web", user_range=(1 << 20, 1 << 16))


def planned(lines):
    return operations(load_text("web", BASE + lines, "web.nsunit", HOST), FACTS)


def sizes(lines):
    return [item.shm_size for item in planned(lines) if isinstance(item, Devices)]


@pytest.mark.parametrize(
    ("lines", "size"),
    [("", SHM_SIZE), ("ShmSize=256M\n", 256 << 20), ("ShmSize=1G\nShmSize=4K\n", 4096), ("ShmSize=infinity\n", 0)],
)
def test_its_size(lines, size):
    assert sizes(lines) == [str(size)]


def test_a_tmpfs_of_the_definition_is_mounted_over_it():
    found = planned("ShmSize=256M\nTmpfs=/dev/shm:size=1M\n")
    over = next(item for item in found if isinstance(item, Tmpfs) and item.target == "/dev/shm")
    assert over.options == ("size=1048576",)
    assert found.index(over) > next(index for index, item in enumerate(found) if isinstance(item, Devices))


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        ("ShmSize=0\n", "[Container] ShmSize: '0' leaves no room for anything", "e.g. 256M, or infinity for no limit"),
        ("ShmSize=50%\n", "[Container] ShmSize: '50%' is not a size", None),
        (
            "MountNamespace=host\nShmSize=1M\n",
            "[Container] ShmSize: nothing is mounted with MountNamespace=host, its file systems are there already",
            "leave it out, or use MountNamespace=private",
        ),
    ],
)
def test_what_is_refused(lines, message, hint):
    with pytest.raises(DefinitionError) as refused:
        load_text("web", BASE + lines, "web.nsunit", HOST)
    found = {problem.message: problem.hint for problem in refused.value.problems}
    assert message in found
    assert hint in (None, found[message])
