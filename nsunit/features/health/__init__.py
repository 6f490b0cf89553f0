"""`Health=` and its like: a command in the container that tells whether it is well, run by a timer of systemd's."""
