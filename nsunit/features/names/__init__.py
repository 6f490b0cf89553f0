"""Names of containers in networks, and their resolvers."""
