"""What the host has and lacks: doctor, and what is left behind."""
