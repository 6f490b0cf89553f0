"""`EnvironmentFile=`: variables from files on the host."""
