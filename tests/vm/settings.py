"""A value of its own for every key that is systemd's: what a definition says, and what systemd is to say of the unit.

`KEY: VALUE`, or `KEY: (VALUE, SHOWN)` where `systemctl show` spells the property otherwise; all words of SHOWN are in
what it prints, where other words may be as well. With a colon, `NAME: WORDS`, SHOWN is about another property; as a
list it is what is on the bus. A value is never the default. Paths are on a disk of every machine.
"""

from __future__ import annotations

Value = str | tuple[str, str | list[object]]

FILTERS = ("/sys/fs/bpf/in", "/sys/fs/bpf/out", "/sys/fs/bpf/more")

CONTROL: dict[str, Value] = {
    "CPUAccounting": "no",
    "CPUWeight": "77",
    "StartupCPUWeight": "88",
    "CPUQuota": ("37%", "370ms"),
    "CPUQuotaPeriodSec": "50ms",
    "AllowedCPUs": "0",
    "StartupAllowedCPUs": ("1", "StartupAllowedCPUs: 0200000000000000"),
    "CPUSetPartition": "isolated",
    "AllowedMemoryNodes": "0",
    "StartupAllowedMemoryNodes": ("0", "0100000000000000"),
    "MemoryAccounting": "no",
    "MemoryMin": ("1M", "1048576"),
    "MemoryLow": ("2M", "2097152"),
    "StartupMemoryLow": ("3M", "3145728"),
    "DefaultMemoryMin": ("4M", "4194304"),
    "DefaultMemoryLow": ("5M", "5242880"),
    "DefaultStartupMemoryLow": ("6M", "6291456"),
    "MemoryHigh": ("600M", "629145600"),
    "StartupMemoryHigh": ("700M", "734003200"),
    "MemoryMax": ("800M", "838860800"),
    "StartupMemoryMax": ("900M", "943718400"),
    "MemorySwapMax": ("90M", "94371840"),
    "StartupMemorySwapMax": ("91M", "95420416"),
    "MemoryZSwapMax": ("92M", "96468992"),
    "StartupMemoryZSwapMax": ("93M", "97517568"),
    "MemoryZSwapWriteback": "no",
    "TasksAccounting": "no",
    "TasksMax": "333",
    "IOAccounting": "no",
    "IOWeight": "222",
    "StartupIOWeight": "223",
    "IODeviceWeight": "/srv 224",
    "IOReadBandwidthMax": ("/srv 51M", "/srv 51000000"),
    "IOWriteBandwidthMax": ("/srv 52M", "/srv 52000000"),
    "IOReadIOPSMax": "/srv 5001",
    "IOWriteIOPSMax": "/srv 5002",
    "IODeviceLatencyTargetSec": "/srv 35ms",
    "IPAccounting": "yes",
    "IPAddressAllow": "10.7.0.0/16",
    "IPAddressDeny": "192.0.2.0/24",
    "SocketBindAllow": ("ipv4:tcp:8000-8080", "ipv4:tcp8000-8080"),
    "SocketBindDeny": ("ipv6:udp:53", "ipv6:udp53"),
    "RestrictNetworkInterfaces": "lo",
    "BindNetworkInterface": "lo",
    "NFTSet": ("cgroup:inet:filter:web", [[3, 1, "filter", "web"]]),
    "IPIngressFilterPath": FILTERS[0],
    "IPEgressFilterPath": FILTERS[1],
    "BPFProgram": f"egress:{FILTERS[2]}",
    "DeviceAllow": "/dev/full r",
    "DevicePolicy": "closed",
    "ManagedOOMSwap": "kill",
    "ManagedOOMMemoryPressure": "kill",
    "ManagedOOMMemoryPressureLimit": ("61%", "2619930050"),
    "ManagedOOMMemoryPressureDurationSec": "21s",
    "ManagedOOMPreference": "avoid",
    "OOMRules": "own",
    "DisableControllers": "io",
}

SLICE: dict[str, Value] = {
    **CONTROL,
    "ConcurrencySoftMax": "71",
    "ConcurrencyHardMax": "72",
    "ActivatingConcurrencyMax": "73",
}

