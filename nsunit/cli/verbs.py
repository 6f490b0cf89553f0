"""The verbs and options of `nsunit`: one table that drives parsing, help, completion and the man page."""

from __future__ import annotations

from nsunit.cli.options import Option, Verb

GLOBAL_OPTIONS = (
    Option("help", "Show this help, or that of a verb", short="h"),
    Option("version", "Show the version"),
    Option("user", "Act on containers of the calling user, who needs no privileges"),
    Option("json", "Print JSON"),
    Option("no-color", "Print without colours, as with $NO_COLOR"),
    Option("quiet", "Print errors only", short="q"),
    Option("debug", "Print a traceback with an error"),
)

GROUPS = {
    "lifecycle": "Life cycle",
    "change": "Changing what runs",
    "look": "Looking",
    "definition": "Definitions",
    "session": "Commands in containers",
    "host": "Host",
    "cgroup": "Control groups",
}

_ALL_DEFINED = Option("all", "All containers that are defined", short="a")
_ALL_RUNNING = Option("all", "All containers that run", short="a")
_TTY = Option("tty", "Give the command a terminal of the container's own", short="t")
_INTERACTIVE = Option("interactive", "Pass standard input on", short="i")
_USER = Option("uid", "User to run as, by name or number in the container", short="u", value="USER[:GROUP]")
_DIRECTORY = Option("working-directory", "Directory to start in", short="w", value="DIR")
_ENVIRONMENT = Option("setenv", "Set a variable, or pass on the caller's", short="e", value="NAME[=VALUE]", repeat=True)
_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGCONT", "SIGSTOP", "SIGWINCH")
_JOURNAL_OUTPUT = (
    *("short", "short-precise", "short-iso", "short-iso-precise", "short-full", "short-monotonic", "short-unix"),
    *("verbose", "export", "json", "json-pretty", "json-sse", "json-seq", "cat", "with-unit"),
)

