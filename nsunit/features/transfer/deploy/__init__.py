"""Containers with their images to another host, or to a directory: what both sides say, send and check."""
