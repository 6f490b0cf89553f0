"""The keys of [Pod].  Rows as in `setting.Row`, without a D-Bus property."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.table_names import NAMES
from nsunit.definition.table_ports import PORTS
from nsunit.definition.values_container import host_ports, hostname, private_users, published_ports, sysctl
from nsunit.definition.values_namespace import network_of_pod, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row


POD: dict[str, Row] = {
    "Share": own(share, False, "net|ipc|uts…", "What its containers share; all three unless given.", "net ipc"),
    "Hostname": own(hostname, False, "NAME", "Host name of its containers; the pod's name unless given.", "shop"),
    "Network": own(network_of_pod, True, "none|bridge|NAME", "The networks it is connected to; or lo only.", "bridge"),
    "PublishPort": own(
        *(published_ports, True, "[ADDRESS:]HOST:CONTAINER[/PROTOCOL]…"),
        *("Ports of the host that lead into it.", "8080:80 [::]:5353:53/udp"),
    ),
    "HostPort": own(host_ports, True, "PORT[/PROTOCOL]…", "Ports of the host it may reach.", "5432 53/udp"),
    "PrivateUsers": own(
        *(private_users, False, "auto|no|identity|START:COUNT"),
        *("User and group ids of all its containers.", "524288:65536"),
    ),
    "Sysctl": own(sysctl, True, "NAME=VALUE", "Kernel parameters of what is shared.", "net.ipv4.ip_default_ttl=32"),
    # A pod's own are not changed while it is there.
    **{key: (*PORTS[key][:5], False, *PORTS[key][6:]) for key in ("Egress", "Ingress")},
    **{key: NAMES[key] for key in ("NetworkAlias", "AddHost", "DNS", "DNSSearch", "DNSOption")},
}
