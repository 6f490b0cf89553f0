"""The verbs for projects of compose files: up, down."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_PROJECT = Option("project", "The project's name", value="NAME")
_FILE = Option(
    "file",
    "The compose file, or its directory; of several the later ones go on top",
    short="f",
    value="FILE|DIR",
    repeat=True,
    complete=("file",),
)
_PROFILE = Option("profile", "With the services of that profile", value="NAME", repeat=True)

VERBS = (
    Verb(
        "up",
        "lifecycle",
        "Start the services of a compose file",
        "nsunit.cli.project.project:up",
        operands="[FILE|DIR] [SERVICE…]",
        most=None,
        options=(
            _FILE,
            _PROJECT,
            _PROFILE,
            Option("scale", "So many containers of a service", value="SERVICE=NUMBER", repeat=True),
        ),
        understood=(  # what docker compose has, and up does anyway
            Option("detach", "They go on by themselves", short="d"),
            Option("remove-orphans", "What is not in the file any more is removed"),
        ),
        complete="file",
        connects=True,
        details=(
            "Makes definitions of it as 'import compose' does, PROJECT-SERVICE, in /run/nsunit/definitions, and starts "
            "them: what others need first, and service_healthy waits for the first good check, "
            "service_completed_successfully for the end. Those of /etc/nsunit count before them. What runs and has "
            "changed is made anew (one that is enabled keeps what it has written), what is not in the file any more is "
            "removed. With several containers of a service "
            "they are instances, PROJECT-SERVICE@1.",
            "With services only those are started, and what they need; others stay as they are, and so do those of "
            "profiles that are not chosen. Without FILE or DIR it is what $COMPOSE_FILE names, here or in .env, or the "
            "compose file of the directory that one is in, or of one above it.",
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
        options=(_FILE, _PROJECT, Option("volumes", "Remove the volumes that it has defined as well", short="v")),
        understood=(Option("remove-orphans", "What is not in the file any more is removed"),),
        complete="file",
        details=(
            "Removes definitions in /run/nsunit/definitions, what the containers have written to their roots, and the "
            "networks of the project. Named volumes stay unless --volumes is given, external ones always.",
        ),
    ),
)
