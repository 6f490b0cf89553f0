import pytest

from nsunit.deeds.session.enter import DEFAULT
from nsunit.errors import NotFoundError, SessionError


@pytest.fixture
def seen(manager):
    calls = []

    def execute(context, name, argv, **options):
        calls.append((name, argv, options))
        return 7

    def run(context, properties, argv, **options):
        calls.append((properties, argv, options))
        return 9

    manager("deeds.session.execute", execute=execute)
    manager("deeds.session.run", run=run)
    return calls


def test_exec(nsunit, seen, monkeypatch):
    monkeypatch.setenv("PASSED", "on")
    monkeypatch.delenv("ABSENT", raising=False)
    monkeypatch.setattr("os.isatty", lambda fd: True)
    argv = ["exec", "-ti", "-u", "www:www", "-w", "/srv", "-e", "A=1=2", "-e", "PASSED", "-e", "ABSENT"]
    assert nsunit(*argv, "web", "ls", "-l", "--json") == (7, "", "")
    assert seen == [
        (
            "web",
            ["ls", "-l", "--json"],
            {
                "tty": True,
                "interactive": True,
                "user": "www:www",
                "working_directory": "/srv",
                "environment": [("A", "1=2"), ("PASSED", "on")],
            },
        )
    ]


@pytest.mark.parametrize(
    "words", [["exec", "-it", "web"], ["run", "-ti", "-p", "Layer=/"], ["enter", "-t", "-i", "web"]]
)
def test_a_terminal_does_not_read_a_pipe(nsunit, seen, monkeypatch, words):
    monkeypatch.setattr("os.isatty", lambda fd: fd != 0)
    assert nsunit(*words, "sh") == (
        125,
        "",
        "nsunit: with -t and -i, standard input has to be a terminal\n"
        "  hint: leave -t out, -i alone passes on what can be read\n",
    )
    assert not seen


def test_exec_refuses_a_variable_without_a_name(nsunit, seen):
    status, _out, err = nsunit("exec", "-e", "=x", "web", "ls")
    assert (status, err.splitlines()[0]) == (125, "nsunit: '=x' is not a variable")


def test_exec_hints_at_ids_that_the_container_has_not(nsunit, manager):
    def refuse(*_arguments, **_options):
        raise SessionError("web: Failed to drop privileges: Invalid argument", 125)

    manager("deeds.session.execute", execute=refuse)
    assert nsunit("exec", "-u", "70000", "web", "id") == (
        125,
        "",
        "nsunit: web: Failed to drop privileges: Invalid argument\n"
        "  hint: the ids of --uid must be among those of the container, which 'nsunit status web' has\n",
    )


def test_enter(nsunit, manager):
    calls = []
    manager(
        "deeds.session.enter", enter=lambda context, name, argv, **options: calls.append((name, argv, options)) or 5
    )
    assert nsunit("enter", "web", "--namespaces", "net,mnt", "-t", "ip", "-t", "link")[0] == 5
    assert nsunit("enter", "web")[0] == 5
    assert calls == [
        ("web", ["ip", "-t", "link"], {"kinds": ("net", "mnt"), "tty": True, "interactive": False}),
        ("web", [], {"kinds": ("ipc", "net", "pid", "uts"), "tty": False, "interactive": False}),
    ]
    assert f"{','.join(DEFAULT)} if not given" in nsunit("enter", "--help")[1].replace("\n", " ")


def test_run(nsunit, seen):
    argv = ["run", "-d", "--name", "a", "-p", "Rootfs=/srv", "-p", "MemoryMax=1G", "-p", "Service.Restart=no"]
    assert nsunit(*argv, "sh", "-c", "true")[0] == 9
    assert seen == [
        (
            [("Container", "Rootfs", "/srv"), ("Slice", "MemoryMax", "1G"), ("Service", "Restart", "no")],
            ["sh", "-c", "true"],
            {"name": "a", "detach": True, "tty": False, "interactive": False, "keep": False},
        )
    ]


def test_run_prints_the_name_of_what_goes_on_without_it(nsunit, manager):
    names = []
    manager("deeds.session.run", run=lambda context, properties, argv, name, **options: names.append(name) or 0)
    assert nsunit("run", "-d", "--name", "a", "-p", "Rootfs=/srv", "sh") == (0, "a\n", "")
    status, made_up, _err = nsunit("run", "--detach", "-p", "Rootfs=/srv", "sh")
    assert (status, made_up) == (0, f"{names[1]}\n")
    assert made_up.startswith("run-")
    assert nsunit("run", "-d", "-q", "-p", "Rootfs=/srv", "sh")[1] == ""
    assert nsunit("run", "-p", "Rootfs=/srv", "sh")[1] == ""


