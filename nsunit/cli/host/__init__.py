"""The verbs about the host and nsunit itself: doctor, version, help."""

from __future__ import annotations

from nsunit.cli.verbs import Verb

VERBS = (
    Verb(
        "doctor",
        "host",
        "Say what this host lacks and what that costs",
        "nsunit.cli.host.doctor:doctor",
        details=("Exits with 1 if containers cannot run here.",),
    ),
    Verb(
        "version", "host", "Show the versions of nsunit, systemd, Linux and Python", "nsunit.cli.host.version:version"
    ),
    Verb("help", "host", "Show the help", "nsunit.cli.help:show", operands="[VERB]", most=2, complete="verbs"),
)
