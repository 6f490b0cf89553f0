"""The verbs of `nsunit cgroup`, with the options of libcgroup's tools."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_GROUP = "CONTROLLERS:PATH"
_ONE = Option("group", "The group, which must have these controllers", short="g", value=_GROUP)
_MANY = _ONE.replace(repeat=True)
_ANYWHERE = Option("no-default", "Accepted as libcgroup's tools do: no slice is put before paths", short="b")

VERBS = (
    Verb(
        "cgroup create",
        "cgroup",
        "Make groups, as cgcreate does",
        "nsunit.cli.cgroup.create:create",
        operands="-g CONTROLLERS:PATH…",
        options=(
            Option("group", "The group and its controllers, * for all", short="g", value=_GROUP, repeat=True),
            Option("admin", "Who may make subgroups, and set the limits of them", short="a", value="USER[:GROUP]"),
            Option("tasks", "Who may put processes of their own into the group", short="t", value="USER[:GROUP]"),
            Option("dperm", "Mode of the group's directory, in octal", short="d", value="MODE"),
            Option("fperm", "Mode of the files that -a gives away", short="f", value="MODE"),
            Option("tperm", "Mode of the files that -t gives away", short="s", value="MODE"),
            _ANYWHERE,
        ),
        details=(
            "CONTROLLERS are some of cpu, cpuset, io, memory and pids, with commas. The first name of PATH is that of "
            "a service of systemd, nsunit-cgroup-NAME.service; the others are cgroups in it. What is there already is "
            "kept, and gets the owners and modes that are asked for.",
            "The user of -a can make subgroups and set their limits, never those of the group itself. With -t for the "
            "same user when the group's first name is made, that user can bring in processes from wherever they are.",
        ),
    ),
    Verb(
        "cgroup exec",
        "cgroup",
        "Run a command in a group, as cgexec does",
        "nsunit.cli.cgroup.processes:execute",
        operands="-g CONTROLLERS:PATH COMMAND…",
        least=1,
        most=None,
        options=(_MANY, Option("sticky", "Accepted as cgexec does; nothing moves the command anyway"), _ANYWHERE),
        command_at=0,
        complete="command",
        details=(
            "The command takes the place of nsunit, so it has its terminal, streams, environment and exit status.",
        ),
    ),
    Verb(
        "cgroup classify",
        "cgroup",
        "Move processes into a group, as cgclassify does",
        "nsunit.cli.cgroup.processes:classify",
        operands="-g CONTROLLERS:PATH PID…",
        least=1,
        most=None,
        options=(
            _MANY,
            Option("sticky", "Accepted as cgclassify does; nothing moves the processes again anyway"),
            Option("cancel-sticky", "Accepted as cgclassify does"),
            _ANYWHERE,
        ),
        details=("Threads and later children of the processes come with them, children that they have do not.",),
    ),
    Verb(
        "cgroup set",
        "cgroup",
        "Set limits of groups, as cgset does",
        "nsunit.cli.cgroup.values:set_values",
        operands="-r NAME=VALUE… PATH…",
        least=1,
        most=None,
        options=(
            Option(
                "variable", "A file of the group and what it is to have", short="r", value="NAME=VALUE", repeat=True
            ),
            Option("copy-from", "The group whose settings they are to have, instead of -r", value="PATH"),
            _ANYWHERE,
        ),
        details=(
            "Names of cgroup version 1 are translated where version 2 has the same. Of a group without a slash in its "
            "path, systemd's properties are changed, so that a daemon-reload keeps the limits; of others the files are "
            "written. All of a group's values are set, or none.",
        ),
    ),
    Verb(
        "cgroup get",
        "cgroup",
        "Show limits and use of groups, as cgget does",
        "nsunit.cli.cgroup.values:get",
        operands="[PATH…]",
        most=None,
        options=(
            Option("variable", "A file of the group", short="r", value="NAME", repeat=True),
            Option("group", "All files of these controllers", short="g", value="CONTROLLERS[:PATH]", repeat=True),
            Option("all", "All files", short="a"),
            Option("no-headers", "Do not print the paths of the groups", short="n"),
            Option("values-only", "Print the values without their names", short="v"),
            Option("mode", "Print which version of cgroups the host has", short="m"),
            _ANYWHERE,
        ),
        details=("A name of cgroup version 1 is translated, and so is the value.",),
    ),
    Verb(
        "cgroup delete",
        "cgroup",
        "Remove groups, as cgdelete does",
        "nsunit.cli.cgroup.groups:delete",
        operands="[CONTROLLERS:PATH…]",
        most=None,
        options=(
            _MANY,
            Option("recursive", "Also delete what is below them", short="r"),
            Option("kill", "Kill the processes in them, instead of refusing", short="k"),
            _ANYWHERE,
        ),
    ),
    Verb(
        "cgroup list/ls",
        "cgroup",
        "List groups, as lscgroup and lssubsys do",
        "nsunit.cli.cgroup.groups:list_groups",
        operands="[CONTROLLERS:PATH…]",
        most=None,
        options=(
            Option("group", "List these, and what is below them", short="g", value=_GROUP, repeat=True),
            Option("controllers", "List the controllers that groups can have on this host instead"),
            _ANYWHERE,
        ),
        details=("One line for each group, as -g takes it. With --json also its processes, owner and unit.",),
    ),
)
