"""The keys of [Container] about its first network.  Rows as in `setting.Row`, without a D-Bus property."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values_connection import address, mac_address, route
from nsunit.definition.values_network import ip_address, mtu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row


CONNECTION: dict[str, Row] = {
    "Address": own(
        *(address, True, "ADDRESS[/LENGTH]"),
        *("Its address in the first Network=, of each family; with a length where that is a link.", "10.20.0.9"),
    ),
    "MACAddress": own(mac_address, False, "MAC", "MAC address in the first Network=.", "0a:58:00:01:02:03"),
    "Gateway": own(ip_address, True, "ADDRESS", "Router for its way out, in the first Network=.", "10.20.0.254"),
    "Route": own(
        *(route, True, "SUBNET [via ADDRESS]", "Route by the first Network=.", "10.5.0.0/16 via 10.20.0.253"),
    ),
    "MTU": own(mtu, False, "BYTES", "Size of the largest packet in the first Network=.", "1400"),
}
