"""What the kernel refuses of bandwidth."""

import errno
import struct

import pytest

from nsunit.errors import NsunitError
from nsunit.network import bandwidth


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

    monkeypatch.setattr(bandwidth._socket, "socket", Socket)
    with pytest.raises(NsunitError, match="cannot limit the bandwidth of 'lo': No such file or directory") as caught:
        bandwidth.limit("lo", 1000, 1500)
    assert caught.value.hint == "load the kernel module sch_tbf, or leave out Egress= and Ingress="
