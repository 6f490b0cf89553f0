"""Links of the host that are given to containers."""

import contextlib
import errno
import os
import types

import pytest

from nsunit.errors import NsunitError
from nsunit.features.network.model.attachment import Device
from nsunit.features.network.wire import devices

LAN = Device("macvlan", "wire0", "eth1", ("192.0.2.9/24", "2001:db8::9/64"))


def test_a_lost_link_of_the_host_is_told_at_once():
    for kind, parent, link in (("phys", "gone0", "gone0"), ("vlan", "gone0.7", "gone0"), ("macvlan", "gone0", "gone0")):
        with pytest.raises(NsunitError, match=f"Network={kind}:{parent}: there is no link 'gone0'") as caught:
            devices.make_again(LAN.replace(kind=kind, parent=parent), "web", -1)
        assert caught.value.hint == f"once there is a link '{link}', run 'nsunit network repair'"


def test_a_link_that_goes_while_it_is_looked_at_is_nobodys(monkeypatch):
    """It can be opened and not be read: a stop failed by that, and left its notes."""

    def gone(*_):
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(os, "read", gone)
    monkeypatch.setattr(
        devices, "open", lambda _path: contextlib.nullcontext(types.SimpleNamespace(read=gone)), raising=False
    )
    assert not devices._is_own("lo", "web")
