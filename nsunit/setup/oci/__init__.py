"""What a runtime-spec config.json asks of a process and its namespaces, beyond what nsunit's own plans do."""
