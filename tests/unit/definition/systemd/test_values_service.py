"""systemd.unit, .service, .exec and .kill: text → D-Bus, as bus-unit-util.c computes it."""

from __future__ import annotations

import pytest

from nsunit.definition.setting import lookup
from nsunit.definition.values import Properties
from nsunit.definition.words import ValueProblem
from nsunit.units import Property

INFINITY = 2**64 - 1

DOLLAR = "`printf '\\044'`"
VALUES = [
    ("Unit", "Description", "The shop's web server", "Description", "s", "The shop's web server"),
    (
        *("Unit", "Documentation", "https://example.org/a man:web(8)", "Documentation", "as"),
        ("https://example.org/a", "man:web(8)"),
    ),
    (
        *("Unit", "After", "network-online.target nsunit-db.service", "After", "as"),
        ("network-online.target", "nsunit-db.service"),
    ),
    ("Unit", "BindsTo", "nsunit-db@1.service", "BindsTo", "as", ("nsunit-db@1.service",)),
    ("Unit", "Wants", "nsunit-my\\x2dapp.service", "Wants", "as", ("nsunit-my\\x2dapp.service",)),
    ("Unit", "RequiresMountsFor", "/srv/a//b/ /c", "RequiresMountsFor", "as", ("/srv/a/b", "/c")),
    (
        *("Unit", "ConditionPathExists", "|!/srv/data", "Conditions", "a(sbbs)"),
        (("ConditionPathExists", True, True, "/srv/data"),),
    ),
    (
        *("Unit", "ConditionMemory", ">= 2147483648", "Conditions", "a(sbbs)"),
        (("ConditionMemory", False, False, ">= 2147483648"),),
    ),
    ("Unit", "AssertUser", "! root", "Asserts", "a(sbbs)", (("AssertUser", False, True, "root"),)),
    ("Unit", "StartLimitIntervalSec", "10", "StartLimitIntervalUSec", "t", 10_000_000),
    ("Unit", "StartLimitBurst", "5", "StartLimitBurst", "u", 5),
    ("Unit", "JobRunningTimeoutSec", "0", "JobRunningTimeoutUSec", "t", INFINITY),
    ("Unit", "FailureAction", "reboot-force", "FailureAction", "s", "reboot-force"),
    ("Unit", "FailureActionExitStatus", "7", "FailureActionExitStatus", "i", 7),
    ("Unit", "CollectMode", "inactive-or-failed", "CollectMode", "s", "inactive-or-failed"),
    ("Service", "Restart", "on-failure", "Restart", "s", "on-failure"),
    ("Service", "RestartSec", "1min 30s", "RestartUSec", "t", 90_000_000),
    ("Service", "RestartSec", "1.5", "RestartUSec", "t", 1_500_000),
    ("Service", "RestartMaxDelaySec", "infinity", "RestartMaxDelayUSec", "t", INFINITY),
    ("Service", "RestartSteps", "4", "RestartSteps", "u", 4),
    ("Service", "TimeoutStartSec", "0", "TimeoutStartUSec", "t", INFINITY),
    ("Service", "TimeoutStopSec", "10s", "TimeoutStopUSec", "t", 10_000_000),
    ("Service", "RuntimeMaxSec", "1d", "RuntimeMaxUSec", "t", 86_400_000_000),
    (
        *("Service", "SuccessExitStatus", "75 TEMPFAIL SIGKILL HUP", "SuccessExitStatus", "(aiai)"),
        ((75, 75), (9, 1)),
    ),
    ("Service", "RestartForceExitStatus", "SIGRTMIN+3", "RestartForceExitStatus", "(aiai)", ((), (37,))),
    (
        *("Service", "ExecStartPre", "-/usr/bin/logger 'a b' x", "ExecStartPre", "a(sasb)"),
        (("/usr/bin/logger", ("/usr/bin/logger", "a b", "x"), True),),
    ),
    (
        *("Service", "ExecReload", "/bin/kill -HUP $MAINPID", "ExecReload", "a(sasb)"),
        (("/bin/sh", ("/bin/sh", "-fc", "exec '/bin/kill' '-HUP' `printenv MAINPID`"), False),),
    ),
    (
        *("Service", "ExecStop", '/bin/a x${Y}z $$ a$b ${c-d} "it\'s" "" $ $(b', "ExecStop", "a(sasb)"),
        (
            (
                "/bin/sh",
                (
                    "/bin/sh",
                    "-fc",
                    "exec '/bin/a' 'x'\"`printenv Y`\"'z' " + DOLLAR + " 'a'" + DOLLAR + "'b' '' 'it'\\''s' ''",
                ),
                False,
            ),
        ),
    ),
    ("Service", "ExecReload", "+-/bin/true", "ExecReload", "a(sasb)", (("/bin/true", ("/bin/true",), True),)),
    (
        *("Service", "ExecStopPost", "@/bin/sh sh -c x ; /bin/true \\; ; ", "ExecStopPost", "a(sasb)"),
        (
            ("/bin/sh", ("sh", "-c", "x"), False),
            ("/bin/sh", ("/bin/sh", "-fc", "exec '/bin/true' `printf '\\073'`"), False),
        ),
    ),
    ("Service", "KillMode", "control-group", "KillMode", "s", "control-group"),
    ("Service", "FinalKillSignal", "SIGQUIT", "FinalKillSignal", "i", 3),
    ("Service", "WatchdogSignal", "6", "WatchdogSignal", "i", 6),
    ("Service", "RestartKillSignal", "RTMAX-1", "RestartKillSignal", "i", 63),
    ("Service", "SendSIGHUP", "no", "SendSIGHUP", "b", False),
    ("Service", "Nice", "-5", "Nice", "i", -5),
    ("Service", "OOMScoreAdjust", "500", "OOMScoreAdjust", "i", 500),
    ("Service", "CPUSchedulingPolicy", "idle", "CPUSchedulingPolicy", "i", 5),
    ("Service", "CPUSchedulingPolicy", "rr", "CPUSchedulingPolicy", "i", 2),
    ("Service", "CPUAffinity", "0-1", "CPUAffinity", "ay", b"\x03" + bytes(7)),
    ("Service", "CPUAffinity", "numa", "CPUAffinityFromNUMA", "b", True),
    ("Service", "NUMAPolicy", "bind", "NUMAPolicy", "i", 2),
    ("Service", "NUMAMask", "1", "NUMAMask", "ay", b"\x02" + bytes(7)),
    ("Service", "IOSchedulingClass", "best-effort", "IOSchedulingClass", "i", 2),
    ("Service", "IOSchedulingPriority", "7", "IOSchedulingPriority", "i", 7),
    ("Service", "TimerSlackNSec", "50us", "TimerSlackNSec", "t", 50_000),
    ("Service", "TimerSlackNSec", "100", "TimerSlackNSec", "t", 100),
    ("Service", "UMask", "0027", "UMask", "u", 0o27),
    ("Service", "CoredumpFilter", "default shared-dax", "CoredumpFilter", "t", 0x133),
    ("Service", "CoredumpFilter", "all", "CoredumpFilter", "t", 2**32 - 1),
    ("Service", "StandardOutput", "journal", "StandardOutput", "s", "journal"),
    ("Service", "StandardOutput", "append:/var/log/a", "StandardOutputFileToAppend", "s", "/var/log/a"),
    ("Service", "StandardError", "file:/var/log/a", "StandardErrorFile", "s", "/var/log/a"),
    ("Service", "StandardError", "truncate:/a", "StandardErrorFileToTruncate", "s", "/a"),
    ("Service", "SyslogFacility", "local3", "SyslogFacility", "i", 19),
    ("Service", "SyslogLevel", "notice", "SyslogLevel", "i", 5),
    ("Service", "LogLevelMax", "7", "LogLevelMax", "i", 7),
    ("Service", "LogExtraFields", '"A=b c" D=\\x41', "LogExtraFields", "aay", (b"A=b c", b"D=A")),
    ("Service", "LogFilterPatterns", "~^50% \\d+", "LogFilterPatterns", "a(bs)", ((False, "^50% \\d+"),)),
    ("Service", "LogRateLimitIntervalSec", "30s", "LogRateLimitIntervalUSec", "t", 30_000_000),
]

