"""State directories, locks, id ranges and layers on disk."""
