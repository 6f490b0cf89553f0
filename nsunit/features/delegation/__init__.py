"""`nsunit delegate`: controllers for a user's own systemd."""
