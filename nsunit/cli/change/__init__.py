"""The verbs that change what runs: set, reclaim, plan, apply, dropin."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "set",
        "change",
        "Change limits of a running container",
        "nsunit.cli.change.set:set_keys",
        operands="NAME [SECTION.]KEY=VALUE…",
        least=2,
        most=None,
        options=(
            Option("runtime", "Until the container is stopped, which is the default"),
            Option("persist", "For its later starts as well, by a drop-in"),
        ),
        complete="running_any",
        words="nsunit.cli.change.words:limits",
        details=(
            "KEY is one of systemd.resource-control(5), of the container's slice, or of its service with Service. in "
            "front. All of them change at once, or none does. What a list has is added to; an empty value resets it.",
            "What cannot change while the container runs is refused. NAME may be that of a group, such as shop.slice.",
            "The keys of [Container] that change while it runs are taken as well, but not with --persist.",
        ),
    ),
    Verb(
        "reclaim",
        "change",
        "Reclaim memory from a running container",
        "nsunit.cli.change.reclaim:reclaim",
        operands="NAME SIZE",
        least=2,
        most=2,
        complete="running",
        details=(
            "The kernel drops caches and swaps out until it has SIZE, such as 100M, of the container's memory, and the "
            "container goes on. The exit status is 1 if the kernel finds less than that. Exec sessions are left alone.",
        ),
    ),
    Verb(
        "plan",
        "change",
        "Show how containers differ from their definitions",
        "nsunit.cli.change.plan:plan",
        operands="[NAME…]",
        most=None,
        complete="running_any",
        patterns="running",
        details=(
            "Says of each key that differs whether it can change at once or only by a restart, and finds what others "
            "have changed in the units. Without a NAME it looks at all that run.",
        ),
    ),
    Verb(
        "apply",
        "change",
        "Bring running containers up to their definitions",
        "nsunit.cli.change.apply:apply",
        operands="[NAME…]",
        most=None,
        options=(Option("restart", "Restart containers whose changes take a restart"),),
        complete="running_any",
        patterns="running",
        details=(
            "What can change while a container runs does: all of it, or nothing if a step fails. What only a restart "
            "changes is told. Without a NAME it is for all that run.",
        ),
    ),
    Verb(
        "dropin",
        "change",
        "Set limits of a container for good",
        "nsunit.cli.change.dropin:drop_in",
        operands="NAME [[SECTION.]KEY=VALUE…]",
        least=1,
        most=None,
        options=(Option("remove", "Remove what was set, here or by 'set --persist'"),),
        complete="defined_any",
        words="nsunit.cli.change.words:limits",
        details=(
            "Writes 50-nsunit.conf into the drop-in directories of the container's units in /etc/systemd/system, as "
            "'systemctl edit' would, and prints the paths. Without a KEY it keeps what 'set' has changed for this run.",
            "rm takes the drop-ins away as well.",
        ),
    ),
)
