"""`nsunit cgroup`: control groups of the caller's own."""
