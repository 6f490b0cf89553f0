"""What all deeds stand on: the context, what runs, and the steps from a definition to a container."""