VERBS = (
    Verb(
        "start",
        "lifecycle",
        "Start containers",
        "nsunit.cli.lifecycle:start",
        operands="NAME…",
        most=None,
        options=(_ALL_DEFINED, Option("now", "Do not wait for the first connection, with Activation=")),
        complete="defined_any",
        details=(
            "Returns when the payloads run, or says what failed. NAME@INSTANCE starts an instance of a template, "
            "a group such as shop.slice all containers that are defined to be in it, a pod, shop.pod, itself as well.",
            "A container that runs already is left alone; if its definition has changed, the difference is shown.",
        ),
    ),
    Verb(
        "stop",
        "lifecycle",
        "Stop containers",
        "nsunit.cli.lifecycle:stop",
        operands="NAME…",
        most=None,
        options=(_ALL_RUNNING, Option("now", "Kill at once instead of asking first", short="k")),
        complete="running_any",
        details=(
            "Sends StopSignal=, after TimeoutStopSec= SIGKILL, and returns when everything is gone. A group such as "
            "shop.slice stands for all containers in it that run; a pod, shop.pod, is stopped after them.",
        ),
    ),
    Verb(
        "restart",
        "lifecycle",
        "Stop and start containers, with their definitions as they are now",
        "nsunit.cli.lifecycle:restart",
        operands="NAME…",
        most=None,
        options=(_ALL_RUNNING,),
        complete="defined_any",
        details=("What shares namespaces or a tunnel with one of them is restarted with it.",),
    ),
    Verb(
        "enable",
        "lifecycle",
        "Have containers started at boot",
        "nsunit.cli.lifecycle:enable",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("now", "Start them as well"),),
        complete="defined_any",
        details=(
            "Writes the unit files that 'render --unit-files' shows into /etc/systemd/system, with the links that "
            "[Install] asks for, for multi-user.target if it asks for none. Definition and environment files are "
            "those of now: what changes in them later counts from the next start by nsunit, or the next enable, on.",
            "A pod, shop.pod, stands for itself and all containers that are defined to be in it, a group such as "
            "shop.slice for those. A container of a pod brings the pod's unit file along.",
        ),
    ),
    Verb(
        "disable",
        "lifecycle",
        "Have containers no longer started at boot",
        "nsunit.cli.lifecycle:disable",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("now", "Stop them as well"),),
        complete="defined_any",
        details=(
            "Removes what enable has written. A container that runs from those files must be stopped first. "
            "A pod or group stands for its containers as well; the unit file of a pod stays as long as one needs it.",
        ),
    ),
    Verb(
        "kill",
        "lifecycle",
        "Send a signal to the processes of containers",
        "nsunit.cli.lifecycle:kill",
        operands="NAME…",
        least=1,
        most=None,
        options=(
            Option("signal", "The signal, SIGTERM if not given", short="s", value="SIGNAL", complete=_SIGNALS),
            Option("kill-whom", "Which processes: main or all (default)", value="WHOM", complete=("main", "all")),
        ),
        complete="running_any",
    ),
    Verb(
        "pause",
        "lifecycle",
        "Freeze containers",
        "nsunit.cli.lifecycle:pause",
        operands="NAME…",
        least=1,
        most=None,
        complete="running_any",
        details=("Freezes everything in the container's slice, exec sessions as well, with the cgroup freezer.",),
    ),
    Verb(
        "resume",
        "lifecycle",
        "Let frozen containers go on",
        "nsunit.cli.lifecycle:resume",
        operands="NAME…",
        least=1,
        most=None,
        complete="running_any",
    ),
    Verb(
        "wait",
        "lifecycle",
        "Wait until containers have ended, and say how",
        "nsunit.cli.lifecycle:wait",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("timeout", "Give up after this time, e.g. 90 or 5min", value="TIME"),),
        complete="running_any",
        details=("Exits with 0 if all of them ended well, with 1 if not, or if the time is over.",),
    ),
    Verb(
        "rm",
        "lifecycle",
        "Remove what stopped containers have kept: their upper layer and state",
        "nsunit.cli.lifecycle:remove",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("force", "Stop those that run first", short="f"),),
        complete="defined",
        details=("The definition stays. Without --force a container that runs is refused.",),
    ),
    Verb(
        "list/ls",
        "look",
        "List containers",
        "nsunit.cli.look:list_containers",
        operands="[PATTERN…]",
        most=None,
        options=(
            Option("all", "Those that do not run as well", short="a"),
            Option("names", "Print the names only"),
            Option("tree", "Show them in their groups, with what each uses and may use", short="t"),
        ),
        complete="defined",
        details=(
            "PATTERN is a shell pattern such as 'web*'. With --tree, --all shows the groups that are empty as well.",
        ),
    ),
    Verb(
        "status",
        "look",
        "Show how containers are doing",
        "nsunit.cli.look:status",
        operands="[NAME…]",
        most=None,
        options=(Option("lines", "Lines of the journal to show, 10 if not given", short="n", value="N"),),
        complete="defined",
        details=(
            "What systemctl status shows, and root, ids, namespaces, limits and usage.",
            "Exits with 3 if one of them does not run.",
        ),
    ),
    Verb(
        "show/inspect",
        "look",
        "Print everything about containers as JSON",
        "nsunit.cli.look:show",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("property", "Print this one only", short="p", value="KEY", repeat=True),),
        complete="defined_any",
    ),
    Verb(
        "logs",
        "look",
        "Show the journal of containers",
        "nsunit.cli.look:logs",
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
        ),
        complete="defined_any",
        details=("Runs journalctl for the payload, what exec runs beside it, and systemd's messages about its units.",),
    ),
    Verb(
        "stats",
        "look",
        "Show what containers, their exec sessions and their groups use",
        "nsunit.cli.usage:stats",
        operands="[NAME…]",
        most=None,
        options=(
            Option("watch", "Show it again and again, every 2 s if not said otherwise", value="SECONDS", implied="2"),
            Option("prometheus", "Print it in Prometheus' text format"),
        ),
        complete="running_any",
        details=(
            "CPU time and percent of one CPU; memory, its peak, how often MemoryHigh= held it back and how often the "
            "kernel killed; swap; tasks; traffic with disks and in the container's own network; pressure, the "
            "percentage of the last 10 s in which something waited for CPU, memory and disks.",
            "A NAME may be that of a group, such as shop.slice. With --watch, --json prints one line each time.",
        ),
    ),
    Verb(
        "ps",
        "look",
        "Show the processes of a container",
        "nsunit.cli.usage:processes",
        operands="NAME",
        least=1,
        most=1,
        complete="running",
        details=(
            "With the process and user ids on the host and those inside, CPU, memory and command line. All of it comes "
            "from the host's /proc; nothing is executed in the container, and it need not have a ps.",
        ),
    ),
    Verb(
        "top",
        "look",
        "Watch what containers use, by systemd-cgtop",
        "nsunit.cli.usage:top",
        operands="[ARGUMENT…]",
        most=None,
        foreign=True,
        details=(
            "Runs systemd-cgtop on nsunit.slice, or a group's if the last argument is one, such as shop.slice. All "
            "other arguments are passed on, such as --order=memory or -b.",
        ),
    ),
    Verb(
        "events",
        "look",
        "Follow what happens to containers",
        "nsunit.cli.events:events",
        operands="[NAME…]",
        most=None,
        complete="defined_any",
        details=(
            "Prints one JSON object a line: start, stop and fail of containers, session-start and session-stop of "
            "exec, oom-kill with the cgroup in which the kernel killed, memory-high, freeze, thaw. The first line, "
            "ready, has the containers that run; what happens after it is not missed. Goes on when systemd executes "
            "itself anew; nothing is polled. Only what concerns the NAMEs is printed if there are any; a NAME may be "
            "that of a group, such as shop.slice.",
        ),
    ),
    Verb(
        "port",
        "look",
        "Show the ports that containers publish",
        "nsunit.cli.network:port",
        operands="[NAME…]",
        most=None,
        complete="running",
    ),
    Verb(
        "why",
        "look",
        "Explain what limits a container",
        "nsunit.cli.why:why",
        operands="NAME [LIMIT]",
        least=1,
        most=2,
        complete="defined_any",
        details=(
            "Shows for each limit what was asked for, what holds, which slice above the container or which part of the "
            "host makes it so, and what the kernel has; and says where a controller is missing, a limit is moot, or "
            "something other than systemd has changed it. LIMIT is one directive, such as MemoryMax; with it, each "
            "level is shown.",
        ),
    ),
    Verb(
        "exec",
        "session",
        "Run a command in a container that runs",
        "nsunit.cli.session:execute",
        operands="NAME COMMAND…",
        least=2,
        most=None,
        options=(_TTY, _INTERACTIVE, _USER, _DIRECTORY, _ENVIRONMENT),
        command_at=1,
        complete="running",
        details=(
            "Exits with the command's exit status, 128 plus the signal that killed it, 125 if nsunit failed, 126 if "
            "the command cannot be run, 127 if it is not there.",
            "The command has the container's privileges, environment and resource limits.",
        ),
    ),
    Verb(
        "enter",
        "session",
        "Run a command of the host in some of a container's namespaces",
        "nsunit.cli.session:enter",
        operands="NAME [COMMAND…]",
        least=1,
        most=None,
        options=(
            Option("namespaces", "Kinds to join, or all; ipc,net,pid,uts if not given", short="n", value="KIND,…"),
            _TTY,
            _INTERACTIVE,
        ),
        command_at=1,
        complete="running",
        details=(
            "For debugging, with the host's ip, ss, tcpdump, strace, as root of the host, from the caller's control "
            "group and directory, and with its environment: the container's limits do not hold for it, and a container "
            "that is paused can be looked at. With net, /sys shows the container's network; with pid, /proc its "
            "processes: these mounts, and those the command makes, are the command's own. Without a COMMAND it is "
            "$SHELL. With user it becomes root of the container's user namespace.",
            "With mnt it has the container's file systems instead of the host's, and joins user and pid as well. A "
            "program of the host that is statically linked, such as busybox, comes along; any other is looked for in "
            "the container, and so never runs with the host's privileges. The host's mount reaches the container's "
            "mounts without that, by 'mount --namespace PID'.",
            "Exits as exec does.",
        ),
    ),
    Verb(
        "run",
        "session",
        "Run a command in a container of its own",
        "nsunit.cli.session:run",
        operands="[COMMAND…]",
        most=None,
        options=(
            Option("detach", "Return when it runs, and print its name", short="d"),
            _TTY,
            _INTERACTIVE,
            Option("name", "Name of the container, run-XXXXXX if not given", value="NAME"),
            Option(
                "property",
                "A key of a definition; its section may stand in front",
                short="p",
                value="[SECTION.]KEY=VALUE",
                repeat=True,
            ),
            Option("keep", "Keep its upper layer when it has ended"),
        ),
        command_at=0,
        complete="command",
        details=("Exits as exec does. For instance: nsunit run -t -p Rootfs=/srv/debian -p Slice.MemoryMax=1G bash",),
    ),
)


