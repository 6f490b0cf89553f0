"""Files of containers in and out, and whole containers: copied, archived, brought in, cloned."""
