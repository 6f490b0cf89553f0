"""Networks: bridges, addresses, ports, links of the host, bandwidth."""
