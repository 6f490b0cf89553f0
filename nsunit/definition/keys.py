"""The keys of [Container] that every container may have; features bring more."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.signals import signal_number
from nsunit.definition.values import absolute_path, boolean, choice
from nsunit.definition.values_container import (
    arguments,
    binds,
    binds_read_only,
    capabilities,
    environment,
    group,
    groups,
    hostname,
    notify,
    sysctl,
    tmpfs,
    user,
    working_directory,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row


CONTAINER: dict[str, Row] = {
    "Rootfs": own(
        *(absolute_path, False, "PATH"),
        *("Directory that becomes the root; to be written to, it belongs below one that only root can enter.",),
        *("/var/lib/machines/debian",),
    ),
    "Layer": own(absolute_path, True, "PATH", "Read-only directory of the root, the topmost first.", "/srv/layers/app"),
    "ReadOnly": own(boolean, False, "yes|no", "Nothing can be written to the root.", "yes"),
    "Volatile": own(boolean, False, "yes|no", "What is written to the root is gone at stop.", "yes"),
    "Exec": own(arguments, False, "COMMAND", "The program to run, with its arguments.", "/usr/bin/app --port 80"),
    "Environment": own(environment, True, "NAME=VALUE…", "Variables for the program.", 'LANG=C.UTF-8 "TITLE=a b"'),
    "User": own(user, False, "NAME|NUMBER", "User to run as, looked up in the container.", "www-data"),
    "Group": own(group, False, "NAME|NUMBER", "Group to run as.", "33"),
    "SupplementaryGroups": own(groups, True, "NAME|NUMBER…", "Further groups.", "adm 100"),
    "WorkingDirectory": own(
        working_directory, False, "PATH|~", "Directory to start in, / unless given; ~ is the home of User=.", "/srv"
    ),
    "Hostname": own(hostname, False, "NAME", "Host name inside; the container's name unless given.", "web"),
    "Bind": own(binds, True, "[-]SOURCE[:TARGET[:OPTIONS]]…", "Directories or files of the host.", "/srv/data:/data"),
    "BindReadOnly": own(
        binds_read_only, True, "[-]SOURCE[:TARGET[:OPTIONS]]…", "The same, read-only.", "-/etc/ssl:/etc/ssl:norbind"
    ),
    "Tmpfs": own(tmpfs, True, "TARGET[:OPTION=VALUE,…]…", "Directories in memory.", "/run:size=10M,mode=0755"),
    "Propagation": own(
        *(choice("private", "slave"), False, "private|slave"),
        *("Whether what the host mounts below a Bind= later appears inside.", "slave"),
    ),
    "Capability": own(
        capabilities, True, "[+|-]NAME…", "Change the set of capabilities; ALL is each.", "-ALL +NET_RAW"
    ),
    "NoNewPrivileges": own(boolean, False, "yes|no", "Programs cannot gain privileges.", "no"),
    "Init": own(boolean, False, "yes|no", "Run a reaper of orphaned processes as PID 1.", "yes"),
    "StopSignal": own(signal_number, False, "SIGNAL", "Signal that asks the program to end.", "SIGRTMIN+3"),
    "Notify": own(
        *(notify, False, "yes|no|healthy"),
        *("The program itself tells when it is ready; healthy: its first good check does, see Health=.", "yes"),
    ),
    "Sysctl": own(sysctl, True, "NAME=VALUE", "Kernel parameters of its namespaces.", "net.ipv4.ip_default_ttl=32"),
}
