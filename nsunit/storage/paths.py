"""Where nsunit keeps what it has to remember."""

from __future__ import annotations

import os

from nsunit.names import base_directory
from nsunit.record import Record


class Paths(Record):
    """The base directories; all below them is their owner's alone (0700), root's or the user's.

    `runtime` is gone after a reboot, `state` is kept; so is `data`, what may be large, where that is not the same.
    """

    runtime: str = "/run/nsunit"
    state: str = "/var/lib/nsunit"
    data: str = ""

    @property
    def runtime_base(self) -> str:
        """What RuntimeDirectory= of the unit is relative to."""
        return os.path.dirname(self.runtime)

    @property
    def locks(self) -> str:
        """Directory of the per-container lock files."""
        return self.runtime + "/locks"

    @property
    def changes(self) -> str:
        """Directory with notes of what has changed, by which caches are known to hold.

        Not in `runtime`, of which systemd watches the names: see nsunit-limits.path.
        """
        return self.runtime + "/changes"

    @property
    def seccomp(self) -> str:
        """Directory of compiled seccomp filters."""
        return self.runtime + "/seccomp"

    @property
    def runtimes(self) -> str:
        """Directory of `runtime_of` every container."""
        return self.runtime + "/containers"

    @property
    def networks(self) -> str:
        """Directory of `network_of` every container that is attached to one."""
        return self.runtime + "/network"

    @property
    def attached(self) -> str:
        """Directory of a file for each container that is attached: see nsunit.features.network.program."""
        return self.runtime + "/attached"

    @property
    def images(self) -> str:
        """Directory of the store of images."""
        return f"{self.data or self.state}/images"

    @property
    def states(self) -> str:
        """Directory of `state_of` every container."""
        return self.state + "/containers"

    @property
    def network_records(self) -> str:
        """Directory with what is kept of each defined network that was used: its subnets."""
        return self.state + "/networks"

    @property
    def namespaces(self) -> str:
        """Directory of the pinned namespaces, a file system of its own: a directory for each pin, a file a kind."""
        return self.runtime + "/namespaces"

    @property
    def mounts(self) -> str:
        """Directory of `mounts_of` every container whose root is mounted on the host."""
        return self.runtime + "/mounts"

    def mounts_of(self, name: str) -> str:
        """Where the root of a container is mounted, and what is known of that."""
        return f"{self.mounts}/{name}"

    @property
    def groups(self) -> str:
        """Directory with the definitions that groups run with."""
        return self.runtime + "/groups"

    def group_of(self, name: str) -> str:
        """The definition from which the unit file of group *name* was made."""
        return f"{self.state}/groups/{name}"

    def runtime_of(self, name: str) -> str:
        """What a started container needs while it runs; systemd removes it with the unit (RuntimeDirectory=)."""
        return f"{self.runtimes}/{name}"

    def unstarted_of(self, name: str) -> str:
        """A file that is there until the first command after ExecCondition= of a start has removed it."""
        return f"{self.runtime}/unstarted-{name}"

    def notify_of(self, name: str) -> str:
        """The socket by which a container tells its manager of itself: nsunit-sd-notify@.socket."""
        return f"{self.runtime}/notify/{name}"

    def network_of(self, name: str) -> str:
        """How a started container is attached to its network; systemd removes it with the unit."""
        return f"{self.networks}/{name}"

    def boot_network_of(self, name: str) -> str:
        """How an enabled container is attached to its network, at every start."""
        return self.boot_of(name) + "/network"

    def state_of(self, name: str) -> str:
        """What is kept of a container between starts: its id range and its upper layer."""
        return f"{self.states}/{name}"

    def boot_of(self, name: str) -> str:
        """What an enabled container is started from at boot: the plan, and the definition it was made from."""
        return self.state_of(name) + "/boot"

    def is_enabled(self, name: str) -> bool:
        """Whether the container has unit files of nsunit's making."""
        return os.path.lexists(self.boot_of(name))

    def kept_definition_of(self, name: str) -> str:
        """File with the definition of a container of `run --keep`, which has no other."""
        return self.state_of(name) + "/definition"

    def upper_of(self, name: str) -> str:
        """Directory with the `upper` and `work` directories of a container's overlay."""
        return self.state_of(name) + "/overlay"


def user_paths(environ: dict[str, str], uid: int) -> Paths:
    """Where the containers of a user without privileges are kept; *environ* is os.environ or a stand-in."""
    home = environ.get("HOME", "/")
    runtime = base_directory(environ, "XDG_RUNTIME_DIR", f"/run/user/{uid}")
    state = base_directory(environ, "XDG_STATE_HOME", f"{home}/.local/state")
    data = base_directory(environ, "XDG_DATA_HOME", f"{home}/.local/share")
    return Paths(f"{runtime}/nsunit", f"{state}/nsunit", f"{data}/nsunit")
