"""Verbs and options of other tools, which nsunit calls otherwise: what to type instead.  Loaded for an error only."""

from __future__ import annotations

from nsunit.cli.tools import COMPOSE, TOOLS
from nsunit.cli.verbs import all_verbs, family, find_verb
from nsunit.errors import UsageError, did_you_mean
from nsunit.names import DEFINITION_SUFFIX, is_valid_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Verb

_SHELL = "'nsunit exec -ti NAME sh' runs a shell in it; with Register=yes there is 'machinectl shell NAME', too"
_HELP = "see 'nsunit --help'"
_OFTEN = "'nsunit start NAME', with all that is said in NAME.nsunit; 'nsunit run' takes keys by -p"
_FILE = "definitions are read at each start; 'nsunit apply NAME' brings a running container up to its own"

_VERBS = {
    "shell ssh console lxc-attach machinectl": _SHELL,
    "login": f"{_SHELL}; for registries there is 'skopeo login'",
    "attach": "'nsunit logs -f NAME' follows what it writes, 'nsunit exec -ti NAME sh' runs a shell in it",
    "init": "'nsunit create NAME' writes a definition; 'nsunit run' needs none",
    "terminate poweroff halt shutdown": "'nsunit stop NAME'",
    "reboot": "'nsunit restart NAME'",
    "launch spawn": _OFTEN,
    "unpause thaw unfreeze": "'nsunit resume NAME'",
    "freeze": "'nsunit pause NAME'",
    "remove delete destroy": "'nsunit rm NAME'",
    "signal": "'nsunit kill --signal=SIGNAL NAME'",
    "journal log": "'nsunit logs NAME'",
    "info": "'nsunit status NAME' is about a container, 'nsunit doctor' about this host",
    "system": "'nsunit doctor', or 'nsunit image df' and 'nsunit image prune'",
    "execute": "'nsunit exec NAME COMMAND', or 'nsunit run' for a container of its own",
    "get property": "'nsunit show NAME', with -p for one property",
    "images list-images": "'nsunit image list'",
    "rmi": "'nsunit image rm IMAGE'",
    "pull": "'nsunit image pull NAME'",
    "load import-tar pull-tar": "'nsunit image import FILE'",
    "tag": "'nsunit image tag IMAGE NAME'",
    "save": "'nsunit image export IMAGE TARGET'",
    "push": "'nsunit image push IMAGE'",
    "copy-to copy-from": "'nsunit cp FILE NAME:PATH', and 'nsunit cp NAME:PATH FILE'",
    "volumes": "'nsunit volume list'",
    "backup snapshot checkpoint": "'nsunit export NAME FILE'; see nsunit-backup(7)",
    "restore": "'nsunit import FILE'; see nsunit-backup(7)",
    "copy lxc-copy": "'nsunit clone NAME NEW'; for files there is 'nsunit cp'",
    "move mv": "'nsunit rename NAME NEW'",
    "auto-update": "'nsunit update --auto'",
    "history": "'nsunit image history IMAGE'",
    "search": "'skopeo list-tags docker://NAME' asks a registry",
    "is-active": "'nsunit status NAME', which exits with 3 if it does not run",
    "is-enabled": "'nsunit show -p enabled NAME'",
    "daemon-reload": _FILE,
    "mask": "'ln -s /dev/null /etc/nsunit/NAME.nsunit'",
    "unmask": "'rm /etc/nsunit/NAME.nsunit', where that is the link that masks it",
    "set-limit limit": "'nsunit set NAME MemoryMax=1G', and 'nsunit dropin' for good",
    "set-property": "'nsunit set NAME KEY=VALUE', with --persist for good",
    "bind": "Bind= in the definition, then 'nsunit restart NAME'",
    "unshare nsenter": "'nsunit enter NAME COMMAND' runs a command of the host in its namespaces",
    "config": "'nsunit edit NAME'",
    "compose": "'nsunit up FILE' and 'nsunit down FILE', or definitions by 'nsunit import compose FILE'",
    "kube": "a definition for each container, and POD.pod.nsunit around them, see nsunit.pod(5)",
    "pod": "a pod is POD.pod in all verbs: 'nsunit start POD.pod'",
    "generate": "'nsunit render --unit-files NAME' shows the units",
}
# The second words of verbs that have two.
_ACTIONS = {"remove": "rm", "delete": "rm", "info": "inspect", "show": "inspect", "load": "import"}
# Those, and what the tables of tools have besides; the manual, nsunit-import(7), has all of these.
_OWN = {name for verb in all_verbs() for name in (*verb.names, verb.name.partition(" ")[0])}
VERBS = {
    **{
        name: text
        for rows in reversed(TOOLS.values())
        for names, text in rows.items()
        for name in names.split()
        if text and name not in _OWN
    },
    **{name: text for names, text in _VERBS.items() for name in names.split()},
}

