"""Images and what containers have written, on their way out of the store."""
