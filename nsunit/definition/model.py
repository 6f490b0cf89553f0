"""What a definition says, frozen: the container's own keys and the unit properties that belong to it."""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.values_connection import Connection
    from nsunit.definition.values_names import Names
    from nsunit.definition.values_network import Port
    from nsunit.units import Property


class Bind(Record):
    """One `Bind=` or `BindReadOnly=` item.

    *optional*: a missing source is skipped (a leading `-`).  *idmap*: its files belong to the container's ids.
    """

    source: str
    target: str
    read_only: bool
    recursive: bool = True
    optional: bool = False
    idmap: bool = False


class Tmpfs(Record):
    """One `Tmpfs=`; the options are tmpfs(5)'s, `size` in bytes or percent and `mode` in octal digits."""

    target: str
    options: tuple[tuple[str, str], ...]


class EnvironmentFile(Record):
    """One `EnvironmentFile=`, a path on the host.  *optional*: a missing file is skipped (a leading `-`)."""

    path: str
    optional: bool


class UserRange(Record):
    """`PrivateUsers=`.

    *mode* is "yes" (a range is allocated), "no", "identity" or "range" with *start* and *count*, "maps" where UIDMap=
    or GIDMap= say it all, "user" where the ids are those of *user* on the host, who is looked up and gives the *maps*
    of users and groups, or "joined" where UserNamespace= names a namespace that is there already.
    """

    mode: str = "yes"
    start: int = 0
    count: int = 0
    user: str = ""
    maps: tuple[tuple[tuple[int, int, int], ...], ...] = ()


class Container(Record):
    """The `[Container]` section.

    *attributes* are those of its control group that systemd does not know: `(file, subject, value)`, the subject being
    the device or resource that the line is about, or empty.
    """

    exec: tuple[str, ...]
    rootfs: str | None = None
    layers: tuple[str, ...] = ()
    read_only: bool = False
    volatile: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[EnvironmentFile, ...] = ()
    user: str | None = None
    group: str | None = None
    supplementary_groups: tuple[str, ...] = ()
    working_directory: str | None = None
    hostname: str | None = None
    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    network: str = "none"  # "bridge" for all that nsunit connects: `connections` says to what
    connections: tuple[Connection, ...] = ()
    unconnected: tuple[str, ...] = ()  # keys that are about the first of them, where there is none
    private_users: UserRange = UserRange()
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = True
    boot: bool = False
    register: bool | None = None  # with systemd-machined; None: where `boot` is set
    init: bool = False
    stop_signal: int = 15
    notify: bool = False
    sysctls: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str, str], ...] = ()
    # The namespaces that are not its own, but for the network's: (kind as in /proc/PID/ns, "host", "container:NAME" or
    # "path:PATH").
    namespaces: tuple[tuple[str, str], ...] = ()
    time_offsets: tuple[tuple[str, int], ...] = ()  # (clock, microseconds)
    domainname: str | None = None
    propagation: str = "private"
    uid_map: tuple[tuple[int, int, int], ...] = ()  # (inside, outside, count)
    gid_map: tuple[tuple[int, int, int], ...] = ()
    ownership: str = "idmap"
    slice: str = ""  # the group it is in
    pod: str = ""  # the same, where that is a pod
    published_ports: tuple[Port, ...] = ()
    host_ports: tuple[tuple[int, str], ...] = ()
    activation: str = ""  # who hands in the connections that start it: "socket" a proxy, "fds" systemd itself
    idle_stop: int = 0  # microseconds without a connection, 0 for never
    egress: int = 0  # bytes in a second, 0 for all it can
    ingress: int = 0
    names: Names | None = None  # what the keys of table_names say, if there are any
    share: tuple[str, ...] = ()  # of a pod, which has no program: the kinds of namespaces that its containers share

    @property
    def listened_ports(self) -> tuple[Port, ...]:
        """Those of its ports that socket units carry: all with Activation=, else those of ::1.

        What comes from ::1 may not leave the loopback interface, so the firewall cannot lead it anywhere.
        """
        if self.activation:
            return self.published_ports
        return tuple(port for port in self.published_ports if port.address == "::1")

    @property
    def chooses_namespaces(self) -> bool:
        """Whether it has anything to do with namespaces that are not its own, apart from the host's network."""
        return bool(self.namespaces) or self.network not in ("none", "host", "bridge", "pasta")

    @property
    def needs_others(self) -> bool:
        """Whether it cannot be without other containers."""
        return self.chooses_namespaces or (self.names is not None and bool(self.names.links or self.names.tunnels))


class Assignment(Record):
    """The effective text of a key: specifiers expanded, overridden values gone; one for each item of an adding key."""

    section: str
    key: str
    text: str


class Definition(Record):
    """A checked definition of container *name*, of a group, `shop.slice`, whose `container` says nothing, or of a pod.

    `properties` has, for each of the sections `Unit`, `Service` and `Slice` that says something, the D-Bus properties
    in the order they are to be sent, one for each D-Bus name.  `sources` are the files it was read from, main file
    first.
    """

    name: str
    container: Container
    assignments: tuple[Assignment, ...]
    properties: tuple[tuple[str, tuple[Property, ...]], ...]
    sources: tuple[str, ...]

    def properties_of(self, section: str) -> tuple[Property, ...]:
        """Return the properties that *section* (`Unit`, `Service`, `Slice`) sets."""
        for name, properties in self.properties:
            if name == section:
                return properties
        return ()

    def texts_of(self, section: str) -> tuple[tuple[str, str], ...]:
        """Return the effective `(key, text)` pairs of *section*, in file order."""
        return tuple((item.key, item.text) for item in self.assignments if item.section == section)
