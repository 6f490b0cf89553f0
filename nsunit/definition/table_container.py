"""The keys of [Container], which are nsunit's own.  Rows as in `setting.Row`, without a D-Bus property."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.signals import signal_number
from nsunit.definition.values import absolute_path, boolean, choice
from nsunit.definition.values_container import (
    binds,
    binds_read_only,
    capabilities,
    command,
    container_users,
    environment,
    environment_file,
    group,
    groups,
    host_ports,
    hostname,
    published_ports,
    slice_group,
    sysctl,
    tmpfs,
    user,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser


def _rare(name: str) -> Parser:
    """The parser *name* of `values_namespace`, which is imported when its key is met."""

    def parse(text: str) -> object:
        from nsunit.definition import values_namespace

        return getattr(values_namespace, name)(text)

    return parse


def _network(text: str) -> object:
    if text in ("none", "host", "pasta"):
        return text
    if text == "private" or text.startswith(("container:", "path:")):
        return _namespace_of_network(text)
    from nsunit.definition.values_connection import connection

    return connection(text)


_namespace = _rare("namespace")
_namespace_of_network = _rare("network")
_CHOICE = "private|host|container:NAME|path:PATH"


CONTAINER: dict[str, Row] = {
    "Rootfs": own(
        *(absolute_path, False, "PATH"),
        *("Directory that becomes the root; to be written to, it belongs below one that only root can enter.",),
        *("/srv/debian",),
    ),
    "Layer": own(absolute_path, True, "PATH", "Read-only directory of the root, the topmost first.", "/srv/layers/app"),
    "ReadOnly": own(boolean, False, "yes|no", "Nothing can be written to the root.", "yes"),
    "Volatile": own(boolean, False, "yes|no", "What is written to the root is gone at stop.", "yes"),
    "Exec": own(command, False, "COMMAND", "The program to run, with its arguments.", "/usr/bin/app --port 80"),
    "Environment": own(environment, True, "NAME=VALUE…", "Variables for the program.", 'LANG=C.UTF-8 "TITLE=a b"'),
    "EnvironmentFile": own(environment_file, True, "[-]PATH", "File on the host with variables.", "-/etc/app.env"),
    "User": own(user, False, "NAME|NUMBER", "User to run as, looked up in the container.", "www-data"),
    "Group": own(group, False, "NAME|NUMBER", "Group to run as.", "33"),
    "SupplementaryGroups": own(groups, True, "NAME|NUMBER…", "Further groups.", "adm 100"),
    "WorkingDirectory": own(absolute_path, False, "PATH", "Directory to start in.", "/srv"),
    "Hostname": own(hostname, False, "NAME", "Host name inside; the container's name unless given.", "web"),
    "Bind": own(binds, True, "[-]SOURCE[:TARGET[:OPTIONS]]…", "Directories or files of the host.", "/srv/data:/data"),
    "BindReadOnly": own(
        binds_read_only, True, "[-]SOURCE[:TARGET[:OPTIONS]]…", "The same, read-only.", "-/etc/ssl:/etc/ssl:norbind"
    ),
    "Tmpfs": own(tmpfs, True, "TARGET[:OPTION=VALUE,…]", "Directories in memory.", "/run:size=10M,mode=0755"),
    "Network": own(
        *(_network, True, "none|host|bridge|NAME|KIND:DEV|pasta|container:NAME|path:PATH"),
        *("The networks it is connected to; or lo only; or, without root, pasta(1); or what is there already.", "none"),
    ),
    "PublishPort": own(
        *(published_ports, True, "[ADDRESS:]HOST:CONTAINER[/PROTOCOL]…"),
        *("Ports of the host that lead into it.", "8080:80 [::]:5353:53/udp"),
    ),
    "HostPort": own(host_ports, True, "PORT[/PROTOCOL]…", "Ports of the host it may reach.", "5432 53/udp"),
    "PIDNamespace": own(_namespace, False, _CHOICE, "Whose processes it sees.", "container:web"),
    "IPCNamespace": own(_namespace, False, _CHOICE, "Whose System V IPC and message queues it uses.", "host"),
    "UTSNamespace": own(_namespace, False, _CHOICE, "Whose host name it has.", "container:web"),
    "UserNamespace": own(_namespace, False, _CHOICE, "Whose user and group ids it has.", "container:web"),
    "CgroupNamespace": own(_namespace, False, _CHOICE, "Where its view of the cgroups begins.", "host"),
    "TimeNamespace": own(_namespace, False, _CHOICE, "Whose boot-time and monotonic clocks it has.", "host"),
    "MountNamespace": own(_namespace, False, _CHOICE, "Whose file systems it sees, instead of a root.", "host"),
    "TimeOffset": own(
        *(_rare("time_offset"), True, "boottime|monotonic TIME"),
        *("How far a clock of its time namespace is ahead of the host's.", "boottime 10d"),
    ),
    "Domainname": own(_rare("domain_name"), False, "NAME", "NIS domain name inside.", "example.org"),
    "Propagation": own(
        *(choice("private", "slave"), False, "private|slave"),
        *("Whether what the host mounts below a Bind= later appears inside.", "slave"),
    ),
    "PrivateUsers": own(
        *(container_users, False, "auto|no|identity|START:COUNT|USER"),
        *("User and group ids of its own, or those of a user.", "524288:65536"),
    ),
    "UIDMap": own(
        *(_rare("id_map"), True, "INSIDE OUTSIDE COUNT"),
        *("User ids inside and outside; those of groups too, unless GIDMap= says otherwise.", "0 524288 65536"),
    ),
    "GIDMap": own(_rare("id_map"), True, "INSIDE OUTSIDE COUNT", "Group ids inside and outside.", "0 524288 65536"),
    "Ownership": own(
        *(choice("idmap", "chown"), False, "idmap|chown"),
        *("Whether the files of Rootfs= are shown as the container's, or become so.", "chown"),
    ),
    "Capability": own(
        capabilities, True, "[+|-]NAME…", "Change the set of capabilities; ALL is each.", "-ALL +NET_RAW"
    ),
    "NoNewPrivileges": own(boolean, False, "yes|no", "Programs cannot gain privileges.", "no"),
    "Boot": own(boolean, False, "yes|no", "Run the systemd that is in the root, and with it a whole system.", "yes"),
    "Register": own(boolean, False, "yes|no", "Register with systemd-machined; the default is that of Boot=.", "yes"),
    "Init": own(boolean, False, "yes|no", "Run a reaper of orphaned processes as PID 1.", "yes"),
    "StopSignal": own(signal_number, False, "SIGNAL", "Signal that asks the program to end.", "SIGRTMIN+3"),
    "Notify": own(boolean, False, "yes|no", "The program itself tells when it is ready.", "yes"),
    "Slice": own(slice_group, False, "GROUP", "Group of containers whose limits it shares.", "shop"),
    "Pod": own(_rare("pod"), False, "POD", "Pod whose namespaces and limits it shares.", "shop"),
    "Sysctl": own(sysctl, True, "NAME=VALUE", "Kernel parameters of its namespaces.", "net.ipv4.ip_default_ttl=32"),
}
