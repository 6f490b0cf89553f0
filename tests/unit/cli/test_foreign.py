"""What people type who come from other tools."""

import re

import pytest

from nsunit.cli import foreign, foreign_options
from nsunit.cli.main import main
from nsunit.cli.session.borrowed import FLAGS, published, said
from nsunit.cli.tools import COMPOSE, TOOLS
from nsunit.cli.verbs import GLOBAL_OPTIONS, Invocation, find_verb
from nsunit.definition.host import Host
from nsunit.definition.load import load_properties
from nsunit.definition.setting import lookup

RUN = find_verb("run")


def given(**values):
    return said(Invocation(RUN, {key.replace("_", "-"): value for key, value in values.items()}, []))


@pytest.mark.parametrize("name", foreign.VERBS)
def test_a_verb_of_another_tool_is_answered(name, capsys):
    assert find_verb(name) is None, "it is a verb now: take it out of the table"
    assert main([name, "web"]) == 2
    assert capsys.readouterr().err == (f"nsunit: '{name}' is not a verb of nsunit\n  hint: {foreign.VERBS[name]}\n")
    check_commands(foreign.VERBS[name])


def check_commands(text):
    """See that the commands of nsunit in *text* are there, with the options that they have."""
    for words in re.findall(r"'nsunit ([^']*)'", text):
        first, *rest = words.split()
        verb = find_verb(first) or find_verb(f"{first} {rest[0]}")
        assert verb, words
        known = {f"--{option.long}" for option in verb.options} | {f"-{option.short}" for option in verb.options}
        for word in rest:
            option = word.partition("=")[0]
            assert not option.startswith("-") or option in known or set(option[1:]) <= set("ti"), words


@pytest.mark.parametrize("tool", TOOLS)
def test_all_verbs_of_a_tool_are_told(tool):
    names = [name for names in TOOLS[tool] for name in names.split()]
    assert len(names) == len(set(names))
    told = foreign.of_tool(tool)
    assert sorted(name for names, _ in told for name in names.split()) == sorted(names)
    for _, text in told:
        check_commands(text)


# Those of docker compose 2, docs.docker.com/reference/cli/docker/compose.
COMPOSE_VERBS = """
    attach bridge build commit config convert cp create down events exec export images kill logs ls pause port ps
    publish pull push restart rm run scale start stats stop top unpause up version
    volumes wait watch""".split()


@pytest.mark.parametrize("verb", COMPOSE_VERBS)
def test_each_verb_of_docker_compose_is_answered(verb, capsys):
    assert main(["compose", "-f", "x.yaml", verb]) == 2
    told = next(text for names, text in COMPOSE.items() if verb in names.split())
    assert capsys.readouterr().err == f"nsunit: 'compose' is not a verb of nsunit\n  hint: {told}\n"


# As their manuals have them: vzctl(8), vserver(8), lmctfy's, docker(1), podman(1) 5.4, machinectl(1) 257, LXC 6.
KNOWN = {
    "vzctl, of OpenVZ": """
        create start stop restart suspend resume snapshot snapshot-switch snapshot-delete snapshot-mount snapshot-umount
        snapshot-list set destroy mount umount status quotaon quotaoff quotainit console convert compact exec exec2
        enter runscript pause monitor register unregister reinstall exec3""",
    "vserver, of Linux-VServer": "build start stop restart suexec exec enter running status unify pkg apt-get rpm",
    "lmctfy": "create destroy detect enter init killall list notify pause resume run spec stats update",
    "docker, podman": """
        attach build commit cp create diff events exec export history images import info inspect kill load login logout
        logs pause port ps pull push rename restart rm rmi run save search start stats stop tag top unpause update
        version wait container context image manifest network node plugin secret service stack swarm system volume
        compose buildx auto-update checkpoint clone exists generate healthcheck init kube mount pod restore umount
        unmount unshare untag machine quadlet""",
    "machinectl": """
        list status show start login shell enable disable stop poweroff reboot terminate kill bind copy-to copy-from
        list-images image-status show-image edit cat clone rename read-only remove set-limit clean pull-tar pull-raw
        import-tar import-raw import-fs export-tar export-raw list-transfers cancel-transfer""",
    "lxc-*, of LXC": """
        lxc-attach lxc-autostart lxc-cgroup lxc-checkconfig lxc-checkpoint lxc-config lxc-console lxc-copy lxc-create
        lxc-destroy lxc-device lxc-execute lxc-freeze lxc-info lxc-ls lxc-monitor lxc-snapshot lxc-start lxc-stop
        lxc-top lxc-unfreeze lxc-unshare lxc-update-config lxc-usernsexec lxc-wait""",
    "systemctl": """
        start stop restart reload enable disable kill status show cat edit is-active is-enabled is-failed daemon-reload
        mask unmask set-property freeze thaw list-units list-unit-files list-timers list-sockets list-machines
        list-dependencies try-restart reload-or-restart try-reload-or-restart reset-failed reenable revert clean
        mount-image help""",
    "libcgroup": """
        cgclassify cgclear cgconfigparser cgcreate cgdelete cgexec cgget cgrulesengd cgset cgsnapshot cgxget cgxset
        lscgroup lssubsys""",
}


