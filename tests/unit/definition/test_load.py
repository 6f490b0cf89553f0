"""Files, drop-ins and assignments → a Definition, or every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from definitions import problems_of
from facts import FACTS

from nsunit.definition.load import Host, load, load_properties, load_text
from nsunit.definition.model import Bind, Definition
from nsunit.definition.search import SearchPath
from nsunit.errors import DefinitionError, UsageError
from nsunit.plan.units import units
from nsunit.units import Property

HOST = Host(257, "alpha", "0123456789abcdef0123456789abcdef")
BASE = "[Container]\nRootfs=/srv/r\nExec=/bin/sh\n"
EXAMPLE = Path(__file__).parent / "web.nsunit"


def problems(text: str, version: int = 257) -> list[tuple[str, str | None]]:
    found = problems_of(lambda: load_text("web", text, "web.nsunit", HOST.replace(systemd_version=version)))
    return [(str(problem), problem.hint) for problem in found]


def of(section: str, text: str) -> tuple[Property, ...]:
    return load_text("web", f"{BASE}[{section}]\n{text}\n", "web.nsunit", HOST).properties_of(section)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_whole_example() -> None:
    definition = load("web", SearchPath((str(EXAMPLE.parent),)), HOST)
    assert definition.sources == (str(EXAMPLE),)
    container = definition.container
    assert container.exec == ("/usr/sbin/nginx", "-g", "daemon off;", "-e", "stderr")
    assert container.layers == ("/srv/layers/nginx", "/srv/layers/debian")
    assert container.hostname == "web"
    assert container.binds == (
        Bind("/var/lib/web/data", "/srv/data", False),
        Bind("/etc/ssl/certs", "/etc/ssl/certs", True),
    )
    assert container.capabilities == ("CAP_NET_BIND_SERVICE",)
    assert [name for name, _ in definition.properties] == ["Unit", "Service", "Slice"]
    assert definition.properties_of("Slice") == (
        Property("CPUQuotaPerSecUSec", "t", 1_500_000),
        Property("CPUWeight", "t", 200),
        Property("MemoryHigh", "t", 768 << 20),
        Property("MemoryMax", "t", 1 << 30),
        Property("MemorySwapMax", "t", 0),
        Property("TasksMax", "t", 512),
        Property("AllowedCPUs", "ay", b"\x0f" + bytes(7)),
        Property("IOReadBandwidthMax", "a(st)", (("/dev/sda", 50_000_000),)),
        Property("DeviceAllow", "a(ss)", (("/dev/fuse", "rw"),)),
        Property("DevicePolicy", "s", "closed"),
    )
    assert definition.properties_of("Install") == ()
    assert definition.texts_of("Install") == (("WantedBy", "multi-user.target"),)
    assert dict(definition.texts_of("Container"))["EnvironmentFile"] == "-/etc/nsunit/web.env"


def test_a_definition_can_be_hashed_and_compared() -> None:
    first = load_text("web", EXAMPLE.read_text(), "web.nsunit", HOST)
    second = load_text("web", EXAMPLE.read_text(), "web.nsunit", HOST)
    assert first == second
    assert hash(first) == hash(second)
    assert first != load_text("web", EXAMPLE.read_text().replace("1G", "2G"), "web.nsunit", HOST)


@pytest.mark.parametrize(
    ("section", "text", "expected"),
    [
        ("Slice", "MemoryMax=1G\nMemoryMax=2G", (Property("MemoryMax", "t", 2 << 30),)),
        ("Slice", "MemoryMax=1G\nMemoryMax=50%", (Property("MemoryMaxScale", "u", 2147483648),)),
        ("Slice", "MemoryMax=1G\nMemoryMax=", ()),
        ("Slice", "MemoryMax=\nMemoryMax=1G", (Property("MemoryMax", "t", 1 << 30),)),
        (
            "Slice",
            "AllowedCPUs=0\nAllowedCPUs=2 64",
            (Property("AllowedCPUs", "ay", b"\x05" + bytes(7) + b"\x01" + bytes(7)),),
        ),
        ("Slice", "AllowedCPUs=0\nAllowedCPUs=\nAllowedCPUs=1", (Property("AllowedCPUs", "ay", b"\x02" + bytes(7)),)),
        (
            *("Slice", "IOReadBandwidthMax=/dev/a 1M\nIOReadBandwidthMax=/dev/b 2M\nIOReadBandwidthMax=/dev/a 3M"),
            (
                Property(
                    *("IOReadBandwidthMax", "a(st)"),
                    (("/dev/a", 1_000_000), ("/dev/b", 2_000_000), ("/dev/a", 3_000_000)),
                ),
            ),
        ),
        (
            *("Slice", "RestrictNetworkInterfaces=lo b\nRestrictNetworkInterfaces=lo\nRestrictNetworkInterfaces=~b"),
            (Property("RestrictNetworkInterfaces", "(bas)", (True, ("lo",))),),
        ),
        (
            *("Slice", "DevicePolicy=strict\nDeviceAllow=/dev/null r\nCPUWeight=5\nDeviceAllow=/dev/b"),
            (
                Property("DeviceAllow", "a(ss)", (("/dev/null", "r"), ("/dev/b", ""))),
                Property("CPUWeight", "t", 5),
                Property("DevicePolicy", "s", "strict"),
            ),
        ),
        (
            "Unit",
            "After=a.service b.service\nAfter=b.service c.service",
            (Property("After", "as", ("a.service", "b.service", "c.service")),),
        ),
        (
            *("Unit", "ConditionHost=a\nConditionPathExists=/b\nAssertUser=root"),
            (
                Property(
                    *("Conditions", "a(sbbs)"),
                    (("ConditionHost", False, False, "a"), ("ConditionPathExists", False, False, "/b")),
                ),
                Property("Asserts", "a(sbbs)", (("AssertUser", False, False, "root"),)),
            ),
        ),
        (
            "Unit",
            "ConditionHost=a\nAssertUser=b\nConditionPathExists=",
            (Property("Asserts", "a(sbbs)", (("AssertUser", False, False, "b"),)),),
        ),
        (
            "Service",
            "SuccessExitStatus=1 SIGHUP\nSuccessExitStatus=1 2",
            (Property("SuccessExitStatus", "(aiai)", ((1, 2), (1,))),),
        ),
        (
            *("Service", "ExecStartPre=/bin/a\nExecStartPre=/bin/a"),
            (Property("ExecStartPre", "a(sasb)", (("/bin/a", ("/bin/a",), False),) * 2),),
        ),
        ("Service", "LogExtraFields=A=1\nLogExtraFields=B=2", (Property("LogExtraFields", "aay", (b"A=1", b"B=2")),)),
        ("Service", "StandardOutput=null\nStandardOutput=file:/x", (Property("StandardOutputFile", "s", "/x"),)),
        ("Service", "Delegate=yes\nDelegate=cpu", (Property("DelegateControllers", "as", ("cpu",)),)),
    ],
)
def test_repeated_keys(section: str, text: str, expected: tuple[Property, ...]) -> None:
    assert of(section, text) == expected


def test_a_list_that_was_reset_leaves_no_section_behind() -> None:
    definition = load_text("web", f"{BASE}[Slice]\nMemoryMax=1G\nMemoryMax=\n", "web.nsunit", HOST)
    assert definition.properties == ()
    assert definition.texts_of("Slice") == ()


def test_percent_signs_of_limits_are_no_specifiers_but_those_of_text_are() -> None:
    definition = load_text("web", f"{BASE}[Slice]\nCPUQuota=30%\n[Unit]\nDescription=%p 5%%\n", "f", HOST)
    assert definition.texts_of("Slice") == (("CPUQuota", "30%"),)
    assert definition.texts_of("Unit") == (("Description", "web 5%"),)


def test_every_mistake_is_reported_at_once_in_order() -> None:
    text = """\
