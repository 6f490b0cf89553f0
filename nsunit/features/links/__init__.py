"""`Link=`: what a container is told of others."""