@pytest.mark.parametrize("tool", KNOWN)
def test_no_verb_of_a_tool_is_missing(tool):
    assert set(KNOWN[tool].split()) <= {name for names in TOOLS[tool] for name in names.split()}


@pytest.mark.parametrize("name", foreign_options.RUN)
def test_an_option_of_another_tool_is_answered(name, capsys):
    dashes = "-" if len(name) == 1 else "--"
    assert main(["run", f"{dashes}{name}", "x"]) == 125
    told = foreign_options.RUN[name]
    assert capsys.readouterr().err == f"nsunit: '{dashes}{name}' is not an option\n  hint: {told}\n"
    for section, key in re.findall(r"-p '?(?:(\w+)\.)?(\w+)=", told):
        sections = [section] if section else ["Container", "Slice", "Service"]
        assert any((found := lookup(where, key)) is not None and found.refused is None for where in sections)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("-p", "its keys: nsunit create NAME --image=REF PublishPort=8080:80"),
        ("--publish", "its keys: nsunit create NAME --image=REF PublishPort=8080:80"),
        ("-e", "its keys: nsunit create NAME --image=REF Environment=NAME=VALUE"),
        ("--volume", "its keys: nsunit create NAME --image=REF Volume=NAME:TARGET, or Bind=SOURCE:TARGET"),
        ("--name", "it is the first word: nsunit create NAME --image=REF"),
        ("-d", "leave it out; 'nsunit start NAME' starts it, 'nsunit enable NAME' at boot"),
        (
            "--restart",
            "its keys: nsunit create NAME --image=REF Restart=always; 'nsunit enable NAME' starts it at boot",
        ),
        ("--memory", "its keys: nsunit create NAME --image=REF MemoryMax=1G"),
        ("--cpus", "its keys: nsunit create NAME --image=REF CPUQuota=150% for one and a half"),
        ("--frobnicate", "see 'nsunit create --help'"),
    ],
)
def test_what_docker_create_and_run_take_is_told_as_keys(option, told, capsys):
    assert main(["create", "web", option, "x"]) == 2
    assert capsys.readouterr().err == f"nsunit: '{option}' is not an option\n  hint: {told}\n"
    for key in re.findall(r"REF (\w+)=", told):
        assert any(lookup(section, key) for section in ("Container", "Slice", "Service"))


def test_other_verbs_have_options_of_their_own(capsys):
    assert main(["list", "--memory"]) == 2
    assert "see 'nsunit list --help'" in capsys.readouterr().err


def test_options_that_are_understood_make_the_same_container_as_the_keys():
    keys = given(
        volume=["/srv/a b:/data:ro", "data:/var/lib/data", "/cache"],
        env=["A=b c%", 'B="\\\n'],
        network=["bridge"],
        publish=["8080:80"],
        cap_add=["NET_RAW"],
        cap_drop=["CHOWN"],
        uid=["www-data:33"],
        workdir=["/srv"],
        hostname=["box"],
        tmpfs=["/tmp:size=1M"],
        device=["/dev/fuse"],
        init=[],
        read_only=[],
        rm=[],
    )
    base = [("Container", "Rootfs", "/srv/r", "-p"), ("Container", "Exec", "sh", "-p")]
    found = load_properties("box", [*base, *((*key, "-p") for key in keys)], Host(257)).container
    (bind,) = found.binds
    assert (bind.source, bind.target, bind.read_only) == ("/srv/a b", "/data", True)
    assert found.environment == (("A", "b c%"), ("B", '"\\\n'))
    assert (found.user, found.group, found.hostname, found.working_directory) == ("www-data", "33", "box", "/srv")
    assert "CAP_NET_RAW" in found.capabilities
    assert "CAP_CHOWN" not in found.capabilities
    assert found.init and found.read_only and found.uses("devices")
    assert [key for _, key, _ in keys].count("Volume") == 2
    assert [item.target for item in found.tmpfs] == ["/tmp"]


