"""Namespaces that are not simply made: chosen, pinned, or with clocks of their own."""
