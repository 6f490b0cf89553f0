"""`Network=pasta`: the network of a container without root."""