LIMITS = [
    ("LimitNOFILE", "1024:524288", 1024, 524288),
    ("LimitNOFILE", "infinity", INFINITY, INFINITY),
    ("LimitCORE", "0:infinity", 0, INFINITY),
    ("LimitMEMLOCK", "8M", 8 << 20, 8 << 20),
    ("LimitCPU", "90:2min", 90, 120),
    ("LimitCPU", "1500ms", 2, 2),
    ("LimitRTTIME", "100ms", 100_000, 100_000),
    ("LimitRTTIME", "250", 250, 250),
    ("LimitNICE", "+5", 15, 15),
    ("LimitNICE", "-20", 40, 40),
    ("LimitNICE", "0:40", 0, 40),
]

WRONG = [
    ("Unit", "After", "db", "'db' is not the name of a unit"),
    ("Unit", "After", "web@.service", "'web@.service' is not the name of a unit"),
    ("Unit", "After", "a/b.service", "'a/b.service' is not the name of a unit"),
    ("Unit", "Documentation", "example.org", "'example.org' is not a URL"),
    ("Unit", "RequiresMountsFor", "'/a b'", "'/a b' has blanks, quotes or backslashes"),
    ("Unit", "RequiresMountsFor", "srv", "'srv' is not an absolute path"),
    ("Unit", "ConditionPathExists", "srv", "'srv' is not an absolute path"),
    ("Unit", "ConditionHost", "|!", "'|!' checks nothing"),
    ("Unit", "FailureAction", "explode", "'explode' is not one of its values"),
    ("Unit", "StartLimitBurst", "4294967296", "'4294967296' is out of range"),
    ("Unit", "FailureActionExitStatus", "256", "'256' is not an exit status"),
    ("Service", "Restart", "on-success-maybe", "'on-success-maybe' is not one of its values"),
    ("Service", "RestartSec", "5 parsecs", "'5 parsecs' is not a time span"),
    ("Service", "RestartSec", "-1", "'-1' is not a time span"),
    ("Service", "RestartSec", "999999999999y", "'999999999999y' is too long a time"),
    ("Service", "SuccessExitStatus", "300", "'300' is not an exit status or signal"),
    ("Service", "SuccessExitStatus", "SIGFOO", "'SIGFOO' is not an exit status or signal"),
    ("Service", "ExecStartPre", "true", "'true' is not the absolute path of a program"),
    ("Service", "ExecStartPre", ":/bin/true", "':' is not a prefix that nsunit takes"),
    ("Service", "ExecStartPre", "!!/bin/true", "'!!' is not a prefix that nsunit takes"),
    ("Service", "ExecStartPre", "--/bin/true", "'--' is not a prefix that nsunit takes"),
    ("Service", "ExecStopPost", "@/bin/sh sh -c $X", "'@/bin/sh sh -c $X' has '@' and one of '$' and ';'"),
    ("Service", "ExecStartPre", "@/bin/true", "'@/bin/true' gives the program no name"),
    ("Service", "FinalKillSignal", "SIGRTMIN+31", "'SIGRTMIN+31' is not a signal"),
    ("Service", "FinalKillSignal", "0", "'0' is not a signal"),
    ("Service", "KillMode", "process", "'process' is not one of its values"),
    ("Service", "Nice", "20", "'20' is out of range"),
    ("Service", "Nice", "five", "'five' is not a number"),
    ("Service", "UMask", "9", "'9' is not an access mode"),
    ("Service", "UMask", "17777", "'17777' is not an access mode"),
    ("Service", "LimitNOFILE", "2:1", "'2:1' has a soft limit above the hard one"),
    ("Service", "LimitNOFILE", "1K", "'1K' is not a limit"),
    ("Service", "LimitNICE", "+20", "'+20' is not a nice level"),
    ("Service", "StandardOutput", "tty", "'tty' is not a place for output"),
    ("Service", "StandardOutput", "file:rel", "'rel' is not an absolute path"),
    ("Service", "SyslogLevel", "8", "'8' is not one of its values"),
    ("Service", "SyslogFacility", "12", "'12' is not one of its values"),
    ("Service", "LogExtraFields", "_A=1", "'_A=1' is not a journal field"),
    ("Service", "LogExtraFields", "a=1", "'a=1' is not a journal field"),
    ("Service", "LogFilterPatterns", "~", "'~' has no pattern"),
    ("Service", "LogNamespace", "a/b", "'a/b' is not the name of a journal namespace"),
    ("Service", "NUMAMask", "all", "'all' depends on the machine"),
    ("Service", "CoredumpFilter", "stack", "'stack' is not a part of a core dump"),
    ("Service", "SyslogIdentifier", "a\\", "'a\\' ends with a backslash"),
    ("Service", "SyslogIdentifier", "a\tb", "'a\\tb' contains a control character"),
    ("Install", "WantedBy", "multi-user", "'multi-user' is not the name of a unit"),
]


