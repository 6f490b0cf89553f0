"""Keys of systemd that nsunit refuses: why, and after a `; ` what to use instead."""

from __future__ import annotations


def _each(reason: str, keys: str) -> dict[str, str]:
    return dict.fromkeys(keys.split(), reason)


_ROOT = "nsunit builds the root itself; use [Container] Rootfs= or Layer="
_DISK = "nsunit builds the root itself; have fstab(5) mount the disk image, and use [Container] Layer="
_BIND = "the helper's own mounts would fail or be hidden; use [Container] Bind=, BindReadOnly= or Tmpfs="
_SANDBOX = "it would act on the helper and stop it from building the container; leave it out, the container has its own"
_LABEL = "the helper could not build the container with it; leave it out, this release sets no label"
_TERMINAL = "the program has no terminal of the host; use nsunit exec -t or nsunit run"
_DIRECTORY = "it would be made on the host, out of the container's sight; "
_V1 = "only cgroup version 1 has it"
_TYPE = "nsunit tells systemd itself when and as which process the program runs"

_CONTROL = {
    "CPUShares": f"{_V1}; use CPUWeight=",
    "StartupCPUShares": f"{_V1}; use StartupCPUWeight=",
    "MemoryLimit": f"{_V1}; use MemoryMax=",
    "BlockIOAccounting": f"{_V1}; use IOAccounting=",
    "BlockIOWeight": f"{_V1}; use IOWeight=",
    "StartupBlockIOWeight": f"{_V1}; use StartupIOWeight=",
    "BlockIODeviceWeight": f"{_V1}; use IODeviceWeight=",
    "BlockIOReadBandwidth": f"{_V1}; use IOReadBandwidthMax=",
    "BlockIOWriteBandwidth": f"{_V1}; use IOWriteBandwidthMax=",
    "NetClass": "systemd no longer has it; use NFTSet=",
    "Slice": "nsunit gives each container a slice of its own; to put it in a group, use [Container] Slice=",
    "DelegateSubgroup": "nsunit names the program's group itself; leave it out",
}

_SLICE = {
    **_CONTROL,
    "Delegate": "a slice cannot be delegated; use [Service] Delegate=",
    "CoredumpReceive": "a slice cannot be delegated; use [Service] CoredumpReceive=",
    **{
        key: f"a slice has no program that could be told; use [Service] {key}="
        for kind in ("Memory", "CPU", "IO")
        for key in (f"{kind}PressureWatch", f"{kind}PressureThresholdSec")
    },
}

