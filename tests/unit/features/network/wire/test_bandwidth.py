"""The request for a token bucket filter, byte by byte."""

import errno
import struct

import pytest

from nsunit.errors import NsunitError
from nsunit.features.network.model.firewall import _too_fast
from nsunit.features.network.wire import bandwidth, netlink
from nsunit.features.network.wire.bandwidth import message


def attributes(content):
    found = {}
    while content:
        length, kind = struct.unpack_from("=HH", content)
        found[kind] = content[4:length]
        content = content[-(-length // 4) * 4 :]
    return found


def test_the_request_says_what_it_should():
    request = message(7, 1_250_000, 1500)
    length, kind, flags, number, _ = struct.unpack_from("=IHHII", request)
    assert (length, kind, flags, number) == (len(request), 36, 0x505, 1)
    family, index, handle, parent, _ = struct.unpack_from("=BxxxiIII", request, 16)
    assert (family, index, handle, parent) == (0, 7, 0x6E730000, 0xFFFFFFFF)
    outer = attributes(request[36:])
    assert outer[1] == b"tbf\0"
    inner = attributes(outer[2])
    assert set(inner) == {1, 6}
    assert struct.unpack("=I", inner[6]) == (16384,)
    assert len(inner[1]) == 36  # struct tc_tbf_qopt
    assert struct.unpack_from("=xB6xI", inner[1]) == (1, 1_250_000)
    assert struct.unpack_from("=I", inner[1], 24) == (62_500 + 16_384,)


def test_a_rate_beyond_32_bits_and_a_large_packet():
    inner = attributes(attributes(message(1, 5_000_000_000, 65536)[36:])[2])
    assert struct.unpack("=Q", inner[4]) == (5_000_000_000,)
    assert struct.unpack_from("=8xI", inner[1]) == (0xFFFFFFFF,)
    inner = attributes(attributes(message(1, 1000, 65536)[36:])[2])
    assert struct.unpack("=I", inner[6]) == (131072,)


def test_the_rule_that_holds_it_to_that():
    limit, verdict = _too_fast(1000)
    assert (limit["limit"]["rate"], limit["limit"]["burst"], limit["limit"]["inv"]) == (1000, 256 * 1024, True)
    assert verdict == {"drop": None}
    assert _too_fast(8_000_000)[0]["limit"]["burst"] == 2_000_000


def test_no_limit_is_none(monkeypatch):
    for code in (0, errno.ENOENT):
        monkeypatch.setattr(bandwidth, "_ask", lambda request, code=code: code)
        bandwidth.release("lo")
    monkeypatch.setattr(bandwidth, "_ask", lambda request: errno.EPERM)
    with pytest.raises(NsunitError, match="cannot free the bandwidth of 'lo': Operation not permitted"):
        bandwidth.release("lo")


def test_a_limit_that_is_refused(monkeypatch):
    monkeypatch.setattr(bandwidth, "_ask", lambda request: errno.ENOENT)
    with pytest.raises(NsunitError, match="cannot limit the bandwidth of 'lo'") as caught:
        bandwidth.limit("lo", 1000, 1500)
    assert caught.value.hint == "load the kernel module sch_tbf, or leave out Egress= and Ingress="


def test_a_kernel_without_the_queue(monkeypatch):
    class Socket:
        def __init__(self, *words):
            pass

        def bind(self, address):
            pass

        def send(self, message):
            pass

        def recv(self, size):
            return struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -errno.ENOENT)

        def close(self):
            pass

    monkeypatch.setattr(netlink._socket, "socket", Socket)
    with pytest.raises(NsunitError, match="cannot limit the bandwidth of 'lo': No such file or directory") as caught:
        bandwidth.limit("lo", 1000, 1500)
    assert caught.value.hint == "load the kernel module sch_tbf, or leave out Egress= and Ingress="
