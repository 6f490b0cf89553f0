"""The verbs about the host and nsunit itself: doctor, version, help."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "doctor",
        "host",
        "Say what this host lacks and what that costs",
        "nsunit.cli.host.doctor:doctor",
        options=(
            Option("check", "List what is there of nsunit's and no container owns", run="nsunit.cli.host.left:check"),
            Option("repair", "Take that away", run="nsunit.cli.host.left:repair"),
        ),
        details=(
            "Exits with 1 if containers cannot run here.",
            "With --check, units, control groups, mounts, files, locks, ids, links and rules that were left by a crash "
            "are listed, and the status is 1 if there are some. What is kept of containers is none of these.",
        ),
    ),
    Verb(
        "version", "host", "Show the versions of nsunit, systemd, Linux and Python", "nsunit.cli.host.version:version"
    ),
    Verb("help", "host", "Show the help", "nsunit.cli.help:show", operands="[VERB]", most=2, complete="verbs"),
)