_TIMES = "systemd-run --on-calendar=daily nsunit run …; or for good [Timer] OnCalendar=daily in a definition"
_RUN = {
    "on-active on-boot on-startup on-unit-active on-unit-inactive on-calendar timer-property": _TIMES,
    "memory m": "-p MemoryMax=1G",
    "memory-reservation": "-p MemoryLow=1G, or MemoryHigh=",
    "memory-swap": "-p MemorySwapMax=1G, which does not count memory",
    "cpus": "-p CPUQuota=150% for one and a half",
    "cpu-shares c": "-p CPUWeight=100, which is the usual 1024 shares",
    "cpuset-cpus": "-p AllowedCPUs=0-1",
    "cpuset-mems": "-p AllowedMemoryNodes=0",
    "blkio-weight": "-p IOWeight=100",
    "device-read-bps": "-p 'IOReadBandwidthMax=/dev/sda 10M'",
    "device-write-bps": "-p 'IOWriteBandwidthMax=/dev/sda 10M'",
    "pids-limit": "-p TasksMax=100",
    "ulimit": "-p LimitNOFILE=1024 and the like",
    "oom-score-adj": "-p OOMScoreAdjust=100",
    "restart": "a definition with Restart= in [Service]; with --detach also -p Service.Restart=always",
    "stop-timeout": "-p TimeoutStopSec=10",
    "mount": "-p Bind=SOURCE:TARGET, -p BindReadOnly= or -p Tmpfs=TARGET:size=1G",
    "env-file": "-p EnvironmentFile=FILE",
    "entrypoint": "-p Entrypoint=COMMAND",
    "image": "-p Image=NAME",
    "rootfs": "-p Rootfs=DIRECTORY",
    "directory D": "-p Rootfs=DIRECTORY",
    "boot b": "-p Boot=yes",
    "bind": "-p Bind=SOURCE:TARGET",
    "bind-ro": "-p BindReadOnly=SOURCE:TARGET",
    "ephemeral x": "leave it out, what it writes is gone when it ends",
    "network-veth n": "-p Network=bridge",
    "machine M": "--name=NAME",
    "private-users U": "leave it out, it has ids of its own",
    "userns": "-p PrivateUsers=yes, identity or START:COUNT",
    "pid": "-p PIDNamespace=host or container:NAME",
    "ipc": "-p IPCNamespace=host or container:NAME",
    "uts": "-p UTSNamespace=host or container:NAME",
    "cgroupns": "-p CgroupNamespace=host",
    "cgroup-parent": "-p Slice=GROUP",
    "shm-size": "-p ShmSize=64M",
    "ip ip6": "-p Address=ADDRESS",
    "mac-address": "-p MACAddress=ADDRESS",
    "privileged": "-p Capability= and -p Device= for what it needs; -p 'Capability=ALL' are all capabilities",
    "security-opt": "-p NoNewPrivileges=yes is so anyway; -p Capability= opens system calls",
    "gpus": "-p Device=/dev/dri/renderD128, for each of its nodes",
    "log-driver log-opt": "-p Output=; the journal has what it writes",
    "label l": "leave it out, a container has a name and nothing else",
    "timezone tz": "-v /usr/share/zoneinfo/AREA/CITY:/etc/localtime:ro",
    "platform": "choose it when the image comes in",
}
RUN = {name: text for names, text in _RUN.items() for name in names.split()}

