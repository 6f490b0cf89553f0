"""The keys of [Container], which are nsunit's own.  Rows as in `setting.Row`, without a D-Bus property."""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.definition.signals import signal_number
from nsunit.definition.values import absolute_path, boolean, choice
from nsunit.definition.values_container import (
    binds,
    binds_read_only,
    capabilities,
    command,
    environment,
    environment_file,
    group,
    groups,
    hostname,
    private_users,
    sysctl,
    tmpfs,
    user,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser


def _own(parse: Parser, adds: bool, syntax: str, text: str, example: str) -> Row:
    return (parse, adds, "", "", OLDEST, False, syntax, text, example)


CONTAINER: dict[str, Row] = {
    "Rootfs": _own(
        *(absolute_path, False, "PATH"),
        *("Directory that becomes the root; to be written to, it belongs below one that only root can enter.",),
        *("/srv/debian",),
    ),
    "Layer": _own(
        absolute_path, True, "PATH", "Read-only directory of the root, the topmost first.", "/srv/layers/app"
    ),
    "ReadOnly": _own(boolean, False, "yes|no", "Nothing can be written to the root.", "yes"),
    "Volatile": _own(boolean, False, "yes|no", "What is written to the root is gone at stop.", "yes"),
    "Exec": _own(command, False, "COMMAND", "The program to run, with its arguments.", "/usr/bin/app --port 80"),
    "Environment": _own(environment, True, "NAME=VALUE…", "Variables for the program.", 'LANG=C.UTF-8 "TITLE=a b"'),
    "EnvironmentFile": _own(environment_file, True, "[-]PATH", "File on the host with variables.", "-/etc/app.env"),
    "User": _own(user, False, "NAME|NUMBER", "User to run as, looked up in the container.", "www-data"),
    "Group": _own(group, False, "NAME|NUMBER", "Group to run as.", "33"),
    "SupplementaryGroups": _own(groups, True, "NAME|NUMBER…", "Further groups.", "adm 100"),
    "WorkingDirectory": _own(absolute_path, False, "PATH", "Directory to start in.", "/srv"),
    "Hostname": _own(hostname, False, "NAME", "Host name inside; the container's name unless given.", "web"),
    "Bind": _own(binds, True, "[-]SOURCE[:TARGET[:OPTIONS]]…", "Directories or files of the host.", "/srv/data:/data"),
    "BindReadOnly": _own(
        binds_read_only, True, "[-]SOURCE[:TARGET[:OPTIONS]]…", "The same, read-only.", "-/etc/ssl:/etc/ssl:norbind"
    ),
    "Tmpfs": _own(tmpfs, True, "TARGET[:OPTION=VALUE,…]", "Directories in memory.", "/run:size=10M,mode=0755"),
    "Network": _own(choice("none", "host"), False, "none|host", "Own network with lo only, or the host's.", "none"),
    "PrivateUsers": _own(private_users, False, "yes|no|START:COUNT", "User and group ids of its own.", "524288:65536"),
    "Capability": _own(
        capabilities, True, "[+|-]NAME…", "Change the set of capabilities; ALL is each.", "-ALL +NET_RAW"
    ),
    "NoNewPrivileges": _own(boolean, False, "yes|no", "Programs cannot gain privileges.", "no"),
    "Init": _own(boolean, False, "yes|no", "Run a reaper of orphaned processes as PID 1.", "yes"),
    "StopSignal": _own(signal_number, False, "SIGNAL", "Signal that asks the program to end.", "SIGRTMIN+3"),
    "Notify": _own(boolean, False, "yes|no", "The program itself tells when it is ready.", "yes"),
    "Sysctl": _own(sysctl, True, "NAME=VALUE", "Kernel parameters of its namespaces.", "net.ipv4.ip_default_ttl=32"),
}