SERVICE: dict[str, Value] = {
    **CONTROL,
    "DevicePolicy": "auto",
    "MemoryPressureWatch": "skip",
    "MemoryPressureThresholdSec": "170ms",
    "CPUPressureWatch": "yes",
    "CPUPressureThresholdSec": "171ms",
    "IOPressureWatch": "no",
    "IOPressureThresholdSec": "172ms",
    "Restart": "on-abort",
    "RestartSec": "7s",
    "RestartSteps": "4",
    "RestartMaxDelaySec": "9min",
    "RestartRandomizedDelaySec": "17s",
    "RestartMode": "direct",
    "TimeoutStartSec": ("91s", "1min 31s"),
    "TimeoutStopSec": "11s",
    "TimeoutSec": ("33s", "TimeoutStopUSec: 33s"),
    "TimeoutAbortSec": "13s",
    "TimeoutStartFailureMode": "abort",
    "TimeoutStopFailureMode": "kill",
    "RuntimeMaxSec": "1d",
    "RuntimeRandomizedExtraSec": "1h",
    "WatchdogSec": ("1h", "1h"),
    "SuccessExitStatus": ("75 SIGUSR1", "75 USR1"),
    "RestartPreventExitStatus": ("1 SIGABRT", "1 ABRT"),
    "RestartForceExitStatus": "133",
    "OOMPolicy": "stop",
    "ExecCondition": ("/bin/true a", "argv[]=/bin/true a"),
    "ExecStartPre": ("/bin/true b", "argv[]=/bin/true b"),
    "ExecStartPost": ("/bin/true c", "argv[]=/bin/true c"),
    "ExecReload": ("/bin/true d", "argv[]=/bin/true d"),
    "ExecReloadPost": ("/bin/true g", "argv[]=/bin/true g"),
    "ReloadSignal": ("SIGUSR2", "12"),
    "ExecStop": ("/bin/true e", "argv[]=/bin/true e"),
    "ExecStopPost": ("-/bin/true f", "argv[]=/bin/true f ignore_errors=yes"),
    "KillMode": "control-group",
    "RestartKillSignal": ("SIGINT", "2"),
    "FinalKillSignal": ("SIGABRT", "6"),
    "WatchdogSignal": ("SIGUSR2", "12"),
    "SendSIGHUP": "yes",
    "SendSIGKILL": "no",
    "Delegate": ("cpu pids", "DelegateControllers: cpu pids"),
    "CoredumpReceive": "yes",
    "Nice": "7",
    "OOMScoreAdjust": "123",
    "CPUSchedulingPolicy": ("rr", "2"),
    "CPUSchedulingPriority": "11",
    "CPUSchedulingResetOnFork": "yes",
    "CPUAffinity": "0",
    "NUMAPolicy": "bind",
    "NUMAMask": "0",
    "IOSchedulingClass": ("idle", "3"),
    "IOSchedulingPriority": "6",
    "TimerSlackNSec": ("60us", "60000"),
    "UMask": "0027",
    "KeyringMode": "shared",
    "IgnoreSIGPIPE": "yes",
    "CoredumpFilter": ("default shared-dax", "0x133"),
    "MemoryKSM": "yes",
    "MemoryTHP": "madvise",
    # systemd passes over what it has to decrypt, as the first one has given it already.
    "LoadCredential": ("own:/etc/hostname", [["own", "/etc/hostname"]]),
    "LoadCredentialEncrypted": ("own-sealed", [["own-sealed", "own-sealed"]]),
    "SetCredential": ("own-text:a\\x20b", [["own-text", [97, 32, 98]]]),
    "SetCredentialEncrypted": ("own:AQID", [["own", [1, 2, 3]]]),
    "ImportCredential": ("own.*", ["own.*"]),
    "LimitCPU": ("1h:2h", "7200"),
    "LimitFSIZE": ("1G", "1073741824"),
    "LimitDATA": ("8G", "8589934592"),
    "LimitSTACK": ("9M:17M", "17825792"),
    "LimitCORE": ("0:1G", "1073741824"),
    "LimitRSS": ("1G", "1073741824"),
    "LimitNOFILE": ("1025:4096", "4096"),
    "LimitAS": ("64G", "68719476736"),
    "LimitNPROC": "4097",
    "LimitMEMLOCK": ("9M", "9437184"),
    "LimitLOCKS": "64",
    "LimitSIGPENDING": "1026",
    "LimitMSGQUEUE": ("801K", "820224"),
    "LimitNICE": ("+5", "15"),
    "LimitRTPRIO": "12",
    "LimitRTTIME": ("100s", "100000000"),
    "StandardOutput": ("append:/run/own.log", "append"),
    "StandardError": "null",
    "SyslogIdentifier": "own",
    "SyslogFacility": ("local3", "19"),
    "SyslogLevel": ("notice", "5"),
    "SyslogLevelPrefix": "no",
    "LogLevelMax": ("warning", "4"),
    "LogExtraFields": "TENANT=own",
    "LogRateLimitIntervalSec": "31s",
    "LogRateLimitBurst": "1001",
    "LogFilterPatterns": "~^own",
    "LogNamespace": "own",
}

