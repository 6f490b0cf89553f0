"""Containers of users without privileges."""
