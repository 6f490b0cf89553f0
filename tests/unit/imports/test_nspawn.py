"""No key of .nspawn files and no option of systemd-nspawn is lost: each has its line, its remark, or is a default."""

import imports_corpus as corpus
import pytest

from nsunit.imports import find
from nsunit.imports.model import Given, NotCarried, Origin, Unusable
from nsunit.imports.nspawn.options import KEYS, Said, merge, parse
from nsunit.imports.nspawn.table import HANDLERS

# systemd.nspawn(5) of systemd 262, without limits; and the options of systemd-nspawn(1), 252 to 262.
EXEC = """
    AmbientCapability Boot CPUAffinity Capability DropCapability Environment Ephemeral Hostname KillSignal LinkJournal
    MachineID NoNewPrivileges NotifyReady OOMScoreAdjust Parameters Personality PivotRoot PrivateUsers ProcessTwo
    ResolvConf SuppressSync SystemCallFilter Timezone User WorkingDirectory LimitCPU LimitFSIZE LimitDATA LimitSTACK
    LimitCORE LimitRSS LimitNOFILE LimitAS LimitNPROC LimitMEMLOCK LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE
    LimitRTPRIO LimitRTTIME"""
FILES = """
    Bind BindReadOnly BindUser Inaccessible Overlay OverlayReadOnly PrivateUsersChown PrivateUsersOwnership ReadOnly
    TemporaryFileSystem Volatile"""
NETWORK = "Bridge IPVLAN Interface MACVLAN NamespacePath Port Private VirtualEthernet VirtualEthernetExtra Zone"
OPTIONS = """
    ambient-capability as-pid2 background bind bind-ro bind-user bind-user-group bind-user-shell boot capability chdir
    cleanup console cpu-affinity directory drop-capability ephemeral forward-journal forward-journal-keep-free
    forward-journal-max-file-size forward-journal-max-files forward-journal-max-use help hostname image image-policy
    inaccessible keep-unit kill-signal link-journal load-credential machine mstack network-bridge network-interface
    network-ipvlan network-macvlan network-namespace-path network-veth network-veth-extra network-zone
    no-ask-password no-new-privileges no-pager notify-ready oci-bundle oom-score-adjust overlay overlay-ro personality
    pipe pivot-root port private-network private-users private-users-chown private-users-delegate
    private-users-ownership property quiet read-only register resolv-conf restrict-address-families rlimit root-hash
    root-hash-sig selinux-apifs-context selinux-context set-credential setenv settings share-system slice suppress-sync
    system system-call-filter template timezone tmpfs uid user uuid verity-data version volatile"""
# What is said by what is there besides, or is the default.
DEFAULTS = {
    *("Boot", "ProcessTwo", "VirtualEthernet", "Private", "PrivateUsersChown", "PrivateUsers"),
}


def test_all_keys_are_known():
    assert set(KEYS["Exec"]) == set(EXEC.split())
    assert set(KEYS["Files"]) == set(FILES.split())
    assert set(KEYS["Network"]) == set(NETWORK.split())
    assert {option for keys in KEYS.values() for option in keys.values()} <= HANDLERS.keys()


def test_all_options_are_known():
    assert set(HANDLERS) - {"scope", "parameters"} == set(OPTIONS.split())


@pytest.mark.parametrize("key", [*EXEC.split(), *FILES.split(), *NETWORK.split()])
def test_a_key_has_a_line_or_a_remark(key):
    section = next(section for section, keys in KEYS.items() if key in keys)
    value = {"NoNewPrivileges": "yes", "PrivateUsers": "1000:10", "Bind": "/x", "BindReadOnly": "/x"}.get(key, "yes")
    value = {"LinkJournal": "host", "Port": "80", "PrivateUsersOwnership": "chown", "Ephemeral": "yes"}.get(key, value)
    value = {"Timezone": "bind", "Environment": "A=b"}.get(key, value)
    text = f"[Exec]\nParameters=/bin/app\n[{section}]\n{key}={value}\n"
    found = find("nspawn").convert(Given((("/etc/systemd/nspawn/x.nspawn", text),)))
    said = [line for draft in found.drafts for line in draft.lines if line.origin.line == 4]
    assert said or [remark for remark in found.remarks if remark.origin.line == 4] or key in DEFAULTS


