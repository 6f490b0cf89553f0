import pwd

import pytest

from nsunit.definition import owner
from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError

BASE = "[Container]\nRootfs=/r\nExec=/bin/sh\n"
SUBORDINATE = "bob:1:2\nlea:100000:65536\n1000:300000:10\n# lea:1:1\nlea:5:0\nlea:x:1\nlea\nlea:1:2:3\n"


@pytest.fixture(autouse=True)
def users(monkeypatch):
    """The host has the users root and lea."""
    known = [pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh")) for name, uid, gid in USERS]

    def find(place, wanted):
        return next(entry for entry in known if entry[place] == wanted)

    def get(place):
        def found(wanted):
            try:
                return find(place, wanted)
            except StopIteration:
                raise KeyError(wanted) from None

        return found

    monkeypatch.setattr(pwd, "getpwnam", get(0))
    monkeypatch.setattr(pwd, "getpwuid", get(2))


USERS = (("root", 0, 0), ("lea", 1000, 1001))


@pytest.fixture
def subordinate(monkeypatch):
    texts = {"/etc/subuid": SUBORDINATE, "/etc/subgid": "lea:200000:65536\n"}
    monkeypatch.setattr(owner, "_text", texts.__getitem__)
    return texts


def container(*lines):
    return load_text("web", BASE + "\n".join(lines), "/etc/nsunit/web.nsunit", Host(257)).container


def problem(*lines):
    with pytest.raises(DefinitionError) as caught:
        container(*lines)
    (found,) = caught.value.problems
    return found.line, found.message, found.hint


def test_subordinate_ranges():
    assert owner.subordinate_ranges(SUBORDINATE, "lea", 1000) == ((100000, 65536), (300000, 10))
    assert owner.subordinate_ranges("", "lea", 1000) == ()


@pytest.mark.parametrize(
    "line", ["PrivateUsers=lea", "PrivateUsers=1000", "[Service]\nUser=lea", "[Service]\nUser=1000"]
)
def test_root_inside_is_the_user_and_others_are_subordinate(line, subordinate):
    found = container(line)
    assert found.uid_map == ((0, 1000, 1), (1, 100000, 65536), (65537, 300000, 10))
    assert found.gid_map == ((0, 1001, 1), (1, 200000, 65536))


def test_without_subordinate_ids_there_is_one(subordinate):
    subordinate["/etc/subgid"] = ""
    found = container("PrivateUsers=lea")
    assert (found.uid_map, found.gid_map) == (((0, 1000, 1),), ((0, 1001, 1),))
    assert problem("PrivateUsers=lea", "User=33") == (
        *(5, "[Container] User: '33' is not mapped"),
        "give 'lea' more ids in /etc/subuid and /etc/subgid",
    )


@pytest.mark.parametrize(
    ("lines", "line", "message", "hint"),
    [
        (("PrivateUsers=root",), 4, "[Container] PrivateUsers: 'root' is the host's root", "use identity, or no"),
        (("[Service]", "User=0"), 5, "[Service] User: '0' is the host's root", "a user inside is [Container] User="),
        (
            *(("[Service]", "User=eve"), 5),
            "[Service] User: 'eve' is neither auto, no, identity, START:COUNT nor a user of this host",
            "a user inside is [Container] User=",
        ),
        (
            *(("PrivateUsers=lea", "UIDMap=0 5 1"), 4),
            "[Container] PrivateUsers: UIDMap= and GIDMap= say which ids there are",
            "leave out one of the two",
        ),
    ],
)
def test_wrong(lines, line, message, hint, subordinate):
    assert problem(*lines) == (line, message, hint)
