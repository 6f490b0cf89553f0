"""Roots made by templates: programs that fill a directory, in a unit of their own."""
