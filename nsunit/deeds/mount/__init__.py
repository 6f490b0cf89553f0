"""Roots of containers on the host: `mount` and `umount`."""
