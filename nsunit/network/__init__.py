"""Links, addresses and firewall rules."""
