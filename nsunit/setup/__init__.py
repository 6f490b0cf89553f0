"""The helper that builds a container from inside its unit; imports nothing else of nsunit."""

CGROUP_ROOT = "/sys/fs/cgroup"
