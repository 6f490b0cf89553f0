"""Limits of a container: from `linux.resources` to systemd and the kernel, and what is used of them."""
