"""systemd.unit(5): [Unit] and [Install].  Rows as in `setting.Row`; D-Bus names from dbus-unit.c.

[Install] is kept as text: it says what `nsunit enable` links, not what the running unit is like.
"""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.definition.systemd.values_unit import (
    condition,
    documentation,
    emergency_action,
    exit_status,
    installed_names,
    job_mode,
    paths,
    unit_names,
)
from nsunit.definition.values import boolean, choice, plain_path, string, timeout, uint32, usec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row

_ACTION = "none|exit|reboot|poweroff|…"


def _names(key: str, since: int, text: str) -> Row:
    return (unit_names, True, key, "as", since, False, "UNIT…", text, "network-online.target")


def _condition(kind: str, since: int, syntax: str, text: str, example: str) -> tuple[tuple[str, Row], ...]:
    """Return the Condition and the Assert of one kind; asserts came with systemd 218."""
    return tuple(
        (
            prefix + kind,
            *(
                (
                    condition(prefix + kind),
                    True,
                    prefix + "s",
                    "a(sbbs)",
                    first,
                    False,
                    f"[|][!]{syntax}",
                    text,
                    example,
                ),
            ),
        )
        for prefix, first in (("Condition", since), ("Assert", max(since, 218)))
    )


UNIT: dict[str, Row] = {
    "Description": (
        *(string, False, "Description", "s", OLDEST, True),
        *("TEXT", "A short name for people.", "The shop's web server"),
    ),
    "Documentation": (
        *(documentation, True, "Documentation", "as", OLDEST, False),
        *("URL…", "Where to read more.", "https://example.org/web man:web(8)"),
    ),
    "SourcePath": (
        *(plain_path, False, "SourcePath", "s", OLDEST, False),
        *("PATH", "The file that the unit was made from.", "/etc/web.conf"),
    ),
    "Requires": _names("Requires", OLDEST, "Units started with this one; it stops when they are stopped."),
    "Requisite": _names("Requisite", OLDEST, "Units that must be running already."),
    "Wants": _names("Wants", OLDEST, "Units started with this one."),
    "BindsTo": _names("BindsTo", OLDEST, "Like Requires=, and it also stops when they end by themselves."),
    "PartOf": _names("PartOf", OLDEST, "Units whose stop and restart also stop and restart this one."),
    "Upholds": _names("Upholds", 249, "Units that are kept running as long as this one runs."),
    "Conflicts": _names("Conflicts", OLDEST, "Units that cannot run together with this one."),
    "Before": _names("Before", OLDEST, "Units that start after this one."),
    "After": _names("After", OLDEST, "Units that start before this one."),
    "OnFailure": _names("OnFailure", OLDEST, "Units started when this one fails."),
    "OnSuccess": _names("OnSuccess", 249, "Units started when this one ends well."),
    "PropagatesReloadTo": _names("PropagatesReloadTo", OLDEST, "Units reloaded with this one."),
    "ReloadPropagatedFrom": _names("ReloadPropagatedFrom", OLDEST, "Units whose reload also reloads this one."),
    "PropagatesStopTo": _names("PropagatesStopTo", 249, "Units stopped with this one."),
    "StopPropagatedFrom": _names("StopPropagatedFrom", 249, "Units whose stop also stops this one."),
    "RequiresMountsFor": (
        *(paths, True, "RequiresMountsFor", "as", OLDEST, False),
        *("PATH…", "Paths whose mounts are needed.", "/srv/data"),
    ),
    "WantsMountsFor": (
        *(paths, True, "WantsMountsFor", "as", 256, False),
        *("PATH…", "Paths whose mounts are welcome.", "/srv/data"),
    ),
    "OnSuccessJobMode": (
        *(job_mode, False, "OnSuccessJobMode", "s", 249, False),
        *("fail|replace|…", "How OnSuccess= units are queued.", "replace"),
    ),
    "OnFailureJobMode": (
        *(job_mode, False, "OnFailureJobMode", "s", 209, False),
        *("fail|replace|…", "How OnFailure= units are queued.", "replace"),
    ),
    "IgnoreOnIsolate": (
        *(boolean, False, "IgnoreOnIsolate", "b", OLDEST, False),
        *("yes|no", "Keep running when another unit is isolated.", "yes"),
    ),
    "StopWhenUnneeded": (
        *(boolean, False, "StopWhenUnneeded", "b", OLDEST, False),
        *("yes|no", "Stop when no running unit needs it.", "yes"),
    ),
    "DefaultDependencies": (
        *(boolean, False, "DefaultDependencies", "b", OLDEST, False),
        *("yes|no", "Start after the basic system, stop before shutdown.", "yes"),
    ),
    "SurviveFinalKillSignal": (
        *(boolean, False, "SurviveFinalKillSignal", "b", 255, False),
        *("yes|no", "Survive a soft reboot.", "no"),
    ),
    "CollectMode": (
        *(choice("inactive", "inactive-or-failed"), False, "CollectMode", "s", 236, False),
        *("inactive|inactive-or-failed", "When the ended unit is forgotten.", "inactive-or-failed"),
    ),
    "FailureAction": (
        *(emergency_action, False, "FailureAction", "s", 236, False),
        *(_ACTION, "What the machine does when the unit fails.", "none"),
    ),
    "SuccessAction": (
        *(emergency_action, False, "SuccessAction", "s", 236, False),
        *(_ACTION, "What the machine does when the unit ends well.", "none"),
    ),
    "FailureActionExitStatus": (
        *(exit_status, False, "FailureActionExitStatus", "i", 240, False),
        *("0-255", "Exit status of the manager for FailureAction=exit.", "1"),
    ),
    "SuccessActionExitStatus": (
        *(exit_status, False, "SuccessActionExitStatus", "i", 240, False),
        *("0-255", "Exit status of the manager for SuccessAction=exit.", "0"),
    ),
    "RebootArgument": (
        *(string, False, "RebootArgument", "s", 229, False),
        *("TEXT", "Argument of reboot(2) for actions that reboot.", "recovery"),
    ),
    "JobRunningTimeoutSec": (
        *(timeout, False, "JobRunningTimeoutUSec", "t", 201, False),
        *("TIME", "How long a job of this unit may run.", "2min"),
    ),
    "JobTimeoutAction": (
        *(emergency_action, False, "JobTimeoutAction", "s", 217, False),
        *(_ACTION, "What the machine does when a job takes too long.", "none"),
    ),
    "JobTimeoutRebootArgument": (
        *(string, False, "JobTimeoutRebootArgument", "s", 217, False),
        *("TEXT", "Argument of reboot(2) for JobTimeoutAction=.", "recovery"),
    ),
    "StartLimitIntervalSec": (
        *(usec, False, "StartLimitIntervalUSec", "t", 229, False),
        *("TIME", "Time in which starts are counted; 0 means no limit.", "10s"),
    ),
    "StartLimitBurst": (
        *(uint32, False, "StartLimitBurst", "u", 229, False),
        *("NUMBER", "Starts allowed in that time.", "5"),
    ),
    "StartLimitAction": (
        *(emergency_action, False, "StartLimitAction", "s", 229, False),
        *(_ACTION, "What the machine does beyond the limit.", "none"),
    ),
    **dict(
        (
            *_condition("Architecture", OLDEST, "NAME", "The machine's architecture.", "x86-64"),
            *_condition("Virtualization", OLDEST, "NAME|yes|no", "Whether the host is virtual.", "!container"),
            *_condition("Host", OLDEST, "NAME|ID", "The host's name or machine ID.", "db*"),
            *_condition("KernelCommandLine", OLDEST, "WORD[=VALUE]", "A word of the kernel's command line.", "quiet"),
            *_condition("KernelVersion", 237, "EXPRESSION", "The kernel's version.", ">= 6.1"),
            *_condition("Credential", 252, "NAME", "A credential given to the system.", "token"),
            *_condition("Environment", 246, "NAME[=VALUE]", "A variable of the manager.", "LANG"),
            *_condition("Security", OLDEST, "NAME", "A security technology.", "apparmor"),
            *_condition("Capability", OLDEST, "NAME", "A capability of the manager.", "CAP_SYS_ADMIN"),
            *_condition("ACPower", OLDEST, "yes|no", "Whether the machine is on mains.", "true"),
            *_condition("NeedsUpdate", OLDEST, "/etc|/var", "Whether a directory is older than /usr.", "!/etc"),
            *_condition("FirstBoot", OLDEST, "yes|no", "Whether /etc was empty at boot.", "no"),
            *_condition("PathExists", OLDEST, "PATH", "Whether a file exists.", "/srv/data"),
            *_condition("PathExistsGlob", OLDEST, "PATTERN", "Whether a file matches.", "/srv/*.img"),
            *_condition("PathIsDirectory", OLDEST, "PATH", "Whether a path is a directory.", "/srv"),
            *_condition("PathIsSymbolicLink", OLDEST, "PATH", "Whether a path is a link.", "/etc/mtab"),
            *_condition("PathIsMountPoint", OLDEST, "PATH", "Whether a path is mounted on.", "|/srv/data"),
            *_condition("PathIsReadWrite", OLDEST, "PATH", "Whether a file system is writable.", "/var"),
            *_condition("PathIsEncrypted", 246, "PATH", "Whether a file system is encrypted.", "/srv"),
            *_condition("DirectoryNotEmpty", OLDEST, "PATH", "Whether a directory has entries.", "|!/srv/in"),
            *_condition("FileNotEmpty", OLDEST, "PATH", "Whether a file has content.", "/etc/web.conf"),
            *_condition("FileIsExecutable", OLDEST, "PATH", "Whether a file can be run.", "/usr/bin/true"),
            *_condition("PathIsSocket", 260, "PATH", "Whether a path is a socket.", "/run/web.sock"),
            *_condition("KernelModuleLoaded", 258, "NAME", "A module of the kernel that is loaded.", "tun"),
            *_condition(
                "Version", 258, "[NAME] EXPRESSION", "The version of systemd, glibc or the kernel.", "systemd >= 258"
            ),
            *_condition("Fraction", 261, "[TAG] PERCENT", "A share of all machines, chosen by their ids.", "50%"),
            *_condition("MachineTag", 261, "TAG", "A tag of this machine.", "web"),
            *_condition("User", OLDEST, "NAME|NUMBER", "The manager's user.", "root"),
            *_condition("Group", OLDEST, "NAME|NUMBER", "A group of the manager.", "root"),
            *_condition("ControlGroupController", 240, "NAME", "A controller that is there.", "memory"),
            *_condition("Memory", 244, "SIZE", "The machine's memory.", ">= 2147483648"),
            *_condition("CPUs", 244, "NUMBER", "The machine's CPUs.", ">= 2"),
            *_condition("CPUFeature", 248, "NAME", "A feature of the CPU.", "aes"),
            *_condition("OSRelease", 249, "KEY=VALUE", "A line of the host's os-release.", "ID=debian"),
            *_condition("MemoryPressure", 250, "PERCENT", "Memory pressure at most.", "20%"),
            *_condition("CPUPressure", 250, "PERCENT", "CPU pressure at most.", "20%"),
            *_condition("IOPressure", 250, "PERCENT", "Disk pressure at most.", "20%/5min"),
        )
    ),
    "ConditionFirmware": (
        *(condition("ConditionFirmware"), True, "Conditions", "a(sbbs)", 249, False),
        *("[|][!]NAME", "The machine's firmware.", "uefi"),
    ),
}


def _install(text: str, since: int = OLDEST) -> Row:
    return (installed_names, True, "", "", since, False, "UNIT…", text, "multi-user.target")


INSTALL: dict[str, Row] = {
    "WantedBy": _install("Units that start the container when it is enabled."),
    "RequiredBy": _install("Units that need the container when it is enabled."),
    "UpheldBy": _install("Units that keep the container running when it is enabled.", 254),
    "Alias": _install("Further names of the unit when it is enabled."),
    "DefaultInstance": (
        *(string, False, "", "", 215, False),
        *("NAME", "Instance to enable when a template is enabled.", "1"),
    ),
}
