"""The verbs of a container's life, from start and stop to rm and prune."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_ALL_DEFINED = Option("all", "All defined containers", short="a")
_ALL_RUNNING = Option("all", "All running containers", short="a")
_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGCONT", "SIGSTOP", "SIGWINCH")

VERBS = (
    Verb(
        "start",
        "lifecycle",
        "Start containers",
        "nsunit.cli.lifecycle.start:start",
        connects=True,
        moves=True,
        operands="NAME…",
        most=None,
        options=(
            _ALL_DEFINED,
            Option(
                "now",
                "Do not wait for the first connection, with Activation=",
                run="nsunit.cli.lifecycle.start_now:start_now",
            ),
            Option(
                "wait",
                "Return when the programs have ended, with their exit status",
                run="nsunit.cli.lifecycle.start_wait:start_wait",
            ),
        ),
        complete="defined_any",
        patterns="defined",
        details=(
            "Returns when the programs are running, or says what failed. NAME@INSTANCE starts an instance of a "
            "template, a group such as shop.slice all containers that are defined to be in it, a pod, shop.pod, itself "
            "as well.",
            "With --wait it returns when they have ended, and says how; the exit status is that of the program, or 128 "
            "and the number of the signal that killed it, and of several programs the first that is not 0.",
            "Containers that [Unit] names in Requires= or BindsTo= are started as well.",
            "One that is already running is left alone; if its definition has changed, the difference is shown.",
        ),
    ),
    Verb(
        "stop",
        "lifecycle",
        "Stop containers",
        "nsunit.cli.lifecycle.stop:stop",
        connects=True,
        operands="NAME…",
        most=None,
        options=(
            _ALL_RUNNING.replace(
                summary="All running containers, and all pods", run="nsunit.cli.lifecycle.all_running:stop_all"
            ),
            Option("now", "Kill at once instead of asking first", short="k"),
        ),
        complete="running_any",
        patterns="listed",
        details=(
            "Sends StopSignal=, after TimeoutStopSec= SIGKILL, and returns when everything is gone. A group such as "
            "shop.slice stands for all containers in it that run, a pod, shop.pod, also for itself.",
        ),
    ),
    Verb(
        "restart",
        "lifecycle",
        "Stop and start containers, with their definitions as they are now",
        "nsunit.cli.lifecycle.restart:restart",
        operands="NAME…",
        most=None,
        options=(_ALL_RUNNING.replace(run="nsunit.cli.lifecycle.all_running:restart_all"),),
        complete="defined_any",
        patterns="listed",
        details=(
            "What shares namespaces or a tunnel with one of them, or requires it (Requires=, BindsTo=, PartOf=), is "
            "restarted with it, as by systemctl restart. A group such as shop.slice, or a pod, stands for all "
            "containers in it that run or have failed.",
        ),
    ),
    Verb(
        "reload",
        "lifecycle",
        "Have the programs of containers read their settings again",
        "nsunit.cli.lifecycle.reload:reload",
        operands="NAME…",
        least=1,
        most=None,
        complete="running_any",
        patterns="running",
        details=(
            "By what [Service] says: the commands of ExecReload=, or ReloadSignal=. Returns when it is done. What has "
            "changed in the definition is not read, see 'apply' and 'restart'.",
        ),
    ),
    Verb(
        "enable",
        "lifecycle",
        "Enable starting at boot",
        "nsunit.cli.lifecycle.enable:enable",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("now", "Start them as well"),),
        complete="defined_any",
        patterns="defined",
        details=(
            "Writes the unit files that 'render --unit-files' shows into /etc/systemd/system, with the links that "
            "[Install] asks for, for multi-user.target if it asks for none. Definition and environment files are "
            "those of now: what changes in them later counts from the next start by nsunit, or the next enable, on. "
            "Of a container with [Timer] it is the timer that is started, at boot and with --now.",
            "While a container runs that 'start' has started, 'systemctl is-enabled' calls its unit transient, enabled "
            "or not; 'nsunit status' tells which.",
            "A pod, shop.pod, stands for itself and all containers that are defined to be in it, a group such as "
            "shop.slice for those. A container of a pod brings the pod's unit file along. A template, web@, stands for "
            "the instance that its DefaultInstance= names.",
        ),
    ),
    Verb(
        "disable",
        "lifecycle",
        "Disable starting at boot",
        "nsunit.cli.lifecycle.disable:disable",
        operands="NAME…",
        least=1,
        most=None,
        options=(Option("now", "Stop them as well"),),
        complete="defined_any",
        patterns="enabled",
        details=(
            "Removes what enable has written, and ends its timer and its listening sockets. A container that runs from "
            "those files must be stopped first. "
            "A pod or group stands for its containers as well; the unit file of a pod stays as long as one needs it.",
        ),
    ),
    Verb(
        "kill",
        "lifecycle",
        "Send a signal to the processes of containers",
        "nsunit.cli.lifecycle.kill:kill",
        operands="NAME…",
        least=1,
        most=None,
        options=(
            Option("signal", "The signal, SIGTERM if not given", short="s", value="SIGNAL", complete=_SIGNALS),
            Option("kill-whom", "Which processes: main or all (default)", value="WHOM", complete=("main", "all")),
        ),
        complete="running_any",
        patterns="running",
    ),
    Verb(
        "pause",
        "lifecycle",
        "Pause containers",
        "nsunit.cli.lifecycle.freeze:pause",
        operands="NAME…",
        least=1,
        most=None,
        complete="running_any",
        patterns="running",
        details=(
            "Freezes everything in the container's slice, exec sessions as well, by the cgroup freezer. Programs may "
            "notice when they are resumed: clocks have gone on, and of calls that were waiting the kernel has some "
            "fail with EINTR, such as epoll_wait(2), sigtimedwait(2) and recv(2) with a time limit.",
        ),
    ),
    Verb(
        "resume",
        "lifecycle",
        "Resume paused containers",
        "nsunit.cli.lifecycle.freeze:resume",
        operands="NAME…",
        least=1,
        most=None,
        complete="running_any",
        patterns="running",
    ),
    Verb(
        "wait",
        "lifecycle",
        "Wait until containers have ended, or are healthy",
        "nsunit.cli.lifecycle.wait:wait",
        operands="NAME…",
        least=1,
        most=None,
        options=(
            Option("timeout", "Give up after this time, e.g. 90 or 5min", value="TIME"),
            Option(
                "condition",
                "Wait for what Health= finds: healthy or unhealthy",
                value="CONDITION",
                complete=("healthy", "unhealthy"),
            ),
        ),
        complete="running_any",
        patterns="running",
        details=(
            "Exits with 0 if all of them ended well, with 1 if not, or if the time is over. With --condition: with 0 "
            "once all of them are so, with 1 if one has ended before.",
        ),
    ),
    Verb(
        "rm",
        "lifecycle",
        "Remove what stopped containers have written and kept",
        "nsunit.cli.lifecycle.remove:remove",
        operands="NAME…",
        least=1,
        most=None,
        options=(
            Option("force", "Stop running containers first", short="f"),
            Option(
                "definition",
                "Remove their definitions and drop-ins, too, and roots that 'create' has made",
                run="nsunit.cli.definitions.remove:remove",
            ),
        ),
        complete="defined",
        patterns="known",
        details=("Definitions stay without --definition. Without --force a container that runs is refused.",),
    ),
    Verb(
        "prune",
        "lifecycle",
        "Remove what is kept of stopped containers without a definition",
        "nsunit.cli.lifecycle.prune:prune",
        options=(
            Option("dry-run", "Only say what would be removed", short="n"),
            Option("force", "Do not ask", short="f"),
        ),
        details=(
            "These are the ones that 'list --all' shows as no-definition, made by 'run --keep' or left by a definition "
            "that is gone, and as stopped, instances of templates. Containers that are defined or enabled keep all.",
            "What a killed import has left is removed in any case.",
        ),
    ),
)
