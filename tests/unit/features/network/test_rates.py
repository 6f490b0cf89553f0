"""Egress= and Ingress= of containers that run."""

import pytest

from nsunit.definition.model import Container, Definition
from nsunit.errors import NsunitError
from nsunit.features.network import program as run
from nsunit.features.network import rates
from nsunit.features.network.model.attachment import Attachment, Device, Interface, Network
from nsunit.features.network.values import Connected

NETWORK = Network("shop", "nb-shop", ("10.20.0.0/24",), ("10.20.0.1",))
WEB = Interface(NETWORK, "eth0", "nv-web", "0a:58:0a:14:00:02", ("10.20.0.2/24",))
LAN = Device("macvlan", "wire0", "eth1", ("192.0.2.9/24", "2001:db8::9/64"))
ITEM = Attachment("web", (WEB,), egress=1000, ingress=2000, devices=(LAN,))


def test_rates_that_were_set_count(tmp_path):
    locks = str(tmp_path / "locks")
    assert run.with_rates(ITEM, locks) is ITEM
    (tmp_path / "containers/web").mkdir(parents=True)
    (tmp_path / "containers/web/rates").write_text("0 5\n")
    found = run.with_rates(ITEM, locks)
    assert (found.egress, found.ingress) == (0, 5)


def test_a_container_without_a_link_of_its_own(monkeypatch):
    monkeypatch.setattr(rates, "attachment_of", lambda context, name: None)
    old, new = (
        Definition("web", Container(("x",), extras=(("network", Connected(egress=rate)),)), (), (), ())
        for rate in (0, 1000)
    )
    rates.change(None, "", old, old, [])
    with pytest.raises(NsunitError, match="web: it has no link that could be limited"):
        rates.change(None, "", old, new, [])