UNIT: dict[str, Value] = {
    "Description": "One of its own",
    "Documentation": ("https://example.org/own man:own(8)", '"man:own(8)"'),
    "SourcePath": "/etc/own.conf",
    "Requires": "local-fs.target",
    "Requisite": "local-fs.target",
    "Wants": "basic.target",
    "BindsTo": "paths.target",
    "PartOf": "slices.target",
    "Upholds": "sockets.target",
    "Conflicts": "own-foe.service",
    "Before": "own-later.service",
    "After": "own-earlier.service",
    "OnFailure": "own-failed.service",
    "OnSuccess": "own-done.service",
    "PropagatesReloadTo": "own-a.service",
    "ReloadPropagatedFrom": "own-b.service",
    "PropagatesStopTo": "own-c.service",
    "StopPropagatedFrom": "own-d.service",
    "RequiresMountsFor": "/srv/own",
    "WantsMountsFor": "/srv/other",
    "OnSuccessJobMode": "isolate",
    "OnFailureJobMode": "fail",
    "IgnoreOnIsolate": "yes",
    "StopWhenUnneeded": "yes",
    "DefaultDependencies": "no",
    "SurviveFinalKillSignal": "yes",
    "CollectMode": "inactive-or-failed",
    "FailureAction": "poweroff",
    "SuccessAction": "poweroff",
    "FailureActionExitStatus": "11",
    "SuccessActionExitStatus": "12",
    "RebootArgument": "own",
    "JobRunningTimeoutSec": "9min",
    "JobTimeoutAction": "poweroff",
    "JobTimeoutRebootArgument": "own",
    "StartLimitIntervalSec": ("99s", "1min 39s"),
    "StartLimitBurst": "77",
    "StartLimitAction": "poweroff",
}

# Of conditions and asserts, by what comes after these words in the key; each holds on every machine.
TESTED = {
    "Architecture": "!arm",
    "Virtualization": "!wsl",
    "Host": "!elsewhere",
    "KernelCommandLine": "!no-such-word",
    "KernelVersion": ">= 5",
    "Credential": "!no-such",
    "Environment": "!NO_SUCH",
    "Security": "!no-such",
    "Capability": "CAP_SYS_ADMIN",
    "ACPower": "|true",
    "NeedsUpdate": "|/etc",
    "FirstBoot": "|no",
    "PathExists": "/srv",
    "PathExistsGlob": "/sr*",
    "PathIsDirectory": "/srv",
    "PathIsSymbolicLink": "!/srv",
    "PathIsMountPoint": "/proc",
    "PathIsReadWrite": "/srv",
    "PathIsEncrypted": "!/srv",
    "DirectoryNotEmpty": "/srv",
    "FileNotEmpty": "/etc/passwd",
    "FileIsExecutable": "/bin/sh",
    "PathIsSocket": "/run/systemd/private",
    "KernelModuleLoaded": "!no-such",
    "Version": "systemd >= 258",
    "Fraction": "100%",
    "MachineTag": "!no-such",
    "User": "root",
    "Group": "root",
    "ControlGroupController": "v2",
    "Memory": ">= 1048576",
    "CPUs": ">= 1",
    "CPUFeature": "!no-such",
    "OSRelease": "ID=debian",
    "MemoryPressure": "100%",
    "CPUPressure": "100%",
    "IOPressure": "100%/5min",
    "Firmware": "!device-tree",
}

VALUES = {"Slice": SLICE, "Service": SERVICE, "Unit": UNIT}

# What not every kernel has, as `kernel` is to name it.
KERNEL = {
    ("Service", "MemoryKSM"): "same page merging",
    ("Service", "MemoryTHP"): "transparent huge pages",
}
# What cannot be together with the others, or takes another program.
APART = {
    *KERNEL,
    *(("Service", key) for key in ("TimeoutSec", "WatchdogSec", "ReloadSignal")),
    ("Unit", "StopWhenUnneeded"),
}
# systemd ignores these where it was built without.
NEED_BPF_FRAMEWORK = {"SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces"}
# systemd 262 has these no more.  (Nor CPUAccounting=, which is always on: that one is not refused.)
GONE = {"DefaultMemoryMin", "DefaultMemoryLow", "DefaultStartupMemoryLow"}
# What systemd calls a condition from a version on.
RENAMED = {"KernelVersion": (258, "Version")}


def value_of(section: str, key: str) -> str:
    """What a definition says."""
    for prefix in ("Condition", "Assert"):
        if section == "Unit" and key.startswith(prefix):
            return TESTED[key.removeprefix(prefix)]
    value = VALUES[section][key]
    return value if isinstance(value, str) else value[0]


def shown_of(section: str, key: str, property: str) -> tuple[str, str | list[object]]:
    """The property, and what systemd says it is."""
    value = VALUES[section][key]
    shown = value if isinstance(value, str) else value[1]
    if isinstance(shown, str) and ": " in shown:
        property, _, shown = shown.partition(": ")
    return property, shown
