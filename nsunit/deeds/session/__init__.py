"""Commands in containers, and containers in the foreground."""