@pytest.mark.parametrize(("section", "key", "text", "name", "signature", "value"), VALUES)
def test_text_becomes_the_property_that_systemd_takes(
    section: str, key: str, text: str, name: str, signature: str, value: object
) -> None:
    setting = lookup(section, key)
    assert setting is not None
    parsed = setting.parse(text)
    if not isinstance(parsed, Properties):
        parsed = Properties((Property(setting.property, setting.signature, parsed),))
    assert parsed == (Property(name, signature, value),)
    assert type(parsed[0].value) is type(value)


@pytest.mark.parametrize(("key", "text", "soft", "hard"), LIMITS)
def test_a_resource_limit_becomes_two_properties(key: str, text: str, soft: int, hard: int) -> None:
    setting = lookup("Service", key)
    assert setting is not None
    assert setting.parse(text) == (Property(key, "t", hard), Property(f"{key}Soft", "t", soft))


def test_timeout_sec_sets_both_timeouts() -> None:
    setting = lookup("Service", "TimeoutSec")
    assert setting is not None
    span = 30_000_000
    assert setting.parse("30") == (Property("TimeoutStartUSec", "t", span), Property("TimeoutStopUSec", "t", span))


@pytest.mark.parametrize(("section", "key", "text", "message"), WRONG)
def test_a_wrong_value_is_quoted_with_what_is_wrong(section: str, key: str, text: str, message: str) -> None:
    setting = lookup(section, key)
    assert setting is not None
    with pytest.raises(ValueProblem) as caught:
        setting.parse(text)
    assert caught.value.message == message


def test_install_takes_templates_and_sets_no_property() -> None:
    setting = lookup("Install", "WantedBy")
    assert setting is not None
    assert setting.parse("multi-user.target foo@.service") == ("multi-user.target", "foo@.service")
    assert setting.property == ""
