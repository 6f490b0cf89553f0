"""`nsunit --user doctor`: is this machine fit for the containers of the calling user, who has no privileges."""

from __future__ import annotations

import os

from nsunit.core.findings import ERROR, OK, WARNING, Finding
from nsunit.errors import BusError, NsunitError
from nsunit.features.delegation.plan import CONTROLLERS, missing_controllers
from nsunit.features.pasta.deeds import find_pasta
from nsunit.features.rootless.deeds import controllers, lingers, own_ids, text_of
from nsunit.record import Record
from nsunit.setup import linux
from nsunit.subordinate import COUNT, SUBGID, SUBUID, free, ranges_of, sharers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context

_SYSCTLS = {  # by distribution: what keeps users from making namespaces, and the value that lets them
    "/proc/sys/kernel/unprivileged_userns_clone": "1",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0",
}


_NOBODY = 65534
_ON_DISK, _IN_MEMORY, _MACHINE = "/var/log/journal", "/run/log/journal", "/etc/machine-id"


class UserFacts(Record):
    """What was found of the user.

    `namespace` is the errno of making a user namespace, `shortage` why ids lack, `remedy` who gives them, `sharers` are
    other users who have some of the user's.
    """

    user: str
    namespace: int
    forbidding: str
    users: int
    groups: int
    shortage: str
    remedy: str
    sharers: tuple[str, ...]
    controllers: tuple[str, ...]
    lingers: bool
    pasta: str
    reads_journal: bool


def findings(context: Context) -> list[Finding]:
    """The findings on what the user was given; none where the user's systemd does not answer, which is told."""
    try:
        return list(judge(gather_user(context)))
    except BusError:
        return []


def gather_user(context: Context) -> UserFacts:
    """Look at everything that the user needs.

    Raises:
        BusError: the user's systemd does not answer.
    """
    ids = own_ids(context)
    texts = text_of(SUBUID), text_of(SUBGID)
    users, groups = (sum(int(entry.rpartition(":")[2]) for entry in m.split(",")) - 1 for m in ids.arguments[1:])
    return UserFacts(
        context.host.user,
        _try_namespace(),
        next((path for path, good in _SYSCTLS.items() if _first_line(path) not in ("", good)), ""),
        users,
        groups,
        ids.shortage,
        ids_for(context.host.user, context.host.uid, *texts),
        tuple(sorted({other for text in texts for other in sharers(text, context.host.user, context.host.uid)})),
        controllers(context),
        lingers(context),
        _pasta(),
        _reads_journal(),
    )


def ids_for(user: str, uid: int, subuid: str, subgid: str) -> str:
    """The command that gives *user* the subordinate ids that are lacking, with those that nobody else has."""
    start = free(subuid, subgid)
    lacking = [kind for kind, text in (("uid", subuid), ("gid", subgid)) if not ranges_of(text, user, uid)]
    options = " ".join(f"--add-sub{kind}s {start}-{start + COUNT - 1}" for kind in lacking)
    return f"root runs 'usermod {options} {user}'"


def _reads_journal() -> bool:
    """Whether the user sees what containers have written.

    On disk each user has a journal of their own (journald.conf(5), SplitMode=), below /run there is the system's alone.
    """
    machine = text_of(_MACHINE).strip()
    in_memory = f"{_IN_MEMORY}/{machine}"  # journald removes it as soon as it writes to disk
    if machine and os.path.isdir(in_memory):
        return os.access(f"{in_memory}/system.journal", os.R_OK)
    return os.path.isdir(_ON_DISK)


def _pasta() -> str:
    try:
        return find_pasta()
    except NsunitError:
        return ""


def judge(facts: UserFacts) -> Iterator[Finding]:
    """The findings on *facts*."""
    if facts.namespace:
        sysctl = facts.forbidding.removeprefix("/proc/sys/").replace("/", ".")
        hint = f"root runs 'sysctl -w {sysctl}={_SYSCTLS[facts.forbidding]}'" if sysctl else None
        text = f"{os.strerror(facts.namespace)}: users may not make any here, so there are no containers without root"
        yield Finding("user namespace", ERROR, text, hint)
    else:
        yield Finding("user namespace", OK, "users can make them")
    if facts.shortage:
        text = f"{facts.shortage}: only user 0 and group 0 exist in containers"
        yield Finding("subordinate ids", WARNING, text, None if "uidmap" in facts.shortage else facts.remedy)
    elif facts.sharers:
        text = f"{', '.join(facts.sharers)} can reach the files of {facts.user}'s containers, by ids that both have"
        yield Finding("subordinate ids", WARNING, text, "root gives each user others in /etc/subuid and /etc/subgid")
    elif min(facts.users, facts.groups) < _NOBODY:
        text = f"{facts.users} users and {facts.groups} groups for {facts.user}: there is no {_NOBODY}, nobody, inside"
        hint = f"root gives {facts.user} {COUNT} in /etc/subuid and /etc/subgid, with no id of anybody else"
        yield Finding("subordinate ids", WARNING, text, hint)
    else:
        yield Finding("subordinate ids", OK, f"{facts.users} users and {facts.groups} groups for {facts.user}")
    missing = missing_controllers(CONTROLLERS, facts.controllers)
    if missing:
        text = f"{' '.join(facts.controllers) or 'none'}; limits that need {', '.join(missing)} are refused"
        yield Finding("controllers", WARNING, text, f"root runs 'nsunit delegate {facts.user}'")
    else:
        yield Finding("controllers", OK, " ".join(facts.controllers))
    if facts.pasta:
        yield Finding("network", OK, f"'{facts.pasta}'")
    else:
        text = "pasta is missing: Network=pasta does not work, so containers have the host's network or none"
        yield Finding("network", WARNING, text, "root runs 'apt install passt'")
    if facts.reads_journal:
        yield Finding("journal", OK, f"{facts.user} may read it")
    else:
        text = f"{facts.user} may not read it, and it is not on disk: logs and status show no lines of containers"
        hint = f"root runs 'usermod -aG systemd-journal {facts.user}', then {facts.user} logs in anew"
        yield Finding("journal", WARNING, text, hint)
    if facts.lingers:
        yield Finding("linger", OK, f"{facts.user}'s systemd runs without a login")
    else:
        text = f"all containers end with {facts.user}'s last login"
        yield Finding("linger", WARNING, text, "loginctl enable-linger")


def _try_namespace() -> int:
    """The errno of unshare(2) in a child, 0 where it went well."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            linux.unshare(linux.CLONE_NEWUSER)
            status = 0
        except OSError as error:
            status = error.errno or 255
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip()
    except OSError:
        return ""  # this kernel has no such switch
