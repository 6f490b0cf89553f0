"""Links, addresses and firewall rules of containers."""
