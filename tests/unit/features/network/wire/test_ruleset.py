"""Transactions that are asked of the kernel without libnftables, and what is noted of them."""

import errno
import os
import struct
from pathlib import Path

import pytest

from nsunit.features.network.model.attachment import Attachment, Interface, Network
from nsunit.features.network.model.port import Port
from nsunit.features.network.wire import ruleset
from nsunit.features.network.wire.netlink import attributes

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24",), ("10.91.0.1", "fd00::1"))
INTERFACE = Interface(NETWORK, "eth0", "nv-web", "0a:58:0a:5b:00:02", ("10.91.0.2/24", "fd00::2/64"))
PORTS = (Port("", 80, 8080, "tcp"), Port("127.0.0.1", 53, 53, "udp"), Port("::1", 90, 90, "sctp"))
ITEM = Attachment("web", (INTERFACE,), (*PORTS, Port("", 70, 70, "tcp", listened=True)), ((5432, "tcp"),))
LINK = b"nv-web".ljust(16, b"\0")


def messages(batch: bytes) -> list[tuple[int, int, dict[int, bytes]]]:
    """Type, family and attributes of each."""
    found = []
    while batch:
        length, kind = struct.unpack_from("=IH", batch)
        found.append((kind, batch[16], attributes(batch[20:length])))
        batch = batch[length:]
    return found


def test_what_is_a_container_s_is_taken_away_in_one_transaction() -> None:
    begin, *made, end = messages(ruleset.removal(ITEM))
    assert (begin[0], end[0]) == (0x10, 0x11)
    assert {about[1].rstrip(b"\0") for _, _, about in made} == {b"nsunit"}
    elements = [
        (family, about[2].rstrip(b"\0").decode(), attributes(attributes(attributes(about[3])[1])[1])[1])
        for kind, family, about in made
        if kind == 0xA0E
    ]
    assert elements == [
        (7, "links", LINK),
        (7, "routers6", LINK),
        (1, "published", b"\6\0\0\0\0\x50\0\0"),
        (1, "published4", b"\x7f\0\0\1\x11\0\0\0\0\x35\0\0"),
        (1, "published6", bytes(15) + b"\1\x84\0\0\0\0\x5a\0\0"),
        (1, "host4", b"\x0a\x5b\0\2\6\0\0\0\x15\x38\0\0"),
        (1, "host6", b"\xfd" + bytes(14) + b"\2\6\0\0\0\x15\x38\0\0"),
    ]
    rest = [(kind, family, about.get(2, about.get(3))) for kind, family, about in made[len(elements) :]]
    assert rest == [(kind, family, b"nv-web\0") for kind in (0xA08, 0xA05) for family in (1, 7)]


@pytest.mark.parametrize("content", [b"", b"x", b"12x y", b"\xff\xff", b" a"])
def test_a_note_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "note").write_bytes(content)
    fd = os.open(tmp_path / "note", os.O_RDWR)
    assert ruleset.noted(fd)[0] == 0
    os.close(fd)


def test_a_note_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "note", os.O_RDWR | os.O_CREAT)
    ruleset.note(fd, 1_000_000, "digest")
    ruleset.note(fd, 7, "other")
    assert ruleset.noted(fd) == (7, "other")
    os.close(fd)


class Kernel:
    """A socket whose other end says *told* of what it is sent."""

    def __init__(self, *told: bytes) -> None:
        self.told = list(told)

    def send(self, _request: bytes) -> None:
        """It is all done, or refused, when this returns."""

    def recv(self, _size: int, _flags: int = 0) -> bytes:
        """The next of its words."""
        if not self.told:
            raise BlockingIOError
        return self.told.pop(0)


def word(kind: int, code: int) -> bytes:
    return struct.pack("=IHHIIi", 36, kind, 0, 1, 0, code) + bytes(16)


@pytest.mark.parametrize(
    ("told", "done"),
    [
        ([word(2, 0)] * 2, True),  # one for each of its chains
        ([], False),  # it has not looked at it
        ([word(2, 0)], False),
        ([word(2, 0), word(2, -2)], False),
        ([word(2, -11)], False),  # somebody else has changed the rules meanwhile: none of it is done
        ([word(2, 0), word(3, 0)], False),
    ],
)
def test_all_is_removed_where_the_kernel_says_so_for_each_chain(told: list[bytes], done: bool) -> None:
    rules = ruleset.Ruleset.__new__(ruleset.Ruleset)
    rules.socket = Kernel(*told)  # type: ignore[assignment]
    assert rules.remove(ITEM) is done


@pytest.mark.parametrize(
    ("told", "lacking"),
    [
        (word(2, -2), True),
        (word(0xA0C, 0), False),  # it is there
        (word(2, -1), False),  # which does not say that it is not
    ],
)
def test_an_element_is_missing_where_the_kernel_says_so(told: bytes, lacking: bool) -> None:
    rules = ruleset.Ruleset.__new__(ruleset.Ruleset)
    rules.socket = Kernel(told)  # type: ignore[assignment]
    assert rules.lacks(("inet", "internal", [("ifname", "nsunit0")])) is lacking


def test_what_is_too_much_for_one_message_is_left_to_libnftables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The container of thousands of ports could not be detached."""
    rules = ruleset.Ruleset.__new__(ruleset.Ruleset)
    rules.socket = Kernel()  # type: ignore[assignment]

    def too_long(_self: Kernel, _request: bytes) -> None:
        raise OSError(errno.EMSGSIZE, "Message too long")

    monkeypatch.setattr(Kernel, "send", too_long)
    assert not rules.remove(ITEM)