_CREATE = {
    "name": "it is the first word: nsunit create NAME --image=REF",
    "detach d rm interactive i tty t": "leave it out; 'nsunit start NAME' starts it, 'nsunit enable NAME' at boot",
}
_CREATE_KEYS = {
    "publish p": "PublishPort=8080:80",
    "volume v": "Volume=NAME:TARGET, or Bind=SOURCE:TARGET",
    "env e": "Environment=NAME=VALUE",
    "network net": "Network=bridge, or the name of a network",
    "hostname": "Hostname=NAME",
    "user u": "User=NAME",
    "workdir w": "WorkingDirectory=DIRECTORY",
    "cap-add": "Capability=+NAME",
    "cap-drop": "Capability=-NAME",
    "device": "Device=/dev/fuse",
    "tmpfs": "Tmpfs=TARGET",
    "read-only": "ReadOnly=yes",
    "init": "Init=yes",
    "restart": "Restart=always; 'nsunit enable NAME' starts it at boot",
    "health-cmd": "Health=COMMAND",
}
_SIGNALS = "-s HUP, or --signal=9"
_STOP = {"time t timeout": "TimeoutStopSec=5 in [Service] for good, and 'nsunit stop --now NAME' kills at once"}
_KEYS = "'nsunit set NAME MemoryMax=1G CPUQuota=50%', by the keys of systemd.resource-control(5)"
_LIMITS = "'nsunit set NAME MemoryMax=1G' changes limits, with --persist for good"
OPTIONS = {
    "logs": {
        "tail": "-n 10, or --lines=10",
        "timestamps t": "-o short-iso writes times another way",
        "unit u": "leave it out, the container's name is enough",
        "boot b priority p": "journalctl(1) has it, for the unit nsunit-NAME.service",
    },
    "stats": {
        "no-stream": "leave it out, they are shown once; --watch goes on",
        "format": "--json",
        "all a": "leave it out",
    },
    "set": {"memory m memory-swap cpus cpu-shares c pids-limit blkio-weight cpuset-cpus": _KEYS},
    "network": {
        "subnet": "'nsunit network create NAME Subnet=10.5.0.0/24'",
        "gateway": "'nsunit network create NAME Subnet=… Gateway=ADDRESS'",
        "internal": "'nsunit network create NAME Internal=yes'",
        "ipv6": "leave it out, networks have both",
        "driver d": "leave it out, a network is a bridge; Network=macvlan:DEVICE in a definition needs none",
    },
    "up": {
        "build": "'nsunit build -t IMAGE DIR' first",
        "force-recreate always-recreate-deps": "'nsunit down', then 'nsunit up'",
        "no-recreate": "'nsunit start PROJECT-SERVICE' starts what is defined, as it was",
        "no-deps": "'nsunit start PROJECT-SERVICE', of what an 'up' has defined",
        "no-start": "'nsunit import compose FILE' writes definitions, and starts nothing",
        "wait wait-timeout": "leave it out, it returns when all run, and what others wait for is healthy",
        "pull": "pull_policy: in the file, or 'nsunit image pull NAME' first",
        "env-file": "put it into .env beside the file, or its variables into the environment",
        "project-name p": "--project=NAME",
        "project-directory": "leave it out, paths are those beside the first file",
        "timeout t": "stop_grace_period: in the file",
        "attach no-attach abort-on-container-exit menu watch w no-log-prefix timestamps": "'nsunit logs -f PROJECT-*'",
    },
    "down": {
        "rmi": "'nsunit image rm IMAGE', or 'nsunit image prune'",
        "timeout t": "stop_grace_period: in the file",
        "project-name p": "--project=NAME",
        "env-file": "put it into .env beside the file, or its variables into the environment",
    },
    "import": {
        "detach d publish volume v rm interactive tty i t it e env network": "a command line stands behind two dashes:"
        " nsunit import run -- docker run …",
    },
    "kill": {"0 1 2 3 6 9 A C I K P Q S T U W": _SIGNALS},
    "image list": {"all a": "leave it out, all are shown", "format": "--json"},
    "cp": {"recursive r R": "leave it out, directories are copied whole"},
    "ps": {
        "e f x u": "leave it out, all processes of the container are shown",
        "all a": "'nsunit list --all' lists containers, 'nsunit ps NAME' shows the processes of one",
    },
    "status": {"all a": "a pattern of names: \"nsunit status '*'\""},
    "stop": _STOP,
    "restart": _STOP,
    "update": {"memory m memory-swap cpus cpu-shares c pids-limit blkio-weight cpuset-cpus": _LIMITS},
    "show": {"format f": "--json, and a program such as jq"},
    "list": {
        "filter f": "patterns of names, 'web*'",
        "format output o": "--json",
        "no-trunc": "leave it out, names are whole",
        "failed state": "leave it out, what has failed is shown with what runs; --json has active_state",
        "running r": "leave it out, what is stopped is shown with --all only",
    },
    "rm": {
        "volumes v": "'nsunit volume rm NAME', volumes outlive containers",
        "all a": "patterns of names, \"nsunit rm '*'\"",
    },
    "events": {
        "format": "--json",
        "filter f": "names of containers as operands",
        "since until": "'nsunit logs --since=TIME NAME', what has been is in the journal",
    },
}

