"""Subordinate ids as /etc/subuid has them."""

from nsunit.subordinate import free, maps, parse, ranges_of, sharers

SUBORDINATE = "bob:1:2\nlea:100000:65536\n1000:300000:10\n# lea:1:1\nlea:5:0\nlea:x:1\nlea\nlea:1:2:3\n"


def test_subordinate_ids():
    assert parse(SUBORDINATE) == [("bob", 1, 2), ("lea", 100000, 65536), ("1000", 300000, 10)]
    assert ranges_of(SUBORDINATE, "lea", 1000) == ((100000, 65536), (300000, 10))
    assert ranges_of("", "lea", 1000) == ()
    assert maps(1, 2, ((10, 5),), ((20, 6), (40, 1))) == (((0, 1, 1), (1, 10, 5)), ((0, 2, 1), (1, 20, 6), (7, 40, 1)))
    assert maps(1, 2, ((10, 5),), ()) == (((0, 1, 1),), ((0, 2, 1),))


def test_ids_that_nobody_has():
    assert free() == 100000
    assert free("bob:1:2\n", "lea:300000:1\n") == 100000
    assert free("lea:165536:65536\n", "bob:100000:65536\n") == 231072
    assert free("bob:165000:1000\n") == 166000


def test_ids_that_two_have():
    text = "bob:100000:65536\nlea:165535:65536\ncarl:231071:10\n1000:300000:10\n"
    assert sharers(text, "lea", 1000) == {"bob"}
    assert sharers(text, "bob", 1001) == {"lea"}
    assert sharers(text, "carl", 1002) == set()