@pytest.mark.parametrize("text", ["Rootfs", "=x", "Slice.=x"])
def test_run_refuses(nsunit, seen, text):
    status, _out, err = nsunit("run", "-p", text, "sh")
    assert (status, err.splitlines()[0]) == (125, f"nsunit: '{text}' is not a key with its value")


@pytest.mark.parametrize("key", ["Timer.OnCalendar=daily", "Install.WantedBy=x.target"])
def test_run_has_nothing_that_an_enabled_container_has(nsunit, seen, key):
    """It would run at once, and what was said be forgotten."""
    status, _out, err = nsunit("run", "-d", "-p", "Layer=/srv", "-p", key, "sh")
    section, _, rest = key.partition(".")
    assert (status, seen) == (125, [])
    assert err == (
        f"nsunit: run: [{section}] {rest.partition('=')[0]}= counts for what is enabled\n"
        "  hint: write a definition, then 'nsunit enable'; or systemd-run --on-calendar=daily nsunit run …\n"
    )


def test_an_unknown_key_is_left_to_the_loader(nsunit, seen):
    nsunit("run", "-p", "Nonsense=1", "sh")
    assert seen[0][0] == [("Container", "Nonsense", "1")]


@pytest.mark.parametrize(("uid", "words"), [(0, ["--user", "www"]), (0, ["--user=www"]), (1, ["--user=www"])])
def test_a_user_as_other_tools_have_it(nsunit, seen, monkeypatch, uid, words):
    monkeypatch.setattr("os.geteuid", lambda: uid)
    assert nsunit("exec", *words, "web", "id")[0] == 7
    assert seen[0][:2] == ("web", ["id"])
    assert seen[0][2]["user"] == "www"


def test_variables_and_the_directory_as_other_tools_have_them(nsunit, seen):
    assert nsunit("exec", "--env", "A=b", "-e", "C=d", "--workdir=/srv", "web", "id")[0] == 7
    assert sorted(seen[0][2]["environment"]) == [("A", "b"), ("C", "d")]
    assert seen[0][2]["working_directory"] == "/srv"


def test_a_user_that_is_taken_for_a_container(nsunit, manager, monkeypatch):
    def execute(_context, name, _argv, **_options):
        raise NotFoundError(f"container '{name}' is not defined")

    manager("deeds.session.execute", execute=execute)
    manager("core.context", open_user_context=lambda _warn: manager.context)
    monkeypatch.setattr("os.geteuid", lambda: 1)
    _status, _out, err = nsunit("exec", "--user", "www", "web", "id")
    assert err.splitlines()[1] == "  hint: --user is for your own containers; a user of the container is --uid=www"


@pytest.mark.parametrize(
    ("words", "example"),
    [
        (("debian", "bash"), "-p Layer=/var/lib/machines/debian bash"),
        (("nginx",), "-p Image=nginx sh"),
        (("docker.io/library/nginx:1", "ls", "-l"), "-p Image=docker.io/library/nginx:1 ls -l"),
        (("/var/lib/machines/debian",), "-p Layer=/var/lib/machines/debian sh"),
        (("/bin/sh", "-c", "id"), "-p Layer=/var/lib/machines/debian /bin/sh -c id"),
        (("--", "a\x1b"), r"-p Image=a\x1b sh"),
    ],
)
def test_a_root_in_front_of_the_command_is_answered_with_its_key(nsunit, monkeypatch, words, example):
    monkeypatch.setattr("os.path.isdir", lambda path: str(path) == "/var/lib/machines/debian")
    status, out, err = nsunit("run", *words)
    assert (status, out) == (125, "")
    assert err == (
        "nsunit: run: [Container] needs Rootfs=, Layer= or Image=\n"
        f"  hint: its root is named by a key: nsunit run {example}\n"
    )


@pytest.mark.parametrize(("text", "ports"), [("80", "80:80"), ("53/udp", "53:53/udp"), ("80-82", "80-82:80-82")])
def test_a_port_alone_is_told_what_to_type(nsunit, seen, text, ports):
    """The hint was about a root."""
    status, _out, err = nsunit("run", "-p", text, "-p", "Rootfs=/srv", "sh")
    hint = f"  hint: -p {ports} publishes it by the same number, on all addresses of the host\n"
    assert (status, err) == (125, f"nsunit: '{text}' does not say which port of the host\n{hint}")
