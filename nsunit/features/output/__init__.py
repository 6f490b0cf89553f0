"""`Output=`: what a program's standard output and error are."""
