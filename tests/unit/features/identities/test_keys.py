"""Explicit id maps, the identity, and who owns the files of the root."""

import pytest
from definitions import container, problems

from nsunit.definition.model import UserRange
from nsunit.features.identities.keys import of


def test_maps():
    found = container("UIDMap=0 100000 1000\nUIDMap=1000 1000 1\nGIDMap=0 200000 65536")
    assert of(found).uid_map == ((0, 100000, 1000), (1000, 1000, 1))
    assert of(found).gid_map == ((0, 200000, 65536),)
    assert found.private_users == UserRange("maps", maps=(of(found).uid_map, of(found).gid_map))


@pytest.mark.parametrize("key", ["UIDMap", "GIDMap"])
def test_one_map_is_that_of_both(key):
    found = of(container(f"{key}=0 100000 1000"))
    assert found.uid_map == found.gid_map == ((0, 100000, 1000),)


@pytest.mark.parametrize(
    ("lines", "users"),
    [
        ("PrivateUsers=auto", UserRange("yes")),
        ("PrivateUsers=yes", UserRange("yes")),
        ("PrivateUsers=identity", UserRange("identity", 0, 65536)),
    ],
)
def test_words_for_ranges(lines, users):
    assert container(lines).private_users == users


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        ("UIDMap=0 1", "UIDMap: '0 1' is not INSIDE OUTSIDE COUNT", "e.g. 0 524288 65536"),
        ("UIDMap=0 -1 1", "UIDMap: '0 -1 1' is not INSIDE OUTSIDE COUNT", "e.g. 0 524288 65536"),
        ("UIDMap=0 1 0", "UIDMap: '0 1 0' is out of range", "ids are 0 to 4294967294"),
        ("UIDMap=0 4294967295 1", "UIDMap: '0 4294967295 1' is out of range", "ids are 0 to 4294967294"),
        (
            *("UIDMap=1 100000 1000", "UIDMap: id 0 is not mapped"),
            "nsunit sets a container up as its root, e.g. 0 524288 65536",
        ),
        (
            *("GIDMap=0 100000 10\nGIDMap=9 200000 10", "GIDMap: id 9 inside is mapped twice"),
            "each id has one counterpart",
        ),
        (
            *("UIDMap=0 100000 10\nUIDMap=10 100009 1", "UIDMap: id 100009 outside is mapped twice"),
            "each id has one counterpart",
        ),
        (
            *("PrivateUsers=yes\nUserNamespace=container:db\nUIDMap=0 100000 10",),
            "PrivateUsers: UIDMap= and GIDMap= say which ids there are",
            "leave out one of the two",
        ),
        (
            *("PrivateUsers=no\nUIDMap=0 100000 10", "PrivateUsers: UIDMap= and GIDMap= say which ids there are"),
            "leave out one of the two",
        ),
        ("UIDMap=0 100000 10\nUser=10", "User: '10' is not mapped", "add it to UIDMap="),
        ("UIDMap=0 100000 99\nGIDMap=0 1 9\nGroup=50", "Group: '50' is not mapped", "add it to GIDMap="),
        (
            *("UIDMap=0 100000 10\nSupplementaryGroups=10", "SupplementaryGroups: '10' is not mapped"),
            "add it to GIDMap=",
        ),
        (
            *("Ownership=chown\nVolatile=yes", "Ownership: Volatile=yes leaves the files of Rootfs= as they are"),
            "leave out one of the two",
        ),
        (
            *("Ownership=chown\nPrivateUsers=identity", "Ownership: only a range of ids can own the files"),
            "use PrivateUsers=auto or START:COUNT",
        ),
    ],
)
def test_wrong(lines, message, hint):
    assert problems(lines) == [(message, hint)]


def test_more_lines_than_the_kernel_takes():
    lines = "\n".join(f"UIDMap={number} {1000 + number} 1" for number in range(341))
    assert problems(lines) == [("UIDMap: there are more than 340 lines", "the kernel takes no more")]


def test_layers_cannot_change_owner():
    (found,) = problems("Ownership=chown", "Layer=/l\nExec=/bin/sh\n")
    assert found == ("Ownership: layers belong to nobody in particular", "use Rootfs=, or leave it out")


@pytest.mark.parametrize(("options", "idmap"), [("", False), (":/b:idmap", True), (":/b:ro,noidmap", False)])
def test_binds_can_be_mapped(options, idmap):
    assert container(f"Bind=/a{options}").binds[0].idmap is idmap
