"""`Tunnel=`: sockets inside that lead to ports of other containers."""
