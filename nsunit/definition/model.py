"""What a definition says, frozen: the container's own keys and the unit properties that belong to it."""

from __future__ import annotations

from nsunit.record import Extended, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.record import Extras
    from nsunit.units import Property


class Bind(Record):
    """One `Bind=` or `BindReadOnly=` item.

    *optional*: a missing source is skipped (a leading `-`).  *idmap*: its files belong to the container's ids.
    *one_id*: those of the first id, on disk, belong to the second, inside.  *owned*: all become the program's on disk.
    """

    source: str
    target: str
    read_only: bool
    recursive: bool = True
    optional: bool = False
    idmap: bool = False
    one_id: tuple[int, ...] = ()
    owned: bool = False


class Tmpfs(Record):
    """One `Tmpfs=`; the options are tmpfs(5)'s, `size` in bytes or percent and `mode` in octal digits."""

    target: str
    options: tuple[tuple[str, str], ...]


class UserRange(Record):
    """`PrivateUsers=`.

    *mode* is "yes" (a range is allocated), "no", "identity" or "range" with *start* and *count*, "maps" where UIDMap=
    or GIDMap= say it all, "user" where the ids are those of *user* on the host, who is looked up; the *maps* of users
    and groups are those of either; or "joined" where UserNamespace= names a namespace that is there already.
    """

    mode: str = "yes"
    start: int = 0
    count: int = 0
    user: str = ""
    maps: tuple[tuple[tuple[int, int, int], ...], ...] = ()


class Container(Extended):
    """The `[Container]` section: what every container has, and in `extras` what the features it uses were told.

    *network* is where its network namespace comes from: "none" for one of its own, "bridge" for one that nsunit
    connects, "pasta", "host", "container:NAME" or "path:PATH".
    """

    exec: tuple[str, ...]
    rootfs: str | None = None
    image: str = ""  # what has the rest of the layers, and of what is not said
    layers: tuple[str, ...] = ()
    read_only: bool = False
    volatile: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    group: str | None = None
    supplementary_groups: tuple[str, ...] = ()
    working_directory: str | None = None
    hostname: str | None = None
    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    network: str = "none"
    private_users: UserRange = UserRange()
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = True
    init: bool = False
    stop_signal: int = 15
    notify: bool = False
    waits_for_health: bool = False  # it is ready when its first check has passed
    sysctls: tuple[tuple[str, str], ...] = ()
    # The namespaces that are not its own, but for the network's: (kind as in /proc/PID/ns, "host", "container:NAME" or
    # "path:PATH").
    namespaces: tuple[tuple[str, str], ...] = ()
    propagation: str = "private"
    slice: str = ""  # the group it is in
    extras: Extras = ()

    @property
    def has_hosts_root(self) -> bool:
        """Whether the host's root is among its ids, as far as the definition tells."""
        users = self.private_users
        mapped = any(outside == 0 for entries in users.maps for _, outside, _ in entries)
        return users.mode in ("no", "identity") or mapped

    @property
    def chooses_namespaces(self) -> bool:
        """Whether it has anything to do with namespaces that are not its own, apart from the host's network."""
        return bool(self.namespaces) or self.network not in ("none", "host", "bridge", "pasta")


def shared_kinds(container: Container) -> dict[str, str]:
    """The kinds of namespaces that are not *container*'s own, each with where it comes from."""
    found = dict(container.namespaces)
    if container.network not in ("none", "bridge", "pasta"):
        found["net"] = container.network
    return found


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