_NETWORK = {
    "remove delete": "'nsunit network rm NAME'",
    "show": "'nsunit network inspect NAME'",
    "connect disconnect": "Network=NAME in the definition, a line for each network, then 'nsunit restart CONTAINER'",
}

# Verbs that mean something else elsewhere, where they need no operand.
_WITHOUT_OPERAND = {"ps": "'nsunit list' lists containers, 'nsunit ps NAME' shows the processes of one"}


def of_tool(tool: str) -> list[tuple[str, str]]:
    """The verbs of *tool*, a name in TOOLS, with what does the same; those for which that is one text are together.

    Raises:
        KeyError: a verb has no such text.
    """
    found: dict[str, list[str]] = {}
    for names, text in TOOLS[tool].items():
        for name in names.split():
            same = text or ("nsunit's verb of the same name" if find_verb(name) is not None else VERBS[name])
            found.setdefault(same, []).append(name)
    return [(" ".join(names), text) for text, names in found.items()]


def suggestion(name: str, rest: Sequence[str]) -> str:
    """What to type instead of *name*, which is no verb, with the words *rest* behind it."""
    first, _, second = name.partition(" ")
    if known := verb(name, rest):
        return known
    if second:
        verbs = family(first)
        seconds = [alias.partition(" ")[2] for item in verbs for alias in item.names]
        return did_you_mean(second, seconds, f"'nsunit {first} {{}}'") or all_of(verbs)
    if rest and find_verb(rest[0]):
        return f"the verb comes first: 'nsunit {rest[0]} {printable(name)}'"
    return did_you_mean(name, [alias for item in all_verbs() for alias in item.names], "'nsunit {}'") or _HELP


def all_of(verbs: Sequence[Verb]) -> str:
    """Say which *verbs* a family has."""
    return "there are " + ", ".join(f"'{item.names[0]}'" for item in verbs)


def check_order(of: Verb, operands: Sequence[str]) -> None:
    """Refuse what has the container's name behind something else: `set MemoryMax=1G web`.

    Raises:
        UsageError: it has; the hint has the right order.
    """
    first, second = operands[:2]
    is_other = first[:1].isdigit() or any(mark in first for mark in "/=:")
    if is_other and is_valid_name(second) and not first.endswith(DEFINITION_SUFFIX):
        words = f"nsunit {of.names[0]} {second} {printable(first)}"
        raise UsageError(f"'{printable(first)}' is not a container name", hint=f"the name comes first: '{words}'")


def verb(name: str, rest: Sequence[str] = ()) -> str | None:
    """What to type instead of the verb *name* of another tool, with the words *rest*; None if none has it."""
    family, _, action = name.partition(" ")
    if name == "compose":
        return next((text for word in rest for text in _of_compose(word)), VERBS[name])
    if name == "container" and rest:
        return _without_family(rest[0]) or VERBS[name]
    here = f"{family} {_ACTIONS.get(action)}"
    if find_verb(here):
        return f"'nsunit {here}'"
    return _without_family(action) if action else VERBS.get(name)


def _without_family(action: str) -> str | None:
    """What to type instead of '*FAMILY* *action*', where *action* stands alone here."""
    own = find_verb(action)
    return f"'nsunit {own.names[0]}'" if own else VERBS.get(action)


def _of_compose(action: str) -> list[str]:
    """What to type instead of 'compose *action*'; none if that is no verb of it."""
    return [text for names, text in COMPOSE.items() if action in names.split()]


def option(of: str, name: str) -> str | None:
    """What to type instead of the option *name*, without dashes, of the verb *of*."""
    if of == "run":
        return RUN.get(name)
    if of == "create":
        key = _of(_CREATE_KEYS, name) or _as_key(RUN.get(name, ""))
        return f"its keys: nsunit create NAME --image=REF {key}" if key else _of(_CREATE, name)
    return _of(OPTIONS.get(of, {}), name)


def _of(table: dict[str, str], name: str) -> str | None:
    return next((text for names, text in table.items() if name in names.split()), None)


def _as_key(text: str) -> str:
    """What 'run' is told by -p, as a key; empty if it is told something else."""
    return text.replace("-p ", "") if text.startswith("-p ") else ""


def network(action: str) -> str:
    """What to type instead of 'network *action*' of another tool; empty if none has it."""
    return next((text for names, text in _NETWORK.items() if action in names.split()), "")


def operand(of: str) -> str | None:
    """What to type instead of the verb *of* without an operand."""
    return _WITHOUT_OPERAND.get(of)
