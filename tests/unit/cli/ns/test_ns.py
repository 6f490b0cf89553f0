import json

import pytest

from nsunit.features.namespaces.ledger import Comparison, Row

ROW = Row("web", "net", 103, 107, 0, ("shop", "web"), "pinned", ("pin shop", "pin web"))


def test_list(nsunit, manager):
    seen = []
    manager(
        "features.namespaces.listing",
        list_namespaces=lambda context, names, *, left: seen.append((names, left)) or [ROW],
    )
    assert nsunit("ns", "list", "--no-headings", "web") == (
        0,
        "web\tnet\t103\t107\t0\tshop web\tpinned\tpin shop; pin web\n",
        "",
    )
    status, out, _err = nsunit("ns", "list", "--left", "--json")
    assert status == 0
    assert json.loads(out)[0]["kept_by"] == ["pin shop", "pin web"]
    assert seen == [(["web"], False), ([], True)]


@pytest.mark.parametrize(("equal", "status"), [(True, 0), (False, 1)])
def test_same(nsunit, manager, equal, status):
    seen = []
    answer = [Comparison("pid", True, (1, 1)), Comparison("net", equal, (103, 104))]
    manager("features.namespaces.listing", same=lambda context, *sides: seen.append(sides) or answer)
    word = "same" if equal else "different"
    assert nsunit("ns", "same", "--no-headings", "a", "host") == (
        status,
        f"pid\tsame\t1\t1\nnet\t{word}\t103\t104\n",
        "",
    )
    assert nsunit("ns", "same", "-q", "a", "b", "net") == (status, "", "")
    assert json.loads(nsunit("ns", "same", "--json", "a", "b")[1])[1]["same"] is equal
    assert seen == [("a", "host", None), ("a", "b", "net"), ("a", "b", None)]


def test_pin_and_unpin(nsunit, manager):
    seen = []
    manager(
        "features.namespaces.pins",
        pin=lambda context, *words: seen.append(words) or "/run/nsunit/namespaces/shop/net",
        unpin=lambda context, *words: seen.append(words) or ("net",),
    )
    assert nsunit("ns", "pin", "web", "net", "shop") == (0, "/run/nsunit/namespaces/shop/net\n", "")
    assert nsunit("ns", "pin", "web", "net", "-q")[1] == ""
    assert json.loads(nsunit("ns", "pin", "web", "net", "--json")[1]) == {"path": "/run/nsunit/namespaces/shop/net"}
    assert nsunit("ns", "unpin", "shop") == (0, "", "")
    assert json.loads(nsunit("ns", "unpin", "shop", "net", "--json")[1]) == {"pin": "shop", "kinds": ["net"]}
    assert seen == [("web", "net", "shop"), ("web", "net", None), ("web", "net", None), ("shop", None), ("shop", "net")]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["pin", "web"], "ns pin: KIND is missing"),
        (["pin", "web", "net", "a", "b"], "ns pin: 'b' is one operand too many"),
        (["pin", "We b", "net"], "'We b' is not a container name"),
        (["same", "a"], "ns same: B is missing"),
    ],
)
def test_usage(nsunit, manager, argv, message):
    manager("features.namespaces.pins", pin=lambda *_words: pytest.fail("not to be called"))
    status, _out, err = nsunit("ns", *argv)
    assert (status, err.splitlines()[0]) == (2, f"nsunit: {message}")
