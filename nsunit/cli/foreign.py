"""Verbs of other tools, which nsunit calls otherwise: what to type instead.  Loaded for an error only."""

from __future__ import annotations

from nsunit.cli.tools import COMPOSE, TOOLS
from nsunit.cli.verbs import all_verbs, family, find_verb
from nsunit.errors import UsageError, did_you_mean
from nsunit.names import DEFINITION_SUFFIX, is_valid_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Verb

_LIST = "'nsunit list' lists containers, 'nsunit ps NAME' shows the processes of one"
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
    "load import-tar pull-tar": "'nsunit image import FILE', or - for standard input",
    "tag": "'nsunit image tag IMAGE NAME'",
    "save": "'nsunit image export IMAGE TARGET', or - for standard output",
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

_NETWORK = {
    "remove delete": "'nsunit network rm NAME'",
    "show": "'nsunit network inspect NAME'",
    "connect disconnect": "Network=NAME in the definition, a line for each network, then 'nsunit restart CONTAINER'",
}

# Verbs that mean something else elsewhere, where they need no operand.
_WITHOUT_OPERAND = {"ps": _LIST}


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


def network(action: str) -> str:
    """What to type instead of 'network *action*' of another tool; empty if none has it."""
    return next((text for names, text in _NETWORK.items() if action in names.split()), "")


def operand(of: str) -> str | None:
    """What to type instead of the verb *of* without an operand."""
    return _WITHOUT_OPERAND.get(of)