@pytest.mark.parametrize(
    ("added", "dropped", "has", "lacks"),
    [
        (["NET_BIND_SERVICE"], ["ALL"], {"CAP_NET_BIND_SERVICE"}, {"CAP_CHOWN", "CAP_KILL"}),
        (["all"], ["NET_RAW"], {"CAP_SYS_ADMIN", "CAP_CHOWN"}, {"CAP_NET_RAW"}),
        (["NET_RAW"], ["CHOWN"], {"CAP_NET_RAW", "CAP_KILL"}, {"CAP_CHOWN", "CAP_SYS_ADMIN"}),
    ],
)
def test_capabilities_count_as_with_podman_in_whatever_order_they_are_typed(added, dropped, has, lacks):
    base = [("Container", "Rootfs", "/srv/r", "-p"), ("Container", "Exec", "sh", "-p")]
    keys = given(cap_add=added, cap_drop=dropped)
    found = load_properties("box", [*base, *((*key, "-p") for key in keys)], Host(257)).container
    assert has <= set(found.capabilities)
    assert not lacks & set(found.capabilities)


def test_a_variable_of_the_caller(monkeypatch):
    monkeypatch.setenv("COLOUR", "blue")
    assert given(setenv=["COLOUR", "NO_SUCH"]) == [("Container", "Environment", '"COLOUR=blue"')]


def test_a_variable_without_a_name(capsys):
    assert main(["run", "-e", "=x"]) != 0
    assert "'=x' is not a variable\n  hint: --setenv=NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "is_port"),
    [("8080:80", True), ("[::1]:80:80", True), ("127.0.0.1:8080:80/udp", True), ("Bind=/a:/b", False), ("80", False)],
)
def test_ports_that_are_no_key(text, is_port):
    assert published(text) is is_port


