"""The one place the version stands in; pyproject.toml and the Debian package read it from here."""

VERSION = "0.1.0"
