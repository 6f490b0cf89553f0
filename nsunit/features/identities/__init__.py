"""Explicit maps of user and group ids, and who owns the files of the root."""