def test_a_relative_path_is_no_volume(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert given(volume=["./a b:/a:ro", "..:/b"])[0] == ("Container", "Bind", f'"{tmp_path}/a b:/a:ro"')


def test_labels_of_other_tools_mean_nothing():
    values = [value for _, _, value in given(volume=["/a:/b:z", "/a:/b:ro,Z", "/a:/z", "v:/b:Z", "/a:/b:ro"])]
    assert values == ['"/a:/b"', '"/a:/b:ro"', '"/a:/z"', '"v:/b"', '"/a:/b:ro"']


def test_what_is_understood_is_no_option_with_an_answer():
    understood = {option.long for option in RUN.understood} | {option.short for option in RUN.understood}
    assert not understood & set(foreign_options.RUN)
    assert set(FLAGS) <= understood


def test_a_list_is_not_ps(capsys):
    assert main(["ps"]) == 2
    assert capsys.readouterr().err == (
        "nsunit: ps: a name is missing\n"
        "  hint: 'nsunit list' lists containers, 'nsunit ps NAME' shows the processes of one\n"
    )


@pytest.mark.parametrize(
    ("verb", "name", "text"),
    [
        (verb, name, text)
        for verb, rows in foreign_options.OPTIONS.items()
        for names, text in rows.items()
        for name in names.split()
    ],
)
def test_an_option_of_another_tools_verb_is_answered(capsys, verb, name, text):
    dashes = "-" if len(name) == 1 else "--"
    assert main([*verb.split(), f"{dashes}{name}", "web"]) == (125 if verb in ("run", "exec", "enter") else 2)
    assert capsys.readouterr().err == f"nsunit: '{dashes}{name}' is not an option\n  hint: {text}\n"
    check_commands(text)
    for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", text.partition("'nsunit")[0]):
        known = find_verb(verb).options
        assert option.lstrip("-") in {word for item in (*known, *GLOBAL_OPTIONS) for word in (item.long, item.short)}


# Those of docker 28 and podman 5.4, of the verbs that are called so here as well.
OPTIONS_THERE = {
    "commit": "author change config format iidfile include-volumes message pause quiet squash",
    "cp": "archive follow-link overwrite quiet",
    "diff": "format latest",
    "events": "filter format no-trunc since stream until",
    "exec": "detach detach-keys env env-file interactive latest preserve-fd preserve-fds privileged tty user workdir",
    "export": "output",
    "kill": "all cidfile latest signal",
    "list": "all external filter format last latest no-trunc noheading ns pod quiet size sort sync watch",
    "logs": "color details follow latest names since tail timestamps until",
    "mount": "all format latest no-trunc",
    "pause": "all cidfile filter latest",
    "port": "all latest",
    "prune": "filter force",
    "ps": "all external filter format last latest no-trunc noheading ns pod quiet size sort sync watch",
    "restart": "all cidfile filter latest running signal time timeout",
    "rm": "all cidfile depend filter force ignore latest link time volumes",
    "start": "all attach checkpoint checkpoint-dir detach-keys filter interactive latest sig-proxy",
    "stats": "all format interval latest no-reset no-stream no-trunc",
    "stop": "all cidfile filter ignore latest signal time timeout",
    "wait": "condition ignore interval latest",
}
# Those of systemctl and journalctl 257.
OPTIONS_OF_SYSTEMD = {
    "disable": "now runtime no-reload global",
    "edit": "full runtime drop-in force stdin",
    "enable": "now runtime force no-reload global",
    "kill": "kill-whom kill-who signal kill-value wait",
    "list": "all state type failed plain no-legend no-pager full",
    "logs": """
        boot priority dmesg catalog all full utc cursor after-cursor fields output-fields since until reverse lines
        follow grep case-sensitive facility identifier no-tail unit output""",
    "restart": "no-block",
    "set": "runtime",
    "show": "property value all no-pager",
    "start": "no-block wait",
    "status": "lines output no-pager full all with-dependencies",
    "stop": "no-block",
}
NOTHING_LIKE_IT = {"config", "iidfile", "stream", "external", "sync", "link", "no-reset"}


@pytest.mark.parametrize("verb", OPTIONS_THERE)
def test_each_option_of_a_verb_of_the_same_name_is_there_or_answered(verb):
    of = find_verb(verb)
    own = {option.long for option in (*of.options, *of.understood, *GLOBAL_OPTIONS)}
    left = {name for name in OPTIONS_THERE[verb].split() if name not in own and not foreign_options.option(verb, name)}
    assert left <= NOTHING_LIKE_IT


@pytest.mark.parametrize("verb", OPTIONS_OF_SYSTEMD)
def test_each_option_of_a_verb_of_systemctl_is_there_or_answered(verb):
    of = find_verb(verb)
    own = {option.long for option in (*of.options, *of.understood, *GLOBAL_OPTIONS)}
    given = OPTIONS_OF_SYSTEMD[verb].split()
    assert not [name for name in given if name not in own and not foreign_options.option(verb, name)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["list-sockets"], "'nsunit port' has the ports of all; systemctl list-sockets 'nsunit-*' has sockets"),
        (["doctor", "--fix"], "--repair"),
        (["image", "rm", "-f", "x"], "'nsunit rm NAME' first, of each container that has the image"),
        (["prune", "--all"], "'nsunit image prune --all' and 'nsunit volume prune --all'"),
        (["update", "--all"], "--auto, which updates what has AutoUpdate="),
        (
            ["rm", "-v", "web"],
            "leave it out, volumes without a name go along; 'nsunit volume rm NAME' removes others",
        ),
    ],
)
def test_what_is_done_otherwise_here_is_told_as_it_is(words, told, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err.endswith(f"\n  hint: {told}\n")


def test_what_means_the_same_everywhere_is_answered_everywhere(capsys):
    assert main(["volume", "list", "--format", "x"]) == 2
    assert capsys.readouterr().err == "nsunit: '--format' is not an option\n  hint: --json, and a program such as jq\n"
    for text in (*foreign_options.RUN.values(), *foreign_options._ANYWHERE.values()):
        check_commands(text)


@pytest.mark.parametrize(
    "option", ["-M", "--machine", "--system", "--no-pager", "--no-legend", "-v", "--url", "--no-block"]
)
def test_an_option_of_all_verbs_of_systemctl_is_answered(capsys, option):
    for words in ([option, "list"], ["list", option], ["stop", "web", option]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert (
            said == f"nsunit: '{option}' is not an option\n  hint: {foreign_options.option('', option.lstrip('-'))}\n"
        )
        assert "--help" not in said
