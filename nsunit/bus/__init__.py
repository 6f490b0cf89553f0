"""D-Bus: calls to systemd and signals from it."""
