"""Attributes of a container's control group that systemd has no property for."""
