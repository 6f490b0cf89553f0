"""Keys of other tools' files that people type into a definition: whose they are, and after a `; ` what to use instead.

Here are only those that nsunit calls otherwise, or that mean nothing here.  Keys without a section are those of
[Container].
"""

from __future__ import annotations

_QUADLET = "it is a key of Quadlet"
_NSPAWN = "it is a key of systemd-nspawn"
_LXC = "it is a key of LXC"
_COMPOSE = "it is a key of compose files"

_LABEL = "nsunit sets no label"


def _all(whose: str, instead: dict[str, str]) -> dict[str, str]:
    return {key: f"{whose}; {what}" for words, what in instead.items() for key in words.split()}


QUADLET = _all(
    _QUADLET,
    {
        "AddCapability": "use Capability=+NAME",
        "DropCapability": "use Capability=-NAME",
        "AddDevice": "use Device=",
        "Annotation Label": "start its name with X-, and it is left to you",
        "CgroupsMode": "leave it out, limits belong in [Slice]",
        "ContainerName": "the file's name is the container's, NAME.nsunit",
        "ContainersConfModule": "leave it out, all that counts is in the definition",
        "EnvironmentHost HttpProxy": "use Environment=, nothing of the host's environment comes in",
        "ExposeHostPort": "use ExposedPort=",
        "GlobalArgs PodmanArgs": "use the keys that the arguments stand for, see nsunit.container(5)",
        "GroupAdd": "use SupplementaryGroups=",
        "HostName": "use Hostname=",
        "IP IP6": "use Address=",
        "LogDriver LogOpt": "use Output=; the journal keeps it, see [Service] LogRateLimitBurst= and the like",
        "Mask Unmask": "use BindReadOnly= or Tmpfs= to hide a path",
        "Memory": "use [Slice] MemoryMax=",
        "Mount": "use Bind=, BindReadOnly= or Tmpfs=",
        "PidsLimit": "use [Slice] TasksMax=",
        "ReadOnlyTmpfs VolatileTmp": "use Tmpfs=/tmp",
        "ReloadCmd": "use [Service] ExecReload=",
        "Retry RetryDelay": "use [Service] Restart= and RestartSec=",
        "RunInit": "use Init=",
        "SeccompProfile": "leave it out, a filter is always there; Capability= opens more calls",
        "SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel": f"leave it out, {_LABEL}",
        "SecurityLabelNested SecurityLabelType AppArmor": f"leave it out, {_LABEL}",
        "StartWithPod": "leave it out, 'nsunit start POD.pod' starts all of a pod",
        "StopTimeout": "use [Service] TimeoutStopSec=",
        "SubUIDMap SubGIDMap UserNS": "use PrivateUsers=",
        "Timezone": "use BindReadOnly=/usr/share/zoneinfo/AREA/CITY:/etc/localtime",
        "Ulimit": "use [Service] LimitNOFILE= and the like",
        "WorkingDir": "use WorkingDirectory=",
    },
)

NSPAWN = _all(
    _NSPAWN,
    {
        "Ephemeral": "use Volatile=yes",
        "ProcessTwo": "use Init=yes",
        "Parameters": "use Exec=",
        "NotifyReady": "use Notify=yes",
        "MachineID": "leave it out, with Boot=yes it is made from the host's and the container's name",
        "PivotRoot": "use the directory itself as Rootfs=",
        "AmbientCapability": "use Capability=+NAME",
        "ResolvConf": "use DNS=; /etc/resolv.conf is made anyway",
        "LinkJournal": "leave it out, 'journalctl -M NAME' reads the journal of a system inside",
        "SuppressSync": "leave it out",
        "PrivateUsersOwnership PrivateUsersChown": "use Ownership=",
        "PrivateUsersDelegate": "use PrivateUsers=START:COUNT",
        "BindUser": "use Bind= for the directory, and User= for the number",
        "Overlay OverlayReadOnly": "use Layer= for the root, or Bind= for a directory",
        "Inaccessible": "use BindReadOnly= or Tmpfs= on it",
        "Private": "use Network=none",
        "VirtualEthernet": "use Network=bridge",
        "VirtualEthernetExtra": "use Network=veth:NAME",
        "Interface": "use Network=phys:DEVICE",
        "MACVLAN": "use Network=macvlan:DEVICE",
        "IPVLAN": "use Network=ipvlan:DEVICE",
        "Bridge Zone": "use Network=bridge, or Network=NAME with NAME.network.nsunit",
        "Port": "use PublishPort=",
    },
)

