"""What the kernel answers, as far as it is a list."""

import errno
import struct

import pytest

from nsunit.features.network.wire import netlink

MULTI, INTERRUPTED = 0x2, 0x10
MESSAGE, ERROR, DONE = 16, 2, 3


def said(kind: int, flags: int, body: bytes = b"\0\0\0\0") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


class Kernel:
    """Gives an answer of *answers* for each message that it is sent, piece by piece."""

    def __init__(self, *answers: tuple[bytes, ...]) -> None:
        self.answers = list(answers)
        self.pieces: list[bytes] = []

    def send(self, _request: bytes) -> None:
        assert self.pieces == []  # else it would answer the one before
        self.pieces = list(self.answers.pop(0))

    def recv(self, _size: int) -> bytes:
        return self.pieces.pop(0)

    def close(self) -> None:
        self.answers = []


def asked(monkeypatch: pytest.MonkeyPatch, *answers: tuple[bytes, ...]) -> list[bytes]:
    kernel = Kernel(*answers)
    monkeypatch.setattr(netlink, "connect", lambda _protocol: kernel)
    return netlink.answers(0, 18, 0x300, b"")


def listed(*bodies: bytes, flags: int = MULTI) -> tuple[bytes, ...]:
    return (*(said(MESSAGE, flags, body) for body in bodies), said(DONE, flags))


def test_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, listed(b"eth0", b"eth1")) == [b"eth0", b"eth1"]
    assert asked(monkeypatch, (b"".join(listed(b"eth0", b"eth1")),)) == [b"eth0", b"eth1"]


def test_one_alone_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, (said(MESSAGE, 0, b"eth0"),)) == [b"eth0"]


def test_a_list_that_changed_meanwhile_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may lack what was there all the time: a link was told to be gone, and made once more."""
    changed = listed(b"eth0", flags=MULTI | INTERRUPTED)
    half = (said(MESSAGE, MULTI, b"eth0"), said(DONE, MULTI | INTERRUPTED))
    assert asked(monkeypatch, changed, half, listed(b"eth0", b"eth1")) == [b"eth0", b"eth1"]
    with pytest.raises(OSError, match="it changes all the time") as caught:
        asked(monkeypatch, *[changed] * 200)
    assert caught.value.errno == errno.EAGAIN


def test_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermissionError):
        asked(monkeypatch, (said(ERROR, 0, struct.pack("=i", -errno.EPERM)),))
    assert asked(monkeypatch, (said(ERROR, 0, struct.pack("=i", 0)),)) == []


def test_a_list_that_ends_with_an_error_is_not_taken_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has told a part of it, and could not go on: netlink_dump_done()."""
    for pieces in ((said(MESSAGE, MULTI, b"eth0"),), (said(MESSAGE, MULTI | INTERRUPTED, b"eth0"),)):
        end = said(DONE, MULTI, struct.pack("=i", -errno.ENOMEM))
        with pytest.raises(OSError, match="Cannot allocate memory") as caught:
            asked(monkeypatch, (*pieces, end))
        assert caught.value.errno == errno.ENOMEM
    assert asked(monkeypatch, (said(MESSAGE, MULTI, b"eth0"), said(DONE, MULTI, b""))) == [b"eth0"]