[Container]
Roofs=/srv/r
Exec=/bin/sh
MemoryMax=1G
Environment=A
[Slice]
MemoryMax=1X
MemroyMax=1G
TasksMax=512
Restart=always
[Servise]
Foo=bar
[Service]
Type=simple
ExecStart=/bin/true
User=joe
Foo
CPUShares=5
[Unit]
Description=%Z
"""
    assert problems(text) == [
        ("web.nsunit: [Container] needs Rootfs=, Layer= or Image=", "e.g. Rootfs=/var/lib/machines/debian"),
        ("web.nsunit:2: [Container] 'Roofs' is not a key", "did you mean Rootfs=?"),
        ("web.nsunit:4: [Container] 'MemoryMax' is not a key", "it belongs in [Slice]"),
        (
            "web.nsunit:5: [Container] Environment: 'A' is not NAME=VALUE",
            "a value with blanks needs quotes around the whole",
        ),
        ("web.nsunit:7: [Slice] MemoryMax: '1X' is not a size", "use bytes or K, M, G, T, e.g. 512M"),
        ("web.nsunit:8: [Slice] 'MemroyMax' is not a key", "did you mean MemoryMax=?"),
        ("web.nsunit:10: [Slice] 'Restart' is not a key", "it belongs in [Service]"),
        ("web.nsunit:11: unknown section '[Servise]'", "did you mean [Service]?"),
        (
            "web.nsunit:14: [Service] Type: nsunit tells systemd itself when and as which process the program runs",
            "use [Container] Notify=yes if the program itself says that it is ready",
        ),
        (
            "web.nsunit:15: [Service] ExecStart: nsunit's helper is what systemd starts",
            "use [Container] Exec=",
        ),
        (
            "web.nsunit:16: [Service] User: 'joe' is neither auto, no, identity, START:COUNT nor a user of this host",
            "a user inside is [Container] User=",
        ),
        ("web.nsunit:17: [Service] 'Foo' has no '='", "write Key=value"),
        ("web.nsunit:18: [Service] CPUShares: only cgroup version 1 has it", "use CPUWeight="),
        (
            "web.nsunit:20: [Unit] Description: '%Z' is not a specifier",
            "known are %n %N %p %i %H %m %h %u %U %t %S %C %%; a percent sign is %%",
        ),
    ]


@pytest.mark.parametrize(
    ("section", "key", "hint"),
    [
        ("Slice", "memorymax", "did you mean MemoryMax=?"),
        ("Slice", "MemoryMaxx", "did you mean MemoryMax=?"),
        ("Service", "Rootfs", "it belongs in [Container]"),
        ("Service", "WantedBy", "it belongs in [Install]"),
        ("Container", "ExecStart", "use [Container] Exec="),
        ("Container", "Type", "use [Container] Notify=yes if the program itself says that it is ready"),
        ("Container", "RootImage", "have fstab(5) mount the disk image, and use [Container] Layer="),
        ("Container", "MountImages", "have fstab(5) mount the disk image, and use [Container] Bind="),
        ("Container", "RootMStack", "use [Container] Rootfs= or Layer="),
        ("Container", "PIDFile", "leave it out"),
        ("Container", "CpuQuotta", "did you mean [Slice] CPUQuota=?"),
        ("Container", "Frobnicate", "see nsunit.container(5) for all keys"),
        ("Container", "Mountpoint\x1b", "see nsunit.container(5) for all keys"),
    ],
)
def test_an_unknown_key_gets_the_nearest_one(section: str, key: str, hint: str) -> None:
    assignments = [("Container", "Rootfs", "/r", "-p"), ("Container", "Exec", "/s", "-p"), (section, key, "1", "-p")]
    with pytest.raises(DefinitionError) as caught:
        load_properties("web", assignments, HOST)
    (problem,) = caught.value.problems
    assert "\x1b" not in problem.message
    if "\x1b" not in key:
        assert (problem.message, problem.hint) == (f"[{section}] '{key}' is not a key", hint)


def test_a_file_full_of_unknown_keys_is_refused_quickly() -> None:
    found = problems(BASE + "[Slice]\n" + "MemroyMax=1G\n" * 5000)
    assert len(found) == 5000
    assert found[0][1] == "did you mean MemoryMax=?"
    assert found[-1][1] is None


@pytest.mark.parametrize("section", ["Slice", "Service"])
@pytest.mark.parametrize(
    ("key", "text", "floor"),
    [("MemoryMax", "8M", "16M"), ("MemoryHigh", "16777215", "16M"), ("TasksMax", "3", "4")],
)
def test_limits_that_the_helper_could_not_live_with(section: str, key: str, text: str, floor: str) -> None:
    assert problems(f"{BASE}[{section}]\n{key}={text}\n") == [
        (
            f"web.nsunit:5: [{section}] {key}: '{text}' is less than setting up a container takes",
            f"use at least {floor}",
        )
    ]


def test_the_lowest_limits() -> None:
    assert of("Slice", "MemoryMax=16M\nTasksMax=4") == (
        Property("MemoryMax", "t", 1 << 24),
        Property("TasksMax", "t", 4),
    )


def test_a_watchdog_needs_a_program_that_notifies() -> None:
    assert problems(f"{BASE}[Service]\nWatchdogSec=30\n") == [
        (
            "web.nsunit:5: [Service] WatchdogSec: the program could not tell that it is alive",
            "set [Container] Notify=yes",
        )
    ]
    assert problems(f"{BASE}[Service]\nReloadSignal=SIGHUP\n") == [
        (
            "web.nsunit:5: [Service] ReloadSignal: the program could not tell when it has reloaded",
            "set [Container] Notify=yes",
        )
    ]
    load_text("web", f"{BASE}Notify=yes\n[Service]\nWatchdogSec=30\nReloadSignal=SIGHUP\n", "f", HOST)
    load_text("web", f"{BASE}[Service]\nWatchdogSec=0\n", "f", HOST)


def test_a_wrong_value_is_not_called_missing_as_well() -> None:
    assert problems("[Container]\nRootfs=srv\nExec=-x\n") == [
        ("web.nsunit:2: [Container] Rootfs: 'srv' is not an absolute path", "start it with /"),
        ("web.nsunit:3: [Container] Exec: '-x' is not a program", "nsunit takes no prefix before the program"),
    ]


def test_values_never_become_text_of_another_line() -> None:
    for value in ("a\\n[Service]\\nExecStartPre=/bin/touch x", "a\\x0a", "a\\012", "a\\u2028b", "a\\rb", "a\\x00"):
        assert problems(f"{BASE}[Service]\nExecStartPre=/bin/sh {value}\n")
    for control in "\n\r\0\x1b\x7f\x85\u2028\u2029":
        for key in ("Description", "Hostname", "Environment", "Rootfs", "Exec", "SyslogIdentifier"):
            with pytest.raises(DefinitionError) as caught:
                load_properties("web", [("", key, f"/a{control}[Service]", "-p")], HOST)
            assert control not in caught.value.problems[0].message
            assert "contains a control character" in caught.value.problems[0].message


def test_a_command_may_have_lines_and_no_unit_has_them() -> None:
    definition = load_text("web", f'{BASE}Exec=/bin/sh -c "a\\n[Service]\\nUser=x"\n', "web.nsunit", HOST)
    assert definition.container.exec == ("/bin/sh", "-c", "a\n[Service]\nUser=x")
    made = units(definition, FACTS)
    assert "[Service]" not in repr((made.slice, made.service, made.service_directives, made.slice_directives))


def test_drop_ins_and_search_path(tmp_path: Path) -> None:
    etc, run, lib = (tmp_path / name for name in ("etc", "run", "lib"))
    write(lib / "web.nsunit", BASE + "[Slice]\nMemoryMax=1G\nAllowedCPUs=0\n")
    write(lib / "web.nsunit.d/10-a.conf", "[Slice]\nMemoryMax=2G\n")
    write(lib / "web.nsunit.d/20-b.conf", "[Slice]\nAllowedCPUs=1\n")
    write(run / "web.nsunit.d/15-c.conf", "[Slice]\nMemoryMax=3G\n")
    write(etc / "web.nsunit.d/20-b.conf", "[Slice]\nAllowedCPUs=2\n")
    write(etc / "web.nsunit.d/ignored.txt", "nonsense")
    write(etc / "web.nsunit.d/.hidden.conf", "nonsense")
    definition = load("web", SearchPath((str(etc), str(run), str(lib))), HOST)
    assert definition.sources == (
        str(lib / "web.nsunit"),
        str(lib / "web.nsunit.d/10-a.conf"),
        str(run / "web.nsunit.d/15-c.conf"),
        str(etc / "web.nsunit.d/20-b.conf"),
    )
    assert definition.properties_of("Slice") == (
        Property("AllowedCPUs", "ay", b"\x05" + bytes(7)),
        Property("MemoryMax", "t", 3 << 30),
    )


def test_problems_name_the_file_they_are_in_main_file_first(tmp_path: Path) -> None:
    write(tmp_path / "web.nsunit", "[Container]\nExec=-\n")
    write(tmp_path / "web.nsunit.d/a.conf", "[Slice]\nMemoryMax=x\n")
    (tmp_path / "web.nsunit.d/b.conf").mkdir()
    with pytest.raises(DefinitionError) as caught:
        load("web", SearchPath((str(tmp_path),)), HOST)
    assert caught.value.message.splitlines() == [
        f"{tmp_path}/web.nsunit:2: [Container] Exec: '-' is not a program",
        f"{tmp_path}/web.nsunit.d/a.conf:2: [Slice] MemoryMax: 'x' is not a size",
        f"{tmp_path}/web.nsunit.d/b.conf: is not a regular file",  # where Rootfs= may be
    ]


def test_an_instance_uses_its_template(tmp_path: Path) -> None:
    write(tmp_path / "web@.nsunit", "[Container]\nRootfs=/srv/%p\nExec=/bin/sh\nHostname=%i\n")
    write(tmp_path / "web@.nsunit.d/10.conf", "[Slice]\nTasksMax=10\nCPUWeight=1\n")
    write(tmp_path / "web@blue.nsunit.d/20.conf", "[Slice]\nTasksMax=20\n")
    definition = load("web@blue", SearchPath((str(tmp_path),)), HOST)
    assert (definition.name, definition.container.hostname) == ("web@blue", "blue")
    assert definition.container.rootfs == "/srv/web"
    assert dict(definition.texts_of("Slice")) == {"CPUWeight": "1", "TasksMax": "20"}
    assert len(definition.sources) == 3


@pytest.mark.parametrize(
    ("assignment", "section", "key"),
    [
        (("", "MemoryMax", "1G", "-p"), "Slice", "MemoryMax"),
        (("", "Restart", "always", "-p"), "Service", "Restart"),
        (("", "Description", "x", "-p"), "Unit", "Description"),
        (("", "User", "joe", "-p"), "Container", "User"),
        (("", "NoNewPrivileges", "no", "-p"), "Container", "NoNewPrivileges"),
        (("", "Delegate", "cpu", "-p"), "Service", "Delegate"),
        (("", "Service.MemoryMax", "1G", "-p"), "Service", "MemoryMax"),
        (("Service", "CPUQuota", "5%", "-p"), "Service", "CPUQuota"),
    ],
)
def test_bare_keys_find_their_section(assignment: tuple[str, str, str, str], section: str, key: str) -> None:
    base = [("", "Rootfs", "/srv/r", "-p"), ("", "Exec", "/bin/sh", "-p")]
    definition = load_properties("web", [*base, assignment], HOST)
    assert key in dict(definition.texts_of(section))
    assert definition.sources == ("-p",)


@pytest.mark.parametrize(
    ("assignment", "message", "hint"),
    [
        (("", "Memorymax", "1G", "-p"), "[Container] 'Memorymax' is not a key", "did you mean [Slice] MemoryMax=?"),
        (
            ("", "Foo.Bar", "1", "-p"),
            "[Foo] 'Bar' is not a key",
            "the sections are Unit, Container, Pod, Slice, Service, Timer, Install",
        ),
        (("", "Slise.TasksMax", "9", "-p"), "[Slise] 'TasksMax' is not a key", "did you mean [Slice]?"),
        (
            ("", "ExecStart", "/x", "-p"),
            "[Service] ExecStart: nsunit's helper is what systemd starts",
            "use [Container] Exec=",
        ),
        (("", "Description", "a\\", "-p"), "'Description=a\\' ends with a backslash", "a value is one line of text"),
        (("", "Description", "a\udcff", "-p"), "'Description=a\\udcff' is not UTF-8", "a value is one line of text"),
        (
            ("", "TasksMax", "x", "-p TasksMax"),
            "[Slice] TasksMax: 'x' is not a number of tasks",
            "use a number above 0, a percentage or infinity",
        ),
    ],
)
def test_wrong_assignments(assignment: tuple[str, str, str, str], message: str, hint: str) -> None:
    base = [("", "Rootfs", "/srv/r", "-p"), ("", "Exec", "/bin/sh", "-p")]
    with pytest.raises(DefinitionError) as caught:
        load_properties("web", [*base, assignment], HOST)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line, problem.message, problem.hint) == (assignment[3], 0, message, hint)


def test_no_assignments_at_all() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_properties("web", [], HOST)
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        (
            "[Container] Exec= is missing",
            "name the program to run, e.g. -p Exec=/bin/sh, or Boot=yes for a whole system",
        ),
        ("[Container] needs Rootfs=, Layer= or Image=", "e.g. -p Rootfs=/var/lib/machines/debian"),
    ]


@pytest.mark.parametrize("name", ["", "../web", "Web", "web@", "a b", "-x", "web\n"])
def test_a_wrong_name_is_refused(name: str) -> None:
    for call in (
        lambda: load(name, SearchPath(("/nonexistent",)), HOST),
        lambda: load_text(name, BASE, "f", HOST),
        lambda: load_properties(name, [], HOST),
    ):
        with pytest.raises(UsageError):
            call()


def test_definitions_have_no_sections_that_they_do_not_mention() -> None:
    definition = load_text("web", BASE, "f", HOST)
    assert isinstance(definition, Definition)
    assert definition.properties == ()
    assert definition.properties_of("Slice") == ()


def test_what_stands_in_a_mistyped_section_is_not_missing() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_text("web", "[Contianer]\nRootfs=/r\nExec=/s\n", "web.nsunit", HOST)
    (problem,) = caught.value.problems
    assert str(problem) == "web.nsunit:1: unknown section '[Contianer]'"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Slice]\nTasksMax=x\n", 3),  # Rootfs= and Exec= are missed, too
        ("[container]\nRootfs=/srv\nExec=/bin/sh\n", 1),
        ("[Countainer]\nRootfs=/srv\nExec=/bin/sh\n", 1),
        ("[Kontainer Nr. 1]\nRootfs=/srv\nExec=/bin/sh\n", 1),  # no name is near
        ("Rootfs=/srv\nExec=/bin/sh\n", 1),
        ("[Container\nRootfs=/srv\nExec=/bin/sh\n", 1),
        ("[Container]\nRootfs\n", 1),
        ("[Container]\nHostname=x\n[Slice\n", 3),
    ],
)
def test_nothing_is_missed_that_may_be_in_what_cannot_be_read(text: str, said: int) -> None:
    assert len(problems(text)) == said, problems(text)
