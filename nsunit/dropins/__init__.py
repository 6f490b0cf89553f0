"""Files that systemd reads: units and drop-ins."""
