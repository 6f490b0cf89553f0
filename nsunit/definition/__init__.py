"""The definition file: syntax, the table of settings, the frozen Definition."""
