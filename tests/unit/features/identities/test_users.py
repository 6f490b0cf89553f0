import pytest
from definitions import problems_of

from nsunit.definition.host import Account, Host
from nsunit.definition.load import load_text
from nsunit.features.identities.keys import of

BASE = "[Container]\nRootfs=/r\nExec=/bin/sh\n"
SUBORDINATE = "bob:1:2\nlea:100000:65536\n1000:300000:10\n# lea:1:1\nlea:5:0\nlea:x:1\nlea\nlea:1:2:3\n"
LEA = Account("lea", 1000, 1001, ((100000, 65536), (300000, 10)), ((200000, 65536),))


def container(*lines, lea=LEA):
    users = {"lea": lea, "1000": lea, "root": Account("root", 0, 0), "0": Account("root", 0, 0)}
    facts = Host(257, find_user=users.get)
    return load_text("web", BASE + "\n".join(lines), "/etc/nsunit/web.nsunit", facts).container


def problem(*lines, lea=LEA):
    (found,) = problems_of(lambda: container(*lines, lea=lea))
    return found.line, found.message, found.hint


@pytest.mark.parametrize(
    "line", ["PrivateUsers=lea", "PrivateUsers=1000", "[Service]\nUser=lea", "[Service]\nUser=1000"]
)
def test_root_inside_is_the_user_and_others_are_subordinate(line):
    found = of(container(line))
    assert found.uid_map == ((0, 1000, 1), (1, 100000, 65536), (65537, 300000, 10))
    assert found.gid_map == ((0, 1001, 1), (1, 200000, 65536))


def test_without_subordinate_ids_there_is_one():
    lea = LEA.replace(gids=())
    found = of(container("PrivateUsers=lea", lea=lea))
    assert (found.uid_map, found.gid_map) == (((0, 1000, 1),), ((0, 1001, 1),))
    assert problem("PrivateUsers=lea", "User=33", lea=lea) == (
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
def test_wrong(lines, line, message, hint):
    assert problem(*lines) == (line, message, hint)
