"""Pure: addresses, rules, and links as they should be."""
