"""The verbs that run commands in containers: exec, enter, run."""

from __future__ import annotations

from nsunit.cli.session.borrowed import FLAGS, WITH_VALUE
from nsunit.cli.verbs import Option, Verb

_TTY = Option("tty", "Give the command a terminal of the container's own", short="t")
_INTERACTIVE = Option("interactive", "Pass standard input on, as always from terminal to terminal", short="i")
_USER = Option("uid", "User to run as, by name or number in the container", short="u", value="USER[:GROUP]")
# In other tools a user of the container; root has no use for the --user of all verbs.
_OTHERS_USER = Option("user", "The same", stands_for="uid")
_DIRECTORY = Option(
    "working-directory",
    "Directory to start in; WorkingDirectory=, or the user's home, if not given",
    short="w",
    value="DIR",
)
_ENVIRONMENT = Option("setenv", "Set a variable, or pass on the caller's", short="e", value="NAME[=VALUE]", repeat=True)

_STREAMS = (
    "Called from a terminal, or with -t, it has a terminal of the container's own. Else its standard output and error "
    "are pipes that belong to its user, and its standard input is empty without -i; -t and -i together take a terminal."
    " When it has ended, what it has written is passed on; processes that it leaves behind write into nothing."
)

VERBS = (
    Verb(
        "exec",
        "session",
        "Run a command in a running container",
        "nsunit.cli.session.execute:execute",
        connects=True,
        moves=True,
        operands="NAME COMMAND…",
        least=2,
        most=None,
        options=(_TTY, _INTERACTIVE, _USER, _DIRECTORY, _ENVIRONMENT),
        understood=(
            _OTHERS_USER,
            Option("env", "The same as --setenv", value="NAME[=VALUE]", repeat=True),
            Option("workdir", "The same as --working-directory", value="DIR"),
        ),
        command_at=1,
        complete="running",
        details=(
            "Exits with the command's exit status, 128 plus the signal that killed it, 125 if nsunit failed, 126 if "
            "the command cannot be run, 127 if it is not there.",
            "The command has the container's privileges, environment and resource limits.",
            "As in other tools, --user=USER is the same as --uid=USER (called by root, so is --user USER), --env "
            "as --setenv and --workdir as --working-directory.",
            _STREAMS,
        ),
    ),
    Verb(
        "enter",
        "session",
        "Run a command of the host in some of a container's namespaces",
        "nsunit.cli.session.enter:enter",
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
            "Exits as exec does, and has the same standard streams.",
        ),
    ),
    Verb(
        "run",
        "session",
        "Run a command in a container of its own",
        "nsunit.cli.session.run:run",
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
                complete=("keys",),
            ),
            _USER,
            _DIRECTORY.replace(summary="Directory to start in, / if not given"),
            _ENVIRONMENT,
            Option("keep", "Keep what it has written when it has ended"),
        ),
        understood=(
            *(Option(long, f"{key}=", short, "VALUE", repeat=True) for long, short, key in WITH_VALUE if not short),
            Option("volume", "Bind=", short="v", value="SOURCE:TARGET", repeat=True),
            *(Option(long, "The same as in other tools") for long in FLAGS),
            _OTHERS_USER,
        ),
        command_at=0,
        complete="command",
        details=(
            "Exits as exec does, and has the same standard streams. Without COMMAND it runs what Exec= or the image "
            "says, else /bin/sh.",
            "Options of other tools are understood where they mean what a key means: -v and --volume, -e and --env, "
            "-p HOST:CONTAINER and --publish, --network, --hostname, --workdir, --user=USER, --device, --tmpfs, "
            "--read-only, --init, --cap-add, --cap-drop, --rm and the like. For others the error names the key.",
            "Nothing of it is left when it has ended: what it writes to its root is gone, as with Volatile=yes. With "
            "--keep its upper layer is kept, for the next run of that --name. commit, cp, diff, export, mount and "
            "status find it by that, 'prune' and 'rm' remove it. What it writes to a Rootfs= lands in that directory "
            "then, and with Volatile=no.",
            "'systemd-run --on-calendar=daily nsunit run …' runs it at times, until the next boot; for good there is "
            "[Timer] in a definition.",
            "For instance: nsunit run -t -p Rootfs=/var/lib/machines/debian -p Slice.MemoryMax=1G bash",
        ),
    ),
)
