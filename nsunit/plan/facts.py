"""What the plan has to know of the host.  The manager finds it out, so that planning itself does no I/O."""

from __future__ import annotations

from nsunit.record import Record


class Facts(Record):
    """Facts about the host and about what was reserved for one container.

    `user_range` is `(start, count)` of the id range, `(0, 0)` for none.  `upper` is the host directory with the
    overlay's `upper` and `work`, empty for one on tmpfs.  `environment` comes from the environment files.  `own_users`
    are the arguments of nsunit.setup.rootless.OwnUsers for a container without root, whose range is `(0, count)`.
    `runtime_base` is what RuntimeDirectory= is relative to.  `machine_id` is the container's own, and `machined`
    whether systemd-machined is installed; both only where they are needed.  `network_program` is what attaches the
    container to a network as the file in `network_directory` says, with a lock in `locks`; all three are empty where
    there is nothing to attach to, but for a `network_directory` with files that are bound into it.  With Activation=
    there are the container's address as the host reaches it, the program that waits for a payload to listen there, and
    the cgroup that nsunit.slice is in; `sockets_keep` tells that the container's directories last as long as its
    sockets.  `socket_proxy` is systemd-socket-proxyd, for one that has tunnels.
    `pod_kinds` are what a container shares with its pod, pinned in `pod_pins`, and `pod_network` is the network
    directory of that, empty where it has none.
    """

    systemd_version: int
    interpreter: str
    helper: str
    runtime_directory: str
    user_range: tuple[int, int] = (0, 0)
    upper: str = ""
    init: str = ""
    seccomp: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    own_users: tuple[str, str, str] | None = None
    runtime_base: str = "/run"
    pasta: str = ""
    machine_id: str = ""
    machined: bool = False
    network_program: str = ""
    network_directory: str = ""
    locks: str = ""
    socket_proxy: str = ""
    listen_address: str = ""
    listening_program: str = ""
    cgroup: str = ""
    sockets_keep: bool = False
    pod_kinds: tuple[str, ...] = ()
    pod_pins: str = ""
    pod_network: str = ""