@pytest.mark.parametrize("case", [case for case in corpus.cases() if case.startswith("nspawn/")])
def test_nothing_that_is_said_is_lost(case):
    given = corpus.given_of(corpus.parts(case)[0])
    try:
        found = find("nspawn").convert(given)
    except Exception as error:
        assert "faulty" in case, error
        return
    known = {(line.origin.path, line.origin.line) for draft in found.drafts for line in draft.lines}
    known |= {(remark.origin.path, remark.origin.line) for remark in found.remarks}
    skipped = {remark.origin.path for remark in found.remarks if not remark.origin.line}
    for path, text in given.texts:
        if not path.endswith(".nspawn") or path in skipped:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            key, equals, _ = line.partition("=")
            assert not equals or (path, number) in known or key in DEFAULTS, line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-bD /x -M y /bin/a -q", [("boot", "yes"), ("directory", "/x"), ("machine", "y")]),
        ("-UnxMy -E A=b", [("private-users", "pick"), ("network-veth", "yes"), ("ephemeral", "yes")]),
        ("--user lea", [("user", "lea")]),
        ("--user -b", [("scope", "yes"), ("boot", "yes")]),
        ("--volatile state", [("volatile", "yes")]),
        ("--volatile=state --private-users", [("volatile", "state"), ("private-users", "yes")]),
        ("--bind", [("bind", "")]),
    ],
)
def test_command_lines(words, expected):
    found, _ = parse(words.split(), "x")
    assert [(item.option, item.value) for item in found][: len(expected)] == expected


FILE = [("capability", "CAP_SYS_TIME"), ("drop-capability", "CAP_CHOWN"), ("ambient-capability", "CAP_FOWNER")]


def _merged(words, settings, *, override):
    """What counts of the options of a command line and of those of a file."""
    in_file = [Said(Origin("/x.nspawn", 1, ""), *item) for item in settings]
    return {(item.option, item.value) for item in merge(parse(words, "")[0], in_file, [], override=override)[0]}


@pytest.mark.parametrize("option", [option for option, _ in FILE])
def test_one_option_of_capabilities_takes_those_of_the_file_away(option):
    assert _merged([f"--{option}=CAP_KILL"], FILE, override=False) == {(option, "CAP_KILL")}


@pytest.mark.parametrize("option", [option for option, _ in FILE])
def test_a_file_that_overrides_adds_to_capabilities(option):
    assert _merged([f"--{option}=CAP_KILL"], FILE, override=True) == {(option, "CAP_KILL"), *FILE}


@pytest.mark.parametrize("spelling", ["CORE", "RLIMIT_CORE", "LimitCORE"])
@pytest.mark.parametrize("override", [False, True])
def test_limits_are_one_by_one(spelling, override):
    in_file = [("rlimit", "NOFILE=99"), ("rlimit", "CORE=7")]
    core = in_file[1] if override else ("rlimit", f"{spelling}=8")
    assert _merged([f"--rlimit={spelling}=8"], in_file, override=override) == {in_file[0], core}


def test_what_is_behind_the_options_is_the_command():
    assert parse(["-b", "--", "-x"], "p")[1] == ["-x"]
    assert parse(["-D", "/x", "/bin/a", "-b"], "p")[1] == ["/bin/a", "-b"]


def test_a_command_line_of_something_else():
    with pytest.raises(Unusable) as error:
        find("nspawn").convert(Given(arguments=("qemu", "-x")))
    assert error.value.remark.reason == "it is none of systemd-nspawn"


def test_a_reason_has_something_instead():
    for name, handler in HANDLERS.items():
        try:
            handler(FakeTarget(), "what=x")
        except NotCarried as lost:
            assert lost.reason and lost.instead, name
        except AttributeError:
            pass


class FakeTarget:
    """Nothing can be said to it."""

    pending: dict[str, str] = {}
