"""Containers that systemd listens for: `Activation=`, `IdleStop=`, and ports on ::1."""
