"""The one place the version stands in; pyproject.toml and the Debian package read it from here."""

VERSION = "0.1.0"
JSON_SCHEMA = 1  # of what --json prints, nsunit-json(7): one more when a field goes or means something else
