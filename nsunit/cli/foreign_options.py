"""Options of other tools, which nsunit calls otherwise: what to type instead.  Loaded for an error only."""

from __future__ import annotations

_TIMES = "systemd-run --on-calendar=daily nsunit run …; or for good [Timer] OnCalendar=daily in a definition"
_RUN = {
    "on-active on-boot on-startup on-unit-active on-unit-inactive on-calendar timer-property": _TIMES,
    "memory m": "-p MemoryMax=1G",
    "memory-reservation": "-p MemoryLow=1G, or MemoryHigh=",
    "memory-swap": "-p MemorySwapMax=1G, which does not count memory",
    "cpus": "-p CPUQuota=150% for one and a half",
    "cpu-shares c": "-p CPUWeight=100, which is the usual 1024 shares",
    "cpuset-cpus": "-p AllowedCPUs=0-1",
    "cpuset-mems": "-p AllowedMemoryNodes=0",
    "blkio-weight": "-p IOWeight=100",
    "device-read-bps": "-p 'IOReadBandwidthMax=/dev/sda 10M'",
    "device-write-bps": "-p 'IOWriteBandwidthMax=/dev/sda 10M'",
    "pids-limit": "-p TasksMax=100",
    "ulimit": "-p LimitNOFILE=1024 and the like",
    "oom-score-adj": "-p OOMScoreAdjust=100",
    "restart": "a definition with Restart= in [Service]; with --detach also -p Service.Restart=always",
    "stop-timeout": "-p TimeoutStopSec=10",
    "mount": "-p Bind=SOURCE:TARGET, -p BindReadOnly= or -p Tmpfs=TARGET:size=1G",
    "env-file": "-p EnvironmentFile=FILE",
    "entrypoint": "-p Entrypoint=COMMAND",
    "image": "-p Image=NAME",
    "rootfs": "-p Rootfs=DIRECTORY",
    "directory D": "-p Rootfs=DIRECTORY",
    "boot b": "-p Boot=yes",
    "bind": "-p Bind=SOURCE:TARGET",
    "bind-ro": "-p BindReadOnly=SOURCE:TARGET",
    "ephemeral x": "leave it out, what it writes is gone when it ends",
    "network-veth n": "-p Network=bridge",
    "machine M": "--name=NAME",
    "private-users U": "leave it out, it has ids of its own",
    "userns": "-p PrivateUsers=yes, identity or START:COUNT",
    "pid": "-p PIDNamespace=host or container:NAME",
    "ipc": "-p IPCNamespace=host or container:NAME",
    "uts": "-p UTSNamespace=host or container:NAME",
    "cgroupns": "-p CgroupNamespace=host",
    "cgroup-parent": "-p Slice=GROUP",
    "shm-size": "-p ShmSize=64M",
    "ip ip6": "-p Address=ADDRESS",
    "mac-address": "-p MACAddress=ADDRESS",
    "privileged": "-p Capability= and -p Device= for what it needs; -p 'Capability=ALL' are all capabilities",
    "security-opt": "-p NoNewPrivileges=yes is so anyway; -p Capability= opens system calls",
    "gpus": "-p Device=/dev/dri/renderD128, for each of its nodes",
    "log-driver log-opt": "-p Output=; the journal has what it writes",
    "label l": "leave it out, a container has a name and nothing else",
    "timezone tz": "-v /usr/share/zoneinfo/AREA/CITY:/etc/localtime:ro",
    "platform arch os variant": "choose it when the image comes in",
    "annotation label-file": "leave it out, a container has a name and nothing else",
    "attach a": "leave it out, its output is here; with --detach 'nsunit logs -f NAME' follows it",
    "blkio-weight-device": "-p 'IODeviceWeight=/dev/sda 200'",
    "device-read-iops": "-p 'IOReadIOPSMax=/dev/sda 1000'",
    "device-write-iops": "-p 'IOWriteIOPSMax=/dev/sda 1000'",
    "device-cgroup-rule": "-p 'DeviceAllow=char-pts rw'",
    "cpu-period cpu-quota": "-p CPUQuota=50% for half of one",
    "cpu-rt-period cpu-rt-runtime kernel-memory memory-swappiness": "nothing: cgroup version 2 has no such limit",
    "oom-kill-disable": "-p OOMPolicy=continue with --detach, which spares the others",
    "health-cmd": "-p Health=COMMAND",
    "health-interval": "-p HealthInterval=30s",
    "health-timeout": "-p HealthTimeout=10s",
    "health-retries": "-p HealthRetries=3",
    "health-start-period": "-p HealthStartPeriod=1min",
    "health-start-interval": "-p HealthStartInterval=1s",
    "health-on-failure": "-p HealthOnFailure=restart",
    "no-healthcheck": "-p Health=no",
    "dns-option": "-p DNSOption=ndots:1",
    "domainname": "-p Domainname=NAME",
    "uidmap gidmap subuidname subgidname": "-p PrivateUsers=START:COUNT; or UIDMap= and GIDMap=",
    "image-volume": "-p ImageVolumes=ignore",
    "volumes-from": "-p Volume=NAME:TARGET, as in the other definition",
    "volume-driver storage-opt": "-p Volume=NAME:TARGET:size=1G",
    "publish-all P": "-p PublishPort=8080:80, for each port",
    "pull": "-p Pull=newer",
    "read-only-tmpfs": "-p Tmpfs=/tmp",
    "replace": "'nsunit rm --force NAME' first",
    "requires": "Requires=nsunit-NAME.service in [Unit] of a definition",
    "rmi": "'nsunit image rm IMAGE' afterwards",
    "runtime": "leave it out; engines call nsunit's by nsunit-oci(8)",
    "sdnotify": "-p Notify=yes",
    "secret": "-p Secret=NAME, with --detach",
    "systemd": "-p Boot=yes",
    "timeout": "-p RuntimeMaxSec=60",
    "umask": "-p UMask=0027 with --detach",
    "env-host env-merge": "-e NAME, which takes the value from here, for each",
    "unsetenv unsetenv-all": "-e NAME=, for what an image says",
}
RUN = {name: text for names, text in _RUN.items() for name in names.split()}