COMPOSE = _all(
    _COMPOSE,
    {
        "build": "build an image by 'nsunit build', and use Image=",
        "cap_add": "use Capability=+NAME",
        "cap_drop": "use Capability=-NAME",
        "command": "use Exec=",
        "container_name": "the file's name is the container's, NAME.nsunit",
        "cpus": "use [Slice] CPUQuota=, 100% for each",
        "cpuset": "use [Slice] AllowedCPUs=",
        "depends_on": "use Link= or [Unit] Requires= and After=",
        "env_file": "use EnvironmentFile=",
        "environment": "use Environment=",
        "expose": "use ExposedPort=",
        "extra_hosts": "use AddHost=",
        "labels": "start its name with X-, and it is left to you",
        "links": "use Link=",
        "logging": "use Output=",
        "mem_limit": "use [Slice] MemoryMax=",
        "network_mode networks": "use Network=",
        "pids_limit": "use [Slice] TasksMax=",
        "ports": "use PublishPort=",
        "privileged": "use Capability= and Device= for what it needs",
        "restart": "use [Service] Restart=",
        "security_opt": "use NoNewPrivileges= or Capability=",
        "stdin_open tty": "use 'nsunit run -ti' or 'nsunit exec -ti'",
        "stop_grace_period": "use [Service] TimeoutStopSec=",
        "userns_mode": "use PrivateUsers=",
        "ulimits": "use [Service] LimitNOFILE= and the like",
        "working_dir": "use WorkingDirectory=",
    },
)

# A `*` stands for a number or a word; what follows lxc.cgroup. and lxc.cgroup2. is the kernel's.
LXC = _all(
    _LXC,
    {
        "lxc.apparmor.profile lxc.selinux.context": f"leave it out, {_LABEL}",
        "lxc.autodev lxc.mount.auto lxc.pty.max": "leave it out, /dev, /proc and /sys are always made",
        "lxc.cap.drop": "use Capability=-NAME",
        "lxc.cap.keep": "use Capability=-ALL +NAME",
        "lxc.environment": "use Environment=",
        "lxc.execute.cmd lxc.init.cmd": "use Exec=, or Boot=yes for a whole system",
        "lxc.hook.*": "use [Service] ExecStartPre=, ExecStartPost= or ExecStopPost=",
        "lxc.idmap": "use UIDMap= and GIDMap=, or PrivateUsers=",
        "lxc.init.cwd": "use WorkingDirectory=",
        "lxc.init.gid": "use Group=",
        "lxc.init.uid": "use User=",
        "lxc.include": "put it into NAME.nsunit.d/*.conf, or make NAME@.nsunit a template",
        "lxc.mount.entry lxc.mount.fstab": "use Bind=, BindReadOnly= or Tmpfs=",
        "lxc.namespace.share.*": "use IPCNamespace=, PIDNamespace=, UTSNamespace= or Network=container:NAME",
        "lxc.net.*.flags": "leave it out, links are up",
        "lxc.net.*.hwaddr": "use MACAddress=",
        "lxc.net.*.ipv4.address lxc.net.*.ipv6.address": "use Address=",
        "lxc.net.*.ipv4.gateway lxc.net.*.ipv6.gateway": "use Gateway=",
        "lxc.net.*.link": "use Network=bridge, or Network=macvlan:DEVICE and its like",
        "lxc.net.*.mtu": "use MTU=",
        "lxc.net.*.name": "leave it out, interfaces are eth0, eth1 and so on",
        "lxc.net.*.type": "use Network=",
        "lxc.no_new_privs": "use NoNewPrivileges=",
        "lxc.prlimit.*": "use [Service] LimitNOFILE= and the like",
        "lxc.proc.oom_score_adj": "use [Service] OOMScoreAdjust=",
        "lxc.rootfs.path": "use Rootfs= or Layer=",
        "lxc.seccomp.profile": "leave it out, a filter is always there; Capability= opens more calls",
        "lxc.signal.halt lxc.signal.stop": "use StopSignal=",
        "lxc.start.auto": "use 'nsunit enable NAME'",
        "lxc.start.delay lxc.start.order": "use [Unit] After=",
        "lxc.sysctl.*": "use Sysctl=",
        "lxc.uts.name": "use Hostname=",
    },
)

