"""Addresses and subnets as numbers."""

import pytest

from nsunit.addresses import broadcast, canonical, is_link_local, is_six, is_special, parse_subnet, plain


def test_subnets():
    four, six = parse_subnet("10.1.2.0/24"), parse_subnet("FD00:0::/64")
    assert (str(four), str(six)) == ("10.1.2.0/24", "fd00::/64")
    assert (four.size, six.size) == (256, 1 << 64)
    assert (four.host(9), six.host(0x1F)) == ("10.1.2.9", "fd00::1f")
    assert (four.number_of("10.1.2.200"), six.number_of("fd00::a")) == (200, 10)
    assert (four.number_of("10.1.3.1"), four.number_of("10.1.1.255"), four.number_of("::1")) == (None, None, None)


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "10.0.0/24", "::/129", "x::/64", "10.0.0.0/-1", "10.0.0.0/²"]
)
def test_what_is_no_subnet(text):
    with pytest.raises(ValueError, match=r".*"):
        parse_subnet(text)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("10.0.0.0/8", "10.91.0.0/24", True),
        ("10.91.0.0/24", "10.0.0.0/8", True),
        ("10.91.0.0/24", "10.91.1.0/24", False),
        ("10.91.0.0/24", "10.90.255.0/24", False),
        ("0.0.0.0/0", "::/0", False),
        ("fd00::/64", "fd00:0:0:0:8000::/66", True),
    ],
)
def test_overlaps(one, other, overlap):
    assert parse_subnet(one).overlaps(parse_subnet(other)) is overlap


def test_what_no_host_can_have():
    for text in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "::1"):
        assert is_special(text), text
    assert is_special("ff02::1")
    for text in ("1.0.0.1", "126.0.0.1", "128.0.0.1", "223.0.0.1", "240.0.0.1", "fd00::1", "::2", "fe80::1"):
        assert not is_special(text), text
    assert is_link_local(parse_subnet("fe80::/64"))
    assert not is_link_local(parse_subnet("fd00::/64"))


def test_addresses():
    assert canonical("FD00:0:0::1") == "fd00::1"
    assert plain("10.0.0.1/24") == "10.0.0.1"
    assert is_six("::1")
    for text in ("10.0.0.256", "10.1", "::g", "10.0.0.1/24"):
        with pytest.raises(ValueError, match=r".*"):
            canonical(text)


@pytest.mark.parametrize(
    ("address", "to_all"),
    [
        ("10.1.2.3/24", "10.1.2.255"),
        ("10.1.2.3/8", "10.255.255.255"),
        ("192.0.2.5/30", "192.0.2.7"),
        ("192.0.2.5/31", ""),
        ("fd00::1/64", ""),
    ],
)
def test_broadcast(address, to_all):
    assert broadcast(address) == to_all