_CREATE = {
    "name": "it is the first word: nsunit create NAME --image=REF",
    "detach d rm interactive i tty t": "leave it out; 'nsunit start NAME' starts it, 'nsunit enable NAME' at boot",
}
_CREATE_KEYS = {
    "publish p": "PublishPort=8080:80",
    "volume v": "Volume=NAME:TARGET, or Bind=SOURCE:TARGET",
    "env e": "Environment=NAME=VALUE",
    "network net": "Network=bridge, or the name of a network",
    "hostname": "Hostname=NAME",
    "user u": "User=NAME",
    "workdir w": "WorkingDirectory=DIRECTORY",
    "cap-add": "Capability=+NAME",
    "cap-drop": "Capability=-NAME",
    "device": "Device=/dev/fuse",
    "tmpfs": "Tmpfs=TARGET",
    "read-only": "ReadOnly=yes",
    "init": "Init=yes",
    "restart": "Restart=always; 'nsunit enable NAME' starts it at boot",
    "expose": "ExposedPort=80",
    "group-add": "SupplementaryGroups=NAME",
    "add-host": "AddHost=NAME:ADDRESS",
    "dns": "DNS=ADDRESS",
    "dns-search": "DNSSearch=DOMAIN",
    "link": "Link=NAME",
    "network-alias": "NetworkAlias=NAME",
    "pod": "Pod=NAME",
    "stop-signal": "StopSignal=SIGINT",
    "sysctl": "Sysctl=NAME=VALUE",
    "secret": "Secret=NAME",
}
_SIGNALS = "-s HUP, or --signal=9"
_STOP = {
    "time t timeout": "TimeoutStopSec=5 in [Service] for good, and 'nsunit stop --now NAME' kills at once",
    "signal s": "StopSignal=SIGINT in the definition, and 'nsunit kill --signal=SIGINT NAME' for once",
    "running": "--all",
    "ignore i": "leave it out, one that does not run is no error",
}
_KEYS = "'nsunit set NAME MemoryMax=1G CPUQuota=50%', by the keys of systemd.resource-control(5)"
_LIMITS = "'nsunit set NAME MemoryMax=1G' changes limits, with --persist for good"
_LIMITED = (
    "memory m memory-swap memory-reservation cpus cpu-shares c cpu-period cpu-quota pids-limit blkio-weight"
    " blkio-weight-device cpuset-cpus cpuset-mems device-read-bps device-write-bps device-read-iops device-write-iops"
)
_ALL = "a pattern of names: '*'"
_JQ = "--json, and a program such as jq"
_LIST = "'nsunit list' lists containers, 'nsunit ps NAME' shows the processes of one"
_BUILDAH = "'buildah build' has it; 'nsunit image import containers-storage:NAME' brings in what it has made"
# Options that mean the same with all verbs that have none of their own of that name.
_ANYWHERE = {
    "format": _JQ,
    "filter": f"patterns of names, 'web*'; or {_JQ}",
    "latest": "a name; 'nsunit list' has them",
    "no-trunc": "leave it out, nothing is cut but at the width of a terminal",
    "noheading": "--no-headings",
    "sort": "sort(1), with --no-headings",
    "cidfile pidfile conmon-pidfile pod-id-file": "its name is enough; 'nsunit show -p pid NAME' has its process",
    "tls-verify cert-dir": "what registries.conf(5) and containers-certs.d(5) say, as skopeo reads them",
    "authfile creds": "'skopeo login', by the same user",
    "detach-keys sig-proxy": "leave it out, a session ends with its command",
    "machine M": "'machinectl shell USER@ /usr/bin/nsunit --user …' asks for a user, 'nsunit exec NAME …' goes inside",
    "system": "leave it out, without --user it is the system",
    "no-pager": "leave it out, there is none",
    "no-legend": "--no-headings",
    "verbose v log-level": "--debug",
    "connection url context remote": "-H [USER@]HOST",
    "no-block": "leave it out, and have the shell go on: nsunit … &",
}
_BOOT = {
    "runtime": "'nsunit start NAME' starts it until the next boot",
    "global": "leave it out, each user does it with --user",
    "no-reload": "leave it out, systemd reads its files at once",
}
OPTIONS = {
    "logs": {
        "tail": "-n 10, or --lines=10",
        "timestamps t": "-o short-iso writes times another way",
        "names details color": "leave it out, each line has the name",
        "unit u": "leave it out, the container's name is enough",
        "boot b priority p dmesg k catalog x all a utc cursor after-cursor no-tail fields output-fields case-sensitive"
        " facility identifier": "journalctl(1) has it, for the unit nsunit-NAME.service",
    },
    "stats": {
        "no-stream": "leave it out, they are shown once; --watch goes on",
        "format": "--json",
        "all a": "leave it out",
        "interval i": "--watch=5",
    },
    "start": {
        "checkpoint checkpoint-dir": "leave it out, the memory of processes is not kept",
        "attach interactive i": "'nsunit logs -f NAME' follows what it writes, 'nsunit exec -ti NAME sh' runs a shell",
    },
    "exec": {
        "detach d": "'systemd-run nsunit exec NAME COMMAND' runs it in the background",
        "env-file": "--setenv=NAME=VALUE, for each",
        "privileged": "Capability= in the definition; 'nsunit enter NAME COMMAND' runs a command of the host",
        "preserve-fd preserve-fds": "leave it out, a session has the three standard streams",
    },
    "set": {_LIMITED: _KEYS},
    "clone": {
        "name": "it is the second word: 'nsunit clone NAME NEW'",
        "run": "'nsunit start NEW' then",
        "destroy": "'nsunit rename NAME NEW'",
        _LIMITED: "'nsunit dropin NEW MemoryMax=1G' then",
    },
    "commit": {
        "pause p": "leave it out, what runs is paused meanwhile unless --no-pause says otherwise",
        "format f": "'nsunit image export IMAGE docker-archive:FILE', or oci-archive:",
        "squash s": "'nsunit image export IMAGE tar:FILE' has all layers in one",
        "include-volumes": "'nsunit export NAME FILE' takes volumes along",
    },
    "export": {"output o": "it is the second word: 'nsunit export NAME FILE'"},
    "volume export": {"output o": "it is the second word: 'nsunit volume export VOLUME FILE'"},
    "volume create": {"driver d opt o": "--size=SIZE; a file system of the host's is brought in by Bind="},
    "image export": {
        "output o format": "the last word: docker-archive:FILE, oci-archive:FILE and the like",
        "compress uncompressed": "--compression",
        "multi-image-archive m": "one file for each image",
    },
    "image import": {
        "input i": "it is the first word: 'nsunit image import FILE'",
        "change c message m": "'nsunit commit NAME IMAGE' has --change and --message",
    },
    "image pull": {
        "all-tags a": "'skopeo list-tags docker://NAME' lists them, for what is wanted of them",
        "arch os variant": "--platform=linux/arm64",
    },
    "image push": {
        "all-tags a": "one after the other",
        "compress compression-format compression-level": "--compression",
        "digestfile encryption-key format f remove-signatures sign-by sign-by-sigstore": "'nsunit image export IMAGE"
        " oci:DIR', and skopeo copy, which has it",
    },
    "image rm": {
        "force f": "'nsunit rm NAME' first, of each container that has the image",
        "no-prune": "leave it out, layers that other images have stay",
        "all a": "'nsunit image prune --all', which leaves what containers have",
    },
    "image inspect": {"format f": _JQ},
    "volume inspect": {"format f": _JQ},
    "version": {"format f": _JQ},
    "kill": {
        "0 1 2 3 6 9 A C I K P Q S T U W": _SIGNALS,
        "all a": _ALL,
        "kill-who": "--kill-whom=main",
        "kill-value": "systemctl kill has it, for the unit nsunit-NAME.service",
        "wait": "'nsunit wait NAME' then",
    },
    "pause": {"all a": _ALL},
    "port": {"all a": "leave it out, without a name all are shown"},
    "mount": {"all a": "leave it out, without a name all that are mounted are shown"},
    "wait": {"interval i ignore": "leave it out, systemd tells when it has ended"},
    "build": {
        "memory m memory-swap cpu-shares c cpu-period cpu-quota cpuset-cpus cpuset-mems": "--limit MemoryMax=1G, for"
        " all of the build",
        "layers rm force-rm": "leave it out, steps are kept for the next build, and nothing else",
        "iidfile": "--json, which has the id",
        "add-host annotation authfile build-context cache-from cache-to cap-add cap-drop creds device dns env format"
        " from ignorefile isolation jobs label manifest network no-hosts output o security-opt shm-size squash"
        " squash-all ssh timestamp tls-verify ulimit unsetenv userns volume v": _BUILDAH,
    },
    "network": {
        "subnet": "'nsunit network create NAME Subnet=10.5.0.0/24'",
        "gateway": "'nsunit network create NAME Subnet=… Gateway=ADDRESS'",
        "internal": "'nsunit network create NAME Internal=yes'",
        "ipv6": "leave it out, networks have both",
        "driver d": "leave it out, a network is a bridge; Network=macvlan:DEVICE in a definition needs none",
    },
    "up": {
        "build": "'nsunit build -t IMAGE DIR' first",
        "force-recreate always-recreate-deps": "'nsunit down', then 'nsunit up'",
        "no-recreate": "'nsunit start PROJECT-SERVICE' starts what is defined, as it was",
        "no-deps": "'nsunit start PROJECT-SERVICE', of what an 'up' has defined",
        "no-start": "'nsunit import compose FILE' writes definitions, and starts nothing",
        "wait wait-timeout": "leave it out, it returns when all run, and what others wait for is healthy",
        "pull": "pull_policy: in the file, or 'nsunit image pull NAME' first",
        "env-file": "put it into .env beside the file, or its variables into the environment",
        "project-name p": "--project=NAME",
        "project-directory": "leave it out, paths are those beside the first file",
        "timeout t": "stop_grace_period: in the file",
        "attach no-attach abort-on-container-exit menu watch w no-log-prefix timestamps": "'nsunit logs -f PROJECT-*'",
    },
    "down": {
        "rmi": "'nsunit image rm IMAGE', or 'nsunit image prune'",
        "timeout t": "stop_grace_period: in the file",
        "project-name p": "--project=NAME",
        "env-file": "put it into .env beside the file, or its variables into the environment",
    },
    "import": {
        "detach d publish volume v rm interactive tty i t it e env network": "a command line stands behind two dashes:"
        " nsunit import run -- docker run …",
    },
    "image list": {
        "all a": "leave it out, all are shown",
        "format": "--json",
        "digests": "'nsunit image inspect IMAGE' has it",
        "history tree": "'nsunit image log IMAGE' has the layers",
        "filter f": _JQ,
        "noheading n": "--no-headings",
    },
    "cp": {
        "overwrite": "leave it out, files are replaced",
        "recursive r R": "leave it out, directories are copied whole",
    },
    "ps": {
        "e f x u": "leave it out, all processes of the container are shown",
        "all a": "'nsunit list --all' lists containers, 'nsunit ps NAME' shows the processes of one",
        "filter format last n latest l no-trunc ns pod p size s sort watch w": _LIST,
    },
    "status": {
        "all a": "a pattern of names: \"nsunit status '*'\"",
        "output o": "'nsunit logs NAME' has --output",
        "with-dependencies": "systemctl list-dependencies nsunit-NAME",
    },
    "enable": {"force f": "leave it out, its files are written anew", **_BOOT},
    "disable": _BOOT,
    "edit": {
        "full l": "leave it out, it is the definition that is edited",
        "runtime": "'nsunit set NAME KEY=VALUE' changes what runs, until it stops",
    },
    "doctor": {"fix": "--repair"},
    "prune": {
        "all a": "'nsunit image prune --all' and 'nsunit volume prune --all'",
        "volumes": "'nsunit volume prune --all'",
    },
    "stop": _STOP,
    "restart": _STOP,
    "update": {
        _LIMITED: _LIMITS,
        "all a": "--auto, which updates what has AutoUpdate=",
        "restart": "Restart= in [Service], by 'nsunit edit NAME'",
        "health-cmd health-interval health-retries health-timeout health-start-period no-healthcheck": "Health= and"
        " its like, by 'nsunit edit NAME'",
    },
    "show": {
        "format f": _JQ,
        "value": "a program such as jq, for what 'nsunit show -p KEY NAME' prints",
        "all a": "leave it out, all is shown",
        "size s": "du(1), on the directory that root.upper names",
        "type t": "the verb says it: 'nsunit image inspect', 'nsunit volume inspect', 'nsunit network inspect'",
    },
    "list": {
        "filter f": "patterns of names, 'web*'",
        "format output o": "--json",
        "no-trunc": "leave it out, names are whole",
        "last n": "leave it out, all are shown",
        "latest l": "leave it out, all are shown; SINCE says since when",
        "size s": "du(1), on the directory that 'nsunit status NAME' names",
        "pod p": "--tree shows them in their pods",
        "ns": "'nsunit ns list'",
        "watch w": "'nsunit events', or 'nsunit stats --watch'",
        "plain full": "leave it out, names are whole, and nothing is drawn without --tree",
        "type": "'nsunit image list', 'nsunit volume list' and 'nsunit network list' have the others",
        "failed state": "leave it out, what has failed is shown with what runs; --json has active_state",
        "running r": "leave it out, what is stopped is shown with --all only",
    },
    "rm": {
        "volumes v": "leave it out, volumes without a name go along; 'nsunit volume rm NAME' removes others",
        "all a": "patterns of names, \"nsunit rm '*'\"",
        "depend": "the names of all, or a group's: shop.slice",
        "ignore i": "leave it out, and '|| true' behind it",
        "time t": "'nsunit stop --now NAME' first, which kills at once",
    },
    "events": {
        "format": "--json",
        "filter f": "names of containers as operands",
        "since until": "'nsunit logs --since=TIME NAME', what has been is in the journal",
    },
}


def option(of: str, name: str) -> str | None:
    """What to type instead of the option *name*, without dashes, of the verb *of*."""
    if of == "run":
        return RUN.get(name) or _of(_ANYWHERE, name)
    if of == "create" and (key := _of(_CREATE_KEYS, name) or _as_key(RUN.get(name, ""))):
        return f"its keys: nsunit create NAME --image=REF {key}"
    if of == "create":
        return _of(_CREATE, name) or RUN.get(name) or _of(_ANYWHERE, name)
    return _of(OPTIONS.get(of, {}), name) or _of(_ANYWHERE, name)


def _of(table: dict[str, str], name: str) -> str | None:
    return next((text for names, text in table.items() if name in names.split()), None)


def _as_key(text: str) -> str:
    """What 'run' is told by -p, as a key; empty if it is told something else."""
    return text.replace("-p ", "") if text.startswith("-p ") else ""