# What people call a limit who remember its kind and not its key.
LIMITS = _all(
    "limits have the names of systemd.resource-control(5)",
    {
        "cpu cpu.limit limits.cpu": "use [Slice] CPUQuota=, 100% for a whole CPU, or CPUWeight=",
        "io blkio": "use [Slice] IOWeight=, or IOReadBandwidthMax= and its like",
        "mem memory limits.memory max-memory": "use [Slice] MemoryMax=",
        "pids tasks processes limits.processes": "use [Slice] TasksMax=",
        "swap": "use [Slice] MemorySwapMax=",
    },
)

# Of [Network], which Quadlet's .network files have, too.
NETWORK = {
    **_all(
        "it is a key of systemd-networkd",
        {
            "Address": "use Subnet=, of which the bridge has the first address",
            "Bridge Bond MACVLAN IPVLAN Tunnel VRF": "use VLAN=, or Network=macvlan:DEV in a container's definition",
            "DHCP DHCPServer IPv6AcceptRA IPv6SendRA LinkLocalAddressing": "leave it out, nsunit gives each container "
            "its addresses",
            "Domains": "use Domain=",
            "IPForward IPv4Forwarding IPv6Forwarding IPMasquerade": "leave it out, there is a way out but for "
            "Internal=yes",
        },
    ),
    **_all(
        "it is a key of Quadlet",
        {
            "ContainersConfModule GlobalArgs PodmanArgs": "use the keys that the arguments stand for",
            "DisableDNS": "use DNS=yes where there is to be a server of names, there is none without",
            "Driver": "leave it out, a network is a bridge; Network=macvlan:DEV in a container's definition needs none",
            "InterfaceName NetworkName ServiceName": "the file's name is the network's, NAME.network.nsunit",
            "IPAMDriver": "leave it out, nsunit chooses addresses, or Address= of a container does",
            "IPRange": "use Range=",
            "IPv6": "leave it out, a network without Subnet= has both",
            "Label": "start its name with X-, and it is left to you",
            "NetworkDeleteOnStop": "leave it out, 'nsunit network prune' removes what nobody uses",
            "Options": "use MTU=, VLAN= and Isolate=",
        },
    ),
}

_KERNEL = ("lxc.cgroup2.", "lxc.cgroup.")


def refusal(name: str) -> str | None:
    """Why *name* is no key, and after a `; ` what to use; None if no other tool has it."""
    if name.startswith("lxc."):
        return LXC.get(name) or next((text for key, text in LXC.items() if _fits(name, key)), None)
    for table in (QUADLET, NSPAWN, COMPOSE, LIMITS):
        if name in table:
            return table[name]
    return None


def kernels_name(name: str) -> str:
    """What the kernel calls what LXC calls *name*."""
    return next((name.removeprefix(prefix) for prefix in _KERNEL if name.startswith(prefix)), name)


def _fits(name: str, key: str) -> bool:
    before, star, after = key.partition("*")
    return bool(star) and name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