_SERVICE = {
    **_CONTROL,
    "Type": f"{_TYPE}; use [Container] Notify=yes if the program itself says that it is ready",
    "ExitType": "the container ends with its first process; leave it out",
    "ExecStart": "nsunit's helper is what systemd starts; use [Container] Exec=",
    "PIDFile": f"{_TYPE}; leave it out",
    "GuessMainPID": f"{_TYPE}; leave it out",
    "BusName": f"{_TYPE}; leave it out",
    "NotifyAccess": "the helper reports for the program; use [Container] Notify=yes for a program that does so itself",
    "RemainAfterExit": "a container without processes is not running; leave it out",
    "NonBlocking": "no descriptor is passed on; leave it out",
    "Sockets": "no descriptor is passed on; leave it out",
    "OpenFile": "no descriptor is passed on; use [Container] Bind=",
    "FileDescriptorStoreMax": "no descriptor is passed on; leave it out",
    "FileDescriptorStorePreserve": "no descriptor is passed on; leave it out",
    **_each("no descriptor is passed on; leave it out", "USBFunctionDescriptors USBFunctionStrings"),
    "RefreshOnReload": "the container has no extensions, and its credentials are those of its start; use ExecReload=",
    "LUOSession": "no descriptor is passed on; leave it out",
    "KillSignal": "the helper sees to it that it reaches the program; use [Container] StopSignal=",
    "PermissionsStartOnly": "systemd itself has given it up; leave it out",
    "RootDirectoryStartOnly": f"{_ROOT}",
    "TimeoutCleanSec": "systemd does not take it for transient units; leave it out",
    **_each("systemd no longer has it; leave it out", "SysVStartPriority BusPolicy"),
    "StartLimitInterval": "systemd has moved it; use [Unit] StartLimitIntervalSec=",
    "StartLimitIntervalSec": "it is a key of the unit; use [Unit] StartLimitIntervalSec=",
    "StartLimitBurst": "systemd has moved it; use [Unit] StartLimitBurst=",
    "StartLimitAction": "systemd has moved it; use [Unit] StartLimitAction=",
    "FailureAction": "systemd has moved it; use [Unit] FailureAction=",
    "RebootArgument": "systemd has moved it; use [Unit] RebootArgument=",
    # The root and what is mounted in it
    **_each(
        _ROOT,
        "RootDirectory RootEphemeral RootMStack ExtensionDirectories",
    ),
    **_each(
        _DISK,
        "RootImage RootImageOptions RootImagePolicy RootHash RootHashSignature RootVerity ExtensionImages"
        " ExtensionImagePolicy",
    ),
    **_each(
        "the helper's own mounts would hide it; have fstab(5) mount the disk image, and use [Container] Bind=",
        "MountImages MountImagePolicy",
    ),
    **_each(
        _BIND,
        "BindPaths BindReadOnlyPaths TemporaryFileSystem MountAPIVFS BindLogSockets MountFlags ReadWritePaths"
        " ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ReadWriteDirectories ReadOnlyDirectories"
        " InaccessibleDirectories",
    ),
    **_each(
        f"{_DIRECTORY}use [Container] Tmpfs=/run/NAME:mode=0755,uid=USER,gid=GROUP",
        "RuntimeDirectory RuntimeDirectoryMode",
    ),
    **_each(
        f"{_DIRECTORY}use [Container] Volume=, Bind= or Tmpfs=",
        "RuntimeDirectoryPreserve StateDirectory StateDirectoryMode"
        " CacheDirectory CacheDirectoryMode LogsDirectory LogsDirectoryMode ConfigurationDirectory"
        " ConfigurationDirectoryMode StateDirectoryQuota CacheDirectoryQuota LogsDirectoryQuota"
        " StateDirectoryAccounting CacheDirectoryAccounting LogsDirectoryAccounting",
    ),
    # Who the program is
    "Group": "the helper needs root to build the container; use [Container] Group=",
    "SupplementaryGroups": "these would be the host's groups; use [Container] SupplementaryGroups=",
    "DynamicUser": "the container has user ids of its own; use [Container] PrivateUsers=",
    "PrivateUsers": "the helper makes the user namespace; use [Container] PrivateUsers=",
    "UserNamespacePath": "the helper joins the user namespace; use [Container] UserNamespace=",
    "DelegateNamespaces": "the helper makes the namespaces, owned by the container's; leave it out",
    "PAMName": "a session of the host is no container; leave it out",
    "SetLoginEnvironment": "the program gets no variables of the host; use [Container] Environment=",
    "RemoveIPC": "the container's IPC objects go with it; leave it out",
    # What it gets
    "Environment": "these would be the helper's variables; use [Container] Environment=",
    "EnvironmentFile": "these would be the helper's variables; use [Container] EnvironmentFile=",
    "PassEnvironment": "the program gets no variables of the host; use [Container] Environment=",
    "UnsetEnvironment": "the program gets no variables of the host; leave it out",
    "ExecSearchPath": "the helper searches the container's PATH; use [Container] Environment=PATH=…",
    "WorkingDirectory": "it would be a directory of the host; use [Container] WorkingDirectory=",
    "StandardInput": "a service reads nothing; use nsunit run or nsunit exec",
    "StandardInputText": "a service reads nothing; use nsunit run or nsunit exec",
    "StandardInputData": "a service reads nothing; use nsunit run or nsunit exec",
    **_each(_TERMINAL, "TTYPath TTYReset TTYVHangup TTYVTDisallocate TTYRows TTYColumns UtmpIdentifier UtmpMode"),
    # What it may do
    "NoNewPrivileges": "the helper sets it last; use [Container] NoNewPrivileges=",
    "CapabilityBoundingSet": "the helper needs more than the program; use [Container] Capability=",
    "AmbientCapabilities": "the helper needs more than the program; use [Container] Capability=",
    "Capabilities": "systemd no longer has it; use [Container] Capability=",
    "SecureBits": "the helper needs root's powers; use [Container] Capability=",
    "PrivateNetwork": "the helper makes the network namespace; use [Container] Network=",
    "NetworkNamespacePath": "the helper makes the network namespace; use [Container] Network=",
    "ProtectHostname": "the helper sets the host name; use [Container] Hostname=",
    **_each(
        _SANDBOX,
        "PrivatePIDs PrivateIPC IPCNamespacePath PrivateMounts PrivateTmp PrivateDevices ProtectSystem ProtectHome"
        " ProtectProc ProcSubset ProtectClock ProtectKernelTunables ProtectKernelModules ProtectKernelLogs"
        " ProtectControlGroups SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog"
        " MemoryDenyWriteExecute RestrictNamespaces RestrictRealtime RestrictSUIDSGID RestrictAddressFamilies"
        " RestrictFileSystems LockPersonality Personality PrivateBPF BPFDelegateCommands BPFDelegateMaps"
        " BPFDelegatePrograms BPFDelegateAttachments",
    ),
    **_each(_LABEL, "AppArmorProfile SELinuxContext SmackProcessLabel"),
}

_UNIT = {
    "RefuseManualStart": "nsunit start would be refused too; leave it out",
    "RefuseManualStop": "nsunit stop would be refused too; leave it out",
    "AllowIsolate": "it is for targets; leave it out",
    "JoinsNamespaceOf": "the helper makes the namespaces; leave it out",
    "JobTimeoutSec": "systemd does not take it for transient units; use JobRunningTimeoutSec=",
    "BindTo": "systemd has renamed it; use BindsTo=",
    "PropagateReloadTo": "systemd has renamed it; use PropagatesReloadTo=",
    "PropagateReloadFrom": "systemd has renamed it; use ReloadPropagatedFrom=",
    "RequiresOverridable": "systemd no longer has it; use Requires=",
    "RequisiteOverridable": "systemd no longer has it; use Requisite=",
    "OnFailureIsolate": "systemd has renamed it; use OnFailureJobMode=isolate",
    "IgnoreOnSnapshot": "systemd no longer has it; leave it out",
    "StartLimitInterval": "systemd has renamed it; use StartLimitIntervalSec=",
}

_INSTALL = {"Also": "nsunit enables what it is told by name, and no other units; use [Unit] Wants="}

_TIMER = {"Unit": "it starts its container, and nothing else; leave it out"}

REFUSED: dict[str, dict[str, str]] = {
    "Slice": _SLICE,
    "Service": _SERVICE,
    "Unit": _UNIT,
    "Timer": _TIMER,
    "Install": _INSTALL,
}
