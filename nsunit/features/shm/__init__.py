"""`ShmSize=`: the size of a container's /dev/shm."""
