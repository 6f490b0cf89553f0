"""checkpoint and restore, by criu(8)."""
