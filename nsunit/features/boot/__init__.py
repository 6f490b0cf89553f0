"""A whole system inside: `Boot=yes`."""
