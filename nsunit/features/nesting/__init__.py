"""`Nesting=`: user namespaces inside, with file systems of their own."""
