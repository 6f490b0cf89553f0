"""Containers as plain systemd units."""
