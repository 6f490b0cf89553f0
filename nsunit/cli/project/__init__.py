"""The verbs for projects of compose files: up, down."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_PROJECT = Option("project", "The project's name", value="NAME")
_PROFILE = Option("profile", "With the services of that profile", value="NAME", repeat=True)

VERBS = (
    Verb(
        "up",
        "lifecycle",
        "Start the services of a compose file",
        "nsunit.cli.project.project:up",
        operands="[FILE|DIR]",
        most=None,
        options=(
            _PROJECT,
            _PROFILE,
            Option("scale", "So many containers of a service", value="SERVICE=NUMBER", repeat=True),
        ),
        complete="file",
        connects=True,
        details=(
            "Makes definitions of it as 'import compose' does, PROJECT-SERVICE, in /run/nsunit/definitions, and starts "
            "them: what others need first, and service_healthy waits for the first good check, "
            "service_completed_successfully for the end. Those of /etc/nsunit count before them. What runs and has "
            "changed is made anew, what is not in the file any more is removed. With several containers of a service "
            "they are instances, PROJECT-SERVICE@1. Without an operand it is the directory that one is in.",
            "They are gone at the next boot. To have them then: nsunit import compose, nsunit enable.",
        ),
    ),
    Verb(
        "down",
        "lifecycle",
        "Stop and remove what 'up' has started",
        "nsunit.cli.project.project:down",
        operands="[FILE|DIR]",
        most=None,
        options=(_PROJECT,),
        complete="file",
        details=(
            "Removes definitions in /run/nsunit/definitions and what the containers have written to their roots. "
            "Volumes by name stay: 'nsunit volume rm' removes them.",
        ),
    ),
)
