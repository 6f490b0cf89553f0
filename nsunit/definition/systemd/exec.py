"""systemd.exec(5): what may stand in [Service] because it stays with the process when it becomes the payload.

Rows as in `setting.Row`; D-Bus names and value syntax from dbus-execute.c and bus-unit-util.c.
"""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.definition.systemd.values_credentials import encrypted, imported, literal, loaded
from nsunit.definition.systemd.values_service import (
    IO_CLASSES,
    LOG_FACILITIES,
    NUMA_POLICIES,
    SCHEDULERS,
    affinity,
    core_filter,
    extra_fields,
    filter_pattern,
    log_level,
    log_namespace,
    numa_mask,
    output,
    resource_limit,
)
from nsunit.definition.values import boolean, choice, index, nsec, number, octal_mode, string, uint32, usec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row


def _limit(name: str, text: str, example: str, syntax: str = "NUMBER|infinity[:…]") -> tuple[str, Row]:
    key = f"Limit{name}"
    return key, (resource_limit(name), False, key, "t", OLDEST, False, syntax, text, example)


_BYTES = "SIZE|infinity[:…]"
_OUTPUT = "journal|null|inherit|file:PATH|append:PATH|…"

EXEC: dict[str, Row] = {
    # Scheduling
    "Nice": (number(-20, 19), False, "Nice", "i", OLDEST, False, "-20-19", "Nice level.", "5"),
    "OOMScoreAdjust": (
        *(number(-1000, 1000), False, "OOMScoreAdjust", "i", OLDEST, False),
        *("-1000-1000", "How readily the kernel kills when memory runs out.", "500"),
    ),
    "CPUSchedulingPolicy": (
        *(index(SCHEDULERS), False, "CPUSchedulingPolicy", "i", OLDEST, False),
        *("other|batch|idle|fifo|rr|ext", "CPU scheduler.", "batch"),
    ),
    "CPUSchedulingPriority": (
        *(number(0, 99), False, "CPUSchedulingPriority", "i", OLDEST, False),
        *("1-99", "Priority for fifo and rr.", "10"),
    ),
    "CPUSchedulingResetOnFork": (
        *(boolean, False, "CPUSchedulingResetOnFork", "b", OLDEST, False),
        *("yes|no", "Children get the usual scheduler.", "yes"),
    ),
    "CPUAffinity": (
        *(affinity, True, "CPUAffinity", "ay", OLDEST, False),
        *("NUMBER[-NUMBER],…|numa", "CPUs to run on; programs can change it, unlike AllowedCPUs=.", "0-1"),
    ),
    "NUMAPolicy": (
        *(index(NUMA_POLICIES), False, "NUMAPolicy", "i", 243, False),
        *("default|preferred|bind|interleave|local|…", "Where memory comes from.", "bind"),
    ),
    "NUMAMask": (
        *(numa_mask, True, "NUMAMask", "ay", 243, False),
        *("NUMBER[-NUMBER],…", "NUMA nodes for NUMAPolicy=.", "0"),
    ),
    "IOSchedulingClass": (
        *(index(IO_CLASSES), False, "IOSchedulingClass", "i", OLDEST, False),
        *("none|realtime|best-effort|idle", "Disk scheduling class.", "idle"),
    ),
    "IOSchedulingPriority": (
        *(number(0, 7), False, "IOSchedulingPriority", "i", OLDEST, False),
        *("0-7", "Priority in that class, 0 first.", "6"),
    ),
    "TimerSlackNSec": (
        *(nsec, False, "TimerSlackNSec", "t", OLDEST, False),
        *("TIME", "How late timers may be.", "50us"),
    ),
    # Process
    "UMask": (octal_mode, False, "UMask", "u", OLDEST, False, "MODE", "Access rights new files do not get.", "0027"),
    "KeyringMode": (
        *(choice("inherit", "private", "shared"), False, "KeyringMode", "s", 235, False),
        *("private|shared|inherit", "Kernel keyring.", "private"),
    ),
    "IgnoreSIGPIPE": (
        *(boolean, False, "IgnoreSIGPIPE", "b", OLDEST, False),
        *("yes|no", "Writes to a closed pipe fail without a signal.", "no"),
    ),
    "CoredumpFilter": (
        *(core_filter, True, "CoredumpFilter", "t", 246, False),
        *("PART…|default|all|MASK", "Parts of memory that go into crash dumps.", "default shared-dax"),
    ),
    "MemoryKSM": (
        *(boolean, False, "MemoryKSM", "b", 254, False),
        *("yes|no", "Merge equal pages of memory.", "yes"),
    ),
    "MemoryTHP": (
        *(choice("inherit", "disable", "madvise", "system"), False, "MemoryTHP", "s", 260, False),
        *("inherit|disable|madvise|system", "Huge pages of memory without being asked for.", "madvise"),
    ),
    # Credentials, which the helper takes along: features/credentials
    "LoadCredential": (
        *(loaded, True, "LoadCredential", "a(ss)", 247, False, "ID[:PATH]"),
        "A secret for the program, from PATH or systemd's store: see CREDENTIALS.",
        "token:/etc/web/token",
    ),
    "LoadCredentialEncrypted": (
        *(loaded, True, "LoadCredentialEncrypted", "a(ss)", 250, False, "ID[:PATH]"),
        *("One that systemd-creds(1) has encrypted.", "token:/etc/web/token.cred"),
    ),
    "SetCredential": (
        *(literal, True, "SetCredential", "a(say)", 247, False, "ID:VALUE"),
        *("One that is no secret, as everybody can read VALUE over D-Bus.", "greeting:hello"),
    ),
    "SetCredentialEncrypted": (
        *(encrypted, True, "SetCredentialEncrypted", "a(say)", 250, False, "ID:BASE64"),
        *("One that 'systemd-creds encrypt -p' has printed.", "token:V2hhdCBpcyBpdD8="),
    ),
    "ImportCredential": (
        *(imported, True, "ImportCredential", "as", 254, False, "GLOB[:NAME]"),
        *("Those of systemd's stores with such names, under others (257) if NAME says so.", "web.*"),
    ),
    **dict(
        (
            _limit("CPU", "CPU time.", "1h:2h", "TIME|infinity[:…]"),
            _limit("FSIZE", "Size of a file.", "1G", _BYTES),
            _limit("DATA", "Size of the data segment.", "1G", _BYTES),
            _limit("STACK", "Size of the stack.", "8M:16M", _BYTES),
            _limit("CORE", "Size of a crash dump.", "0:infinity", _BYTES),
            _limit("RSS", "Nothing; Linux ignores it.", "1G", _BYTES),
            _limit("NOFILE", "Open files.", "1024:524288"),
            _limit("AS", "Address space.", "infinity", _BYTES),
            _limit("NPROC", "Processes of the user; TasksMax= is the better limit.", "4096"),
            _limit("MEMLOCK", "Locked memory.", "8M", _BYTES),
            _limit("LOCKS", "Nothing; Linux ignores it.", "64"),
            _limit("SIGPENDING", "Queued signals.", "1024"),
            _limit("MSGQUEUE", "Bytes in message queues.", "800K", _BYTES),
            _limit("NICE", "Nice level that may be taken.", "+5", "-20-+19|0-40[:…]"),
            _limit("RTPRIO", "Real-time priority that may be taken.", "10"),
            _limit("RTTIME", "Real-time CPU time without a wait.", "100ms", "TIME|infinity[:…]"),
        )
    ),
    # Output and journal
    "StandardOutput": (
        *(output("StandardOutput"), False, "StandardOutput", "s", OLDEST, False),
        *(_OUTPUT, "Where output goes; files are the host's.", "append:/var/log/web.log"),
    ),
    "StandardError": (
        *(output("StandardError"), False, "StandardError", "s", OLDEST, False),
        *(_OUTPUT, "Where error output goes; files are the host's.", "inherit"),
    ),
    "SyslogIdentifier": (
        *(string, False, "SyslogIdentifier", "s", OLDEST, False),
        *("TEXT", "Name in the journal.", "web"),
    ),
    "SyslogFacility": (
        *(index(LOG_FACILITIES), False, "SyslogFacility", "i", OLDEST, False),
        *("daemon|user|local0|…", "Facility in the journal.", "local3"),
    ),
    "SyslogLevel": (
        *(log_level, False, "SyslogLevel", "i", OLDEST, False),
        *("debug|info|notice|…", "Level of output in the journal.", "notice"),
    ),
    "SyslogLevelPrefix": (
        *(boolean, False, "SyslogLevelPrefix", "b", OLDEST, False),
        *("yes|no", "Lines may begin with <N> for their level.", "no"),
    ),
    "LogLevelMax": (
        *(log_level, False, "LogLevelMax", "i", 236, False),
        *("debug|info|notice|…", "Lowest level that is stored.", "info"),
    ),
    "LogExtraFields": (
        *(extra_fields, True, "LogExtraFields", "aay", 236, False),
        *("NAME=VALUE…", "Fields added to each entry.", "TENANT=shop"),
    ),
    "LogRateLimitIntervalSec": (
        *(usec, False, "LogRateLimitIntervalUSec", "t", 240, False),
        *("TIME", "Time in which entries are counted.", "30s"),
    ),
    "LogRateLimitBurst": (
        *(uint32, False, "LogRateLimitBurst", "u", 240, False),
        *("NUMBER", "Entries stored in that time.", "1000"),
    ),
    "LogFilterPatterns": (
        *(filter_pattern, True, "LogFilterPatterns", "a(bs)", 253, False),
        *("[~]REGEX", "Entries to store, or with ~ to drop.", "~^healthcheck"),
    ),
    "LogNamespace": (
        *(log_namespace, False, "LogNamespace", "s", 245, False),
        *("NAME", "A journal of its own.", "web"),
    ),
}
