"""`Device=`: devices of the host, each as a node of the container's own."""
