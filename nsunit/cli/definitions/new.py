"""The verb `edit` with --force, which makes a new definition where there is none."""

from __future__ import annotations

from nsunit.cli.definitions.edit import edit
from nsunit.features.network.networks import check_network_name
from nsunit.names import GROUP_SUFFIX, NETWORK_SUFFIX, POD_SUFFIX, is_group, is_network, is_pod, split_instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

SKELETON = """\
# {path}: see nsunit.container(5)

[Container]
# The root directory, or layers with the topmost first:
#Rootfs=/srv/{name}
#Layer=/srv/layers/{name}
#Layer=/srv/layers/base
#Volatile=yes

# What to run as PID 1:
#Exec=/usr/bin/{name} --foreground
#User={name}
#Environment=LANG=C.UTF-8
#Bind=/srv/data:/data
#Network=none

[Slice]
# Limits, see systemd.resource-control(5):
#MemoryMax=512M
#CPUQuota=50%
#TasksMax=200

[Service]
#Restart=on-failure
"""

GROUP_SKELETON = """\
# {path}: a group of containers, see nsunit.container(5)
# Containers join with [Container] Slice={group}

[Slice]
# What all of them may use together, see systemd.resource-control(5):
#MemoryMax=2G
#CPUQuota=200%
#TasksMax=1000
"""

POD_SKELETON = """\
# {path}: see nsunit.pod(5), nsunit.container(5)
# Containers join with [Container] Pod={pod}

[Pod]
#Network=bridge
#PublishPort=8080:80

[Slice]
# What all of them may use together, see systemd.resource-control(5):
#MemoryMax=2G
"""

NETWORK_SKELETON = """\
# {path}: see nsunit.network(5)
# Containers join with [Container] Network={network}

[Network]
#Subnet=10.20.0.0/24
#Subnet=fd00:20::/64
#Internal=yes
#Domain={network}.internal
"""


def edit_or_make(invocation: Invocation) -> int:
    """The verb `edit` with --force."""
    return edit(invocation, _skeleton)


def _skeleton(name: str, path: str) -> str:
    if is_network(name):
        network = name.removesuffix(NETWORK_SUFFIX)
        check_network_name(network)
        return NETWORK_SKELETON.format(path=path, network=network)
    if is_pod(name):
        return POD_SKELETON.format(path=path, pod=name.removesuffix(POD_SUFFIX))
    if is_group(name):
        return GROUP_SKELETON.format(path=path, group=name.removesuffix(GROUP_SUFFIX))
    prefix, instance = split_instance(name)
    return SKELETON.format(path=path, name=instance or prefix)
