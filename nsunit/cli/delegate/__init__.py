"""The verb `delegate`: controllers for a user's own systemd."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "delegate",
        "host",
        "Give resource controllers to a user's own systemd",
        "nsunit.cli.delegate.delegate:delegate",
        operands="USER [CONTROLLER…]",
        least=1,
        most=None,
        options=(
            Option("now", "Restart the user's systemd at once, with all that runs in it"),
            Option("remove", "Take back what was delegated"),
            Option("check", "Change nothing, and say what the user has"),
        ),
        complete="user",
        words="nsunit.cli.delegate.delegate:controllers",
        details=(
            "Writes delegate.conf for user@UID.service: cpu cpuset io memory pids, or the CONTROLLERs that are named, "
            "in addition to those that systemd delegates to every user. Says when it takes effect, and checks that "
            "cgroup.controllers of the user really has them.",
        ),
        before="doctor",
    ),
)
