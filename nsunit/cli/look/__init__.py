"""The verbs that look at containers: list, status, show, logs, stats, ps, top, events, why, analyze."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_FULL = Option("full", "Do not cut long lines at the width of the terminal", short="l")
_JOURNAL_OUTPUT = (
    *("short", "short-precise", "short-iso", "short-iso-precise", "short-full", "short-monotonic", "short-unix"),
    *("verbose", "export", "json", "json-pretty", "json-sse", "json-seq", "cat", "with-unit"),
)

VERBS = (
    Verb(
        "list/ls",
        "look",
        "List containers",
        "nsunit.cli.look.containers:list_containers",
        operands="[PATTERN…]",
        most=None,
        options=(
            Option("all", "Include stopped containers", short="a"),
            Option("oci", "Show what engines have made with nsunit-oci(8)", run="nsunit.cli.look.oci:list_oci"),
            Option("names", "Print the names only", run="nsunit.cli.look.names:list_names"),
            Option(
                "tree",
                "Show them in their groups, with what each uses and may use",
                short="t",
                run="nsunit.cli.look.tree:list_tree",
            ),
        ),
        complete="defined",
        details=(
            "PATTERN is a shell pattern such as 'web*'. With --tree, --all shows the groups that are empty as well.",
            "--all also shows what has kept something and has no definition of its own: stopped instances, and as "
            "no-definition what 'run --keep' made or whose definition is gone. 'prune' removes that. The last column "
            "says what is enabled, which JSON has without --all, too.",
            "--oci shows the containers of nsunit-oci instead: of podman, CRI-O, Docker, containerd, and by hand; "
            "users other than root see their own. A PATTERN is for their ids, and for the names that engines give.",
        ),
    ),
    Verb(
        "status",
        "look",
        "Show the state of containers",
        "nsunit.cli.look.status:status",
        operands="[NAME…]",
        most=None,
        options=(Option("lines", "Lines of the journal to show, 10 if not given", short="n", value="N"), _FULL),
        complete="defined_any",
        patterns="listed",
        details=(
            "What systemctl status shows, and root, ids, namespaces, limits and usage. Of more than 25 containers that "
            "no name was given for, lines of the journal are shown with --lines only.",
            "Exits with 3 if one of them is not running.",
        ),
    ),
    Verb(
        "show/inspect",
        "look",
        "Print everything about containers as JSON",
        "nsunit.cli.look.show:show",
        operands="NAME…",
        least=1,
        most=None,
        options=(
            Option("property", "Print only these keys, or those of state", short="p", value="KEY,…", repeat=True),
        ),
        complete="defined_any",
        patterns="listed",
        nothing="nsunit.cli.look.show:print_nothing",
    ),
    Verb(
        "logs",
        "look",
        "Show the journal of containers",
        "nsunit.cli.look.logs:logs",
        operands="NAME…",
        least=1,
        most=None,
        options=(
            Option("follow", "Go on showing new lines", short="f"),
            Option("lines", "The last N lines only, or all", short="n", value="N"),
            Option("since", "From this time on, as journalctl takes it", short="S", value="TIME"),
            Option("until", "Up to this time", short="U", value="TIME"),
            Option("output", "Format, as journalctl takes it", short="o", value="FORMAT", complete=_JOURNAL_OUTPUT),
            Option("reverse", "Newest lines first", short="r"),
            Option("grep", "Lines in which this regular expression is found", short="g", value="PATTERN"),
            _FULL,
        ),
        complete="defined_any",
        patterns="known",
        nothing="nsunit.cli.look.logs:print_nothing",
        details=(
            "Runs journalctl for the program, what exec runs beside it, and systemd's messages about its units. "
            "What was refused before systemd was asked is there as well.",
        ),
    ),
    Verb(
        "stats",
        "look",
        "Show what containers, exec sessions and groups use",
        "nsunit.cli.look.stats:stats",
        operands="[NAME…]",
        most=None,
        options=(
            Option("watch", "Show it again and again, every 2 s if not said otherwise", value="SECONDS", implied="2"),
            Option(
                "plot",
                "Draw CPU, memory and pressure over time on the terminal",
                run="nsunit.cli.look.live.plot:plot",
            ),
            Option(
                "prometheus",
                "Print it in Prometheus' text format",
                run="nsunit.cli.look.prometheus:print_exposition",
            ),
        ),
        complete="running_any",
        patterns="running",
        nothing="nsunit.cli.look.stats:print_nothing",
        details=(
            "CPU time and percent of one CPU; memory, its peak, how often MemoryHigh= held it back and how often the "
            "kernel killed; swap; tasks; traffic with disks and in the container's own network; pressure, the "
            "percentage of the last 10 s in which something waited for CPU, memory and disks.",
            "A NAME may be that of a group, such as shop.slice, or of a pod, shop.pod. With --watch, --json prints one "
            "line each time.",
        ),
    ),
    Verb(
        "ps",
        "look",
        "Show the processes of containers",
        "nsunit.cli.look.processes:processes",
        operands="NAME…",
        least=1,
        most=None,
        complete="running_any",
        patterns="running",
        details=(
            "With the process and user ids on the host and those inside, CPU, memory and command line. All of it comes "
            "from the host's /proc; nothing is executed in the container, and it need not have a ps. What belongs to "
            "it and is not inside, such as pasta(1), has a dash in place of the ids.",
            "A group, such as shop.slice, or a pod, shop.pod, stands for what runs in it; of several each line begins "
            "with the name.",
        ),
    ),
    Verb(
        "top",
        "look",
        "Watch what containers use, by systemd-cgtop",
        "nsunit.cli.look.top:top",
        operands="[ARGUMENT…]",
        most=None,
        foreign=True,
        options=(Option("full", "Show limits, swap and pressure as well, with keys that sort, kill and pause"),),
        details=(
            "Runs systemd-cgtop on nsunit.slice, or on that of a container or a group, such as shop.slice, if one is "
            "named. All other arguments are passed on, such as --order=memory or -b.",
            "With --full it is a view of nsunit's: what each container, pod and group uses, beside what it may use, "
            "with swap and the time in which something waited for CPUs, memory or disks. The last line says which keys "
            "sort; arrows mark a container, k kills it when y has answered, z pauses and resumes it, q quits. Other "
            "arguments are names of what to show, and --delay=SECONDS.",
        ),
    ),
    Verb(
        "events",
        "look",
        "Follow what happens to containers",
        "nsunit.cli.look.events:events",
        operands="[NAME…]",
        most=None,
        complete="defined_any",
        details=(
            "Prints one JSON object a line: start, stop and fail of containers, session-start and session-stop of "
            "exec, oom-kill with the cgroup in which the kernel killed, memory-high, freeze, thaw, and more: see "
            "EVENTS in nsunit(1). The first line, ready, has the containers that run; what happens after it is not "
            "missed. Goes on when systemd executes itself anew; nothing is polled. Only what concerns the NAMEs is "
            "printed if there are any; a NAME may be that of a group, such as shop.slice, or a pattern such as "
            "'web@*', which counts for later ones as well.",
        ),
    ),
    Verb(
        "why",
        "look",
        "Explain what limits a container",
        "nsunit.cli.look.why:why",
        operands="NAME [LIMIT]",
        least=1,
        most=2,
        complete="defined_any",
        words="nsunit.cli.look.why:limits",
        details=(
            "Shows for each limit what was asked for, what holds, which slice above the container or which part of the "
            "host makes it so, and what the kernel has; and says where a controller is missing, one above is tighter, "
            "or something other than systemd has changed it. LIMIT is one directive, such as MemoryMax; with it, each "
            "level is shown.",
        ),
    ),
    Verb(
        "analyze",
        "look",
        "Show where the time of the last start went",
        "nsunit.cli.look.analyze:analyze_start",
        operands="[NAME]",
        most=1,
        options=(
            Option("all", "Compare all running containers, and say what is unusual", short="a"),
            Option("plot", "Draw it as an SVG picture, - for standard output", value="FILE", complete=("file",)),
        ),
        complete="running",
        details=(
            "In microseconds, one step after the other: the command until it calls systemd (its interpreter, the "
            "definition, the plan), systemd (its job, and the executor), the interpreter of nsunit-setup and each of "
            "its operations, the network as far as the rest waited for it, and the program until it is ready. Without "
            "NAME it is the container that was started last.",
            "Of a start by systemd itself (enabled, restarted) there is no command. Steps below 0.1 ms that follow "
            "each other are one line; --json and --plot have them all.",
            "With --all, a part is unusual that took twice the median of all containers, and 5 ms more.",
        ),
    ),
    Verb(
        "mount",
        "look",
        "Mount a container's root on the host",
        "nsunit.cli.look.mount:mount",
        operands="[NAME [DIRECTORY]]",
        most=2,
        options=(Option("write", "Mount it so that it can be written to", short="w"),),
        complete="defined",
        details=(
            "Prints where: at DIRECTORY, or in a directory of nsunit's. Files belong to whom they belong inside. It is "
            "read-only and without set-user-id programs and devices; of a container that runs, its binds and volumes "
            "are below it, and names that were made since may be missing. --write is for one that does not run, and "
            "keeps it from being started until it is unmounted. Without NAME, lists what is mounted.",
        ),
    ),
    Verb(
        "umount",
        "look",
        "Unmount a container's root",
        "nsunit.cli.look.mount:umount",
        operands="NAME [DIRECTORY] | DIRECTORY",
        least=1,
        most=2,
        complete="defined",
        details=("Off all places, or off DIRECTORY. 'nsunit rm' does so as well.",),
    ),
)
