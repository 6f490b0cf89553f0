"""`Register=`: systemd-machined knows of a container."""
