"""What there is to see of containers."""