# Verbs of two words, by the first of them: the module with their table, which is imported when one of them is called.
FAMILIES = {
    "cgroup": "nsunit.cli.verbs_cgroup",
    "ns": "nsunit.cli.verbs_ns",
}


def find_verb(name: str) -> Verb | None:
    """Return the verb of that name or alias; one of a family has two words, such as `ns list`."""
    verbs = family(name.partition(" ")[0]) if " " in name else VERBS
    found = next((verb for verb in verbs if name in verb.name.split("/")), None)
    if found is None and verbs is VERBS:
        found = next((verb for verb in seldom_verbs() if name in verb.names), None)
    return found


def seldom_verbs() -> tuple[Verb, ...]:
    """Return the verbs of one word that are not in VERBS."""
    from nsunit.cli import verbs_seldom

    return verbs_seldom.VERBS


def family(name: str) -> tuple[Verb, ...]:
    """Return the verbs whose first word is *name*; none if there is no such family."""
    if name not in FAMILIES:
        return ()
    import sys

    __import__(FAMILIES[name])
    verbs: tuple[Verb, ...] = sys.modules[FAMILIES[name]].VERBS
    return verbs


def all_verbs() -> tuple[Verb, ...]:
    """Return every verb there is, for what lists them."""
    return (*VERBS, *seldom_verbs(), *(verb for name in FAMILIES for verb in family(name)))
