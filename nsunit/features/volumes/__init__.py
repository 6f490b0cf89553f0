"""`Volume=`: directories that outlive containers, filled once from what the root has at their place."""
