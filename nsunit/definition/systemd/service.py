"""systemd.service(5) and systemd.kill(5): what may stand in [Service].  Rows as in `setting.Row`.

D-Bus names and value syntax from dbus-service.c, dbus-kill.c and bus-unit-util.c.
"""

from __future__ import annotations

from nsunit.definition.setting import OLDEST
from nsunit.definition.signals import signal_number
from nsunit.definition.systemd.values_service import exit_statuses, hooks, timeouts
from nsunit.definition.values import boolean, choice, timeout, uint32, usec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row

_FAILURE_MODE = ("terminate", "abort", "kill")


def _hook(key: str, since: int, text: str) -> Row:
    return (hooks, True, key, "a(sasb)", since, False, "[-][@]PATH ARGUMENT…", text, "-/usr/bin/logger web")


SERVICE: dict[str, Row] = {
    "Restart": (
        *(choice(*"no always on-success on-failure on-abnormal on-abort on-watchdog".split()), False, "Restart", "s"),
        *(OLDEST, False, "no|always|on-failure|…", "When the container is started again.", "on-failure"),
    ),
    "RestartSec": (
        *(usec, False, "RestartUSec", "t", OLDEST, False),
        *("TIME", "How long to wait before that.", "5s"),
    ),
    "RestartSteps": (
        *(uint32, False, "RestartSteps", "u", 254, False),
        *("NUMBER", "Steps from RestartSec= to RestartMaxDelaySec=.", "4"),
    ),
    "RestartMaxDelaySec": (
        *(usec, False, "RestartMaxDelayUSec", "t", 254, False),
        *("TIME", "The longest wait before a restart.", "1min"),
    ),
    "RestartRandomizedDelaySec": (
        *(usec, False, "RestartRandomizedDelayUSec", "t", 262, False),
        *("TIME", "Random time added to that wait.", "10s"),
    ),
    "RestartMode": (
        *(choice("normal", "direct", "debug"), False, "RestartMode", "s", 254, False),
        *("normal|direct|debug", "Whether dependent units see the restart.", "direct"),
    ),
    "TimeoutStartSec": (
        *(timeout, False, "TimeoutStartUSec", "t", 188, False),
        *("TIME", "How long a start may take.", "2min"),
    ),
    "TimeoutStopSec": (
        *(timeout, False, "TimeoutStopUSec", "t", 188, False),
        *("TIME", "How long the program has to end before it is killed.", "10s"),
    ),
    "TimeoutSec": (
        *(timeouts, False, "TimeoutStartUSec", "t", OLDEST, False),
        *("TIME", "Both of these.", "30s"),
    ),
    "TimeoutAbortSec": (
        *(usec, False, "TimeoutAbortUSec", "t", 243, False),
        *("TIME", "How long the program has to end after a watchdog timeout.", "30s"),
    ),
    "TimeoutStartFailureMode": (
        *(choice(*_FAILURE_MODE), False, "TimeoutStartFailureMode", "s", 246, False),
        *("terminate|abort|kill", "How a start that takes too long is ended.", "kill"),
    ),
    "TimeoutStopFailureMode": (
        *(choice(*_FAILURE_MODE), False, "TimeoutStopFailureMode", "s", 246, False),
        *("terminate|abort|kill", "How a stop that takes too long is ended.", "kill"),
    ),
    "RuntimeMaxSec": (
        *(usec, False, "RuntimeMaxUSec", "t", 229, False),
        *("TIME", "How long the container may run.", "1d"),
    ),
    "RuntimeRandomizedExtraSec": (
        *(usec, False, "RuntimeRandomizedExtraUSec", "t", 250, False),
        *("TIME", "Random time added to RuntimeMaxSec=.", "1h"),
    ),
    "WatchdogSec": (
        *(usec, False, "WatchdogUSec", "t", OLDEST, False),
        *("TIME", "How often the program must say that it is alive.", "30s"),
    ),
    "SuccessExitStatus": (
        *(exit_statuses, True, "SuccessExitStatus", "(aiai)", 189, False),
        *("STATUS|SIGNAL…", "Further ways to end well.", "75 TEMPFAIL SIGKILL"),
    ),
    "RestartPreventExitStatus": (
        *(exit_statuses, True, "RestartPreventExitStatus", "(aiai)", 189, False),
        *("STATUS|SIGNAL…", "Ends after which there is no restart.", "1 6 SIGABRT"),
    ),
    "RestartForceExitStatus": (
        *(exit_statuses, True, "RestartForceExitStatus", "(aiai)", 215, False),
        *("STATUS|SIGNAL…", "Ends after which there always is a restart.", "133"),
    ),
    "OOMPolicy": (
        *(choice("continue", "stop", "kill"), False, "OOMPolicy", "s", 243, False),
        *("continue|stop|kill", "What the end of one process for lack of memory does to the rest.", "kill"),
    ),
    "ExecCondition": _hook("ExecCondition", 243, "Commands on the host that decide whether to start."),
    "ExecStartPre": _hook("ExecStartPre", OLDEST, "Commands on the host before the start."),
    "ExecStartPost": _hook("ExecStartPost", OLDEST, "Commands on the host after the start."),
    "ExecReload": _hook("ExecReload", OLDEST, "Commands on the host that make the program read its settings again."),
    "ExecReloadPost": _hook("ExecReloadPost", 259, "Commands on the host after that has been done."),
    "ReloadSignal": (
        *(signal_number, False, "ReloadSignal", "i", 253, False),
        *(
            "SIGNAL",
            "Signal for that to a program that handles it and tells when it is done, with Notify=yes.",
            "SIGHUP",
        ),
    ),
    "ExecStop": _hook("ExecStop", OLDEST, "Commands on the host that ask the program to end."),
    "ExecStopPost": _hook("ExecStopPost", OLDEST, "Commands on the host after the end."),
    # systemd.kill(5)
    "KillMode": (
        *(choice("control-group", "mixed"), False, "KillMode", "s", 187, False),
        *("mixed|control-group", "Whether StopSignal= goes to the first process or to all.", "mixed"),
    ),
    "RestartKillSignal": (
        *(signal_number, False, "RestartKillSignal", "i", 244, False),
        *("SIGNAL", "StopSignal= for restarts.", "SIGINT"),
    ),
    "FinalKillSignal": (
        *(signal_number, False, "FinalKillSignal", "i", 240, False),
        *("SIGNAL", "Signal to what is left after TimeoutStopSec=.", "SIGKILL"),
    ),
    "WatchdogSignal": (
        *(signal_number, False, "WatchdogSignal", "i", 240, False),
        *("SIGNAL", "Signal after a watchdog timeout.", "SIGABRT"),
    ),
    "SendSIGHUP": (
        *(boolean, False, "SendSIGHUP", "b", 207, False),
        *("yes|no", "Also send SIGHUP, for shells.", "no"),
    ),
    "SendSIGKILL": (
        *(boolean, False, "SendSIGKILL", "b", 187, False),
        *("yes|no", "Kill what is left after TimeoutStopSec=.", "yes"),
    ),
}
