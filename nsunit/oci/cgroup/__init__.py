"""The container's cgroup: where it is, and who makes it."""
