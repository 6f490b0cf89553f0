"""No key of a service is lost: each has its line, its remark, or says what a container is anyway."""

import imports_corpus as corpus
import pytest

from nsunit.imports import find, unitfiles
from nsunit.imports.model import Given
from nsunit.imports.unit.table import HANDLERS

ANYWAY = """
    DynamicUser GuessMainPID LockPersonality MountAPIVFS NoNewPrivileges NotifyAccess PrivateDevices PrivateIPC
    PrivateMounts PrivateNetwork PrivatePIDs PrivateUsers PrivateUsersEx ProtectClock ProtectControlGroups ProtectHome
    ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ReadWritePaths RemainAfterExit
    RemoveIPC CacheDirectoryMode ConfigurationDirectoryMode LogsDirectoryMode RuntimeDirectoryMode StateDirectoryMode
    ExecStart CPUAccounting RootEphemeral""".split()
VALUES = {
    "AmbientCapabilities": "CAP_KILL",
    "CapabilityBoundingSet": "CAP_KILL",
    "KillSignal": "SIGINT",
    "NetworkNamespacePath": "/run/netns/x",
    "PrivateTmp": "yes",
    "ProtectSystem": "strict",
    "Type": "notify",
    "Environment": "A=b",
    "BindPaths": "/a",
    "BindReadOnlyPaths": "/a",
}


@pytest.mark.parametrize("key", sorted(HANDLERS))
def test_a_key_has_a_line_or_a_remark(key):
    value = VALUES.get(key, "no" if key in ANYWAY else "/x")
    text = f"[Service]\nRootDirectory=/srv/x\nExecStart=/bin/app\n{key}={value}\n"
    found = find("unit").convert(Given((("/etc/systemd/system/x.service", text),)))
    said = [line for draft in found.drafts for line in draft.lines if line.origin.line == 4]
    assert said or [remark for remark in found.remarks if remark.origin.line == 4] or key in ANYWAY


@pytest.mark.parametrize("case", [case for case in corpus.cases() if case.startswith("unit/")])
def test_nothing_that_is_said_is_lost(case):
    given = corpus.given_of(corpus.parts(case)[0])
    found = corpus.brought(case, given)
    known = {(line.origin.path, line.origin.line) for draft in found.drafts for line in draft.lines}
    known |= {(remark.origin.path, remark.origin.line) for remark in found.remarks}
    skipped = {remark.origin.path for remark in found.remarks if remark.origin.key.endswith(".service")}
    for path, text in given.texts:
        if path.endswith("/") or (path, 0) in known and path in skipped and "every-key" not in case:
            continue
        for item in unitfiles.read(path, text).said:
            assert (path, item.origin.line) in known or item.key in ANYWAY, item


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("/bin/app $$x", "/bin/app $x"),
        (":/bin/app $x", "/bin/app $x"),
        ("@/bin/app argv0 b", "/bin/app b"),
        ('/bin/app "a b" %i', '/bin/app "a b" %i'),
    ],
)
def test_what_runs(start, expected):
    text = f"[Service]\nRootDirectory=/srv/x\nExecStart={start}\n"
    (draft,) = find("unit").convert(Given((("/etc/systemd/system/x@.service", text),))).drafts
    assert (draft.name, draft.values("Container", "Exec")) == ("x@", (expected,))
