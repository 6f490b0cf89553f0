"""The verbs that are called seldom, by hand: `start`, `exec` and the like do not load their table."""

from __future__ import annotations

from nsunit.cli.options import Option, Verb

VERBS = (
    Verb(
        "set",
        "change",
        "Change limits of a container that runs",
        "nsunit.cli.change:set_keys",
        operands="NAME [SECTION.]KEY=VALUE…",
        least=2,
        most=None,
        options=(
            Option("runtime", "Until the container is stopped, which is the default"),
            Option("persist", "For its later starts as well, by a drop-in"),
        ),
        complete="running_any",
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
        "Have the kernel take memory from a container that runs",
        "nsunit.cli.change:reclaim",
        operands="NAME SIZE",
        least=2,
        most=2,
        complete="running",
        details=(
            "The kernel drops caches and swaps out until it has SIZE, such as 100M, of the container's memory, and the "
            "container goes on. It is status 1 if the kernel finds less than that. Exec sessions are left alone.",
        ),
    ),
    Verb(
        "plan",
        "change",
        "Show how containers differ from their definitions",
        "nsunit.cli.change:plan",
        operands="[NAME…]",
        most=None,
        complete="running_any",
        details=(
            "Says of each key that differs whether it can change at once or only by a restart, and finds what others "
            "have changed in the units. Without a NAME it looks at all that run.",
        ),
    ),
    Verb(
        "apply",
        "change",
        "Have containers that run follow their definitions",
        "nsunit.cli.change:apply",
        operands="[NAME…]",
        most=None,
        options=(Option("restart", "Restart those of which a key can only change so"),),
        complete="running_any",
        details=(
            "What can change while a container runs does: all of it, or nothing if a step fails. What only a restart "
            "changes is told. Without a NAME it is for all that run.",
        ),
    ),
    Verb(
        "dropin",
        "change",
        "Set limits of a container for good",
        "nsunit.cli.change:drop_in",
        operands="NAME [[SECTION.]KEY=VALUE…]",
        least=1,
        most=None,
        options=(Option("remove", "Take away what was set, here or by 'set --persist'"),),
        complete="defined_any",
        details=(
            "Writes 50-nsunit.conf into the drop-in directories of the container's units in /etc/systemd/system, as "
            "'systemctl edit' would, and prints the paths. Without a KEY it keeps what 'set' has changed for this run.",
            "rm takes the drop-ins away as well.",
        ),
    ),
    Verb(
        "render",
        "definition",
        "Show what would be sent to systemd and done by the helper",
        "nsunit.cli.definitions:render",
        operands="NAME",
        least=1,
        most=1,
        options=(Option("unit-files", "As the text of unit files instead"),),
        complete="defined_any",
    ),
    Verb(
        "verify",
        "definition",
        "Check definitions",
        "nsunit.cli.definitions:verify",
        operands="[NAME…]",
        most=None,
        complete="definitions",
        details=(
            "Checks all definitions if none is named, those of networks too, and has systemd-analyze verify check the "
            "units as well. NAME.network is the definition of a network.",
        ),
    ),
    Verb(
        "cat",
        "definition",
        "Print definitions and their drop-ins",
        "nsunit.cli.definitions:cat",
        operands="NAME…",
        least=1,
        most=None,
        complete="definitions",
    ),
    Verb(
        "edit",
        "definition",
        "Edit a definition",
        "nsunit.cli.definitions:edit",
        operands="NAME",
        least=1,
        most=1,
        options=(
            Option("force", "Make a new definition if there is none", short="f"),
            Option("drop-in", "Edit this drop-in of the definition instead", value="FILE"),
            Option("stdin", "Take the new text from standard input"),
        ),
        complete="definitions",
        details=(
            "Starts $SYSTEMD_EDITOR, $VISUAL or $EDITOR on a copy, checks it, and puts it in place of the file. What "
            "comes from outside /etc/nsunit is copied there.",
        ),
    ),
    Verb(
        "delegate",
        "host",
        "Give a user's own systemd resource controllers to limit its units with",
        "nsunit.cli.delegate:delegate",
        operands="USER [CONTROLLER…]",
        least=1,
        most=None,
        options=(
            Option("now", "Restart the user's systemd at once, with all that runs in it"),
            Option("remove", "Take back what was delegated"),
            Option("check", "Change nothing, and say what the user has"),
        ),
        complete="user",
        details=(
            "Writes delegate.conf for user@UID.service: cpu cpuset io memory pids, or the CONTROLLERs that are named, "
            "in addition to those that systemd delegates to every user. Says when it takes effect, and checks that "
            "cgroup.controllers of the user really has them.",
        ),
    ),
    Verb(
        "network",
        "host",
        "Look after networks and what is connected to them",
        "nsunit.cli.network:network",
        operands="[list|inspect [NAME…]|create NAME [KEY=VALUE…]|rm NAME…|prune|check|repair]",
        most=None,
        complete="networks",
        details=(
            "list shows all networks, inspect what is connected to them. create writes NAME.network.nsunit below "
            "/etc/nsunit, see nsunit.network(5); rm takes it away again, with the bridge, once no container is in it. "
            "prune removes the bridges, and at last the firewall rules, that no container needs; the next start makes "
            "them anew.",
            "check compares bridges, links and firewall rules with what there should be, and exits with 1 if something "
            "is wrong; repair puts it right, without touching what is.",
        ),
    ),
    Verb(
        "capture",
        "look",
        "Watch the packets of a container with the host's tcpdump",
        "nsunit.cli.network:capture",
        operands="NAME [WORD…]",
        least=1,
        most=None,
        command_at=0,
        complete="running",
        details=(
            "Runs tcpdump(8) with the WORDs in the container's network, from the caller's directory: 'nsunit capture "
            "web -i eth0 -w web.pcap port 80'. Exits as exec does.",
        ),
    ),
    Verb(
        "doctor",
        "host",
        "Say what this host lacks and what that costs",
        "nsunit.cli.host:doctor",
        details=("Exits with 1 if containers cannot run here.",),
    ),
    Verb("version", "host", "Show the versions of nsunit, systemd, Linux and Python", "nsunit.cli.host:version"),
    Verb("help", "host", "Show the help", "nsunit.cli.help:show", operands="[VERB]", most=2, complete="verbs"),
)
