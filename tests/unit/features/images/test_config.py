"""What is taken of the config of an image, which may say anything."""

import pytest

from nsunit.errors import NsunitError
from nsunit.features.images.config import image_of, platform_of


def taken(config):
    said: list[str] = []
    return image_of("0f", ("aa",), {"config": config}, said.append), said


def test_all_that_counts():
    image, said = taken(
        {
            "Entrypoint": ["/e"],
            "Cmd": ["c"],
            "Env": ["A=1", "B=2=3", "A=4", "C="],
            "User": "web:staff",
            "WorkingDir": "/srv",
            "StopSignal": "SIGQUIT",
            "Labels": {"org.systemd.property.User": "'root'"},
            "Volumes": {"/data//x/": {}},
            "ExposedPorts": {"80/tcp": {}},
        }
    )
    assert said == []
    assert image.volumes == ("/data/x",)
    assert (image.entrypoint, image.cmd) == (("/e",), ("c",))
    assert image.environment == (("A", "4"), ("B", "2=3"), ("C", ""))
    assert (image.user, image.group, image.working_directory, image.stop_signal) == ("web", "staff", "/srv", 3)


@pytest.mark.parametrize("document", [{}, {"config": None}, {"config": {}}, [], None, {"config": []}])
def test_nothing_said(document):
    image = image_of("0f", ("aa",), document, pytest.fail)
    assert (image.entrypoint, image.cmd, image.user, image.stop_signal) == ((), (), "", 0)


def test_variables_without_a_value_are_never_those_of_the_host(monkeypatch):
    monkeypatch.setenv("SECRET", "host")
    image, said = taken({"Env": ["SECRET", "*", "PATH*", "=x", "A\nB=c", "", "OK=1"]})
    assert image.environment == (("OK", "1"),)
    assert len(said) == 6
    assert all(text.isprintable() for text in said)


def test_volumes_that_there_cannot_be_are_left_out():
    image, said = taken({"Volumes": {"/proc": {}, "x": {}, "/a/../b": {}, "/": {}, "/" + "y" * 256: {}, "/ok/": None}})
    assert image.volumes == ("/ok",)
    assert said[0] == "the volume '/proc' of its config is left out: there can be none"
    assert len(said) == 5
    for wrong in (["/x"], {f"/{number}": {} for number in range(257)}):
        with pytest.raises(NsunitError, match="Volumes is not an object of at most 256 paths"):
            taken({"Volumes": wrong})


def test_an_unknown_signal_is_left_out():
    image, said = taken({"StopSignal": "SIGNOTHING"})
    assert image.stop_signal == 0
    assert said == ["the StopSignal 'SIGNOTHING' of its config is left out: there is no such signal"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"Cmd": "/bin/sh"}, "config: Cmd is not a list of texts"),
        ({"Cmd": [1]}, "config: Cmd is not a list of texts"),
        ({"Entrypoint": ["a\0b"]}, "config: Entrypoint is not a list of texts"),
        ({"Cmd": ["x" * (1 << 21)]}, "config: Cmd is longer than a program can be given"),
        ({"User": 0}, "config: User is not a text"),
        ({"User": "a b"}, "config: User: 'a b' is not a user"),
        ({"User": "-1"}, "config: User: '-1' is not a user"),
        ({"User": "1:+0"}, "config: User: '+0' is not a group"),
        ({"User": "１"}, "config: User: '１' is not a user"),
        ({"WorkingDir": "srv"}, "config: WorkingDir: 'srv' is not an absolute path"),
    ],
)
def test_what_makes_no_sense(config, said):
    with pytest.raises(NsunitError) as error:
        taken(config)
    assert error.value.message == said


def test_platforms():
    assert platform_of("x86_64") == ("linux", "amd64")
    assert platform_of("aarch64") == ("linux", "arm64", "v8")
    assert platform_of("x86_64", "linux/arm/v7") == ("linux", "arm", "v7")
    for text in ("arm", "linux/", "linux/a/b/c", "linux/../x", "linux/ä"):
        with pytest.raises(NsunitError):
            platform_of("x86_64", text)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"Test": ["CMD", "/bin/a", "b c"]}, {"command": ("/bin/a", "b c")}),
        ({"Test": ["CMD-SHELL", "a | b"]}, {"command": ("/bin/sh", "-c", "a | b")}),
        (
            {
                "Test": ["CMD", "a"],
                "Interval": 5_000_000_000,
                "Timeout": 1,
                "StartPeriod": 0,
                "StartInterval": 1 << 80,
                "Retries": 4,
            },
            {
                "command": ("a",),
                "interval": 5_000_000,
                "timeout": 100_000,
                "start_interval": 30 * 86_400_000_000,
                "retries": 4,
            },
        ),
        ({"Test": ["CMD", "a"], "Interval": "1s", "Retries": -1}, {"command": ("a",)}),
        ({"Test": ["NONE"]}, {}),
        ({"Test": []}, {}),
        ({}, {}),
        (None, {}),
        ("x", {}),
    ],
)
def test_how_it_is_checked(found, expected):
    image, said = taken({"Healthcheck": found})
    assert (dict(image.healthcheck), said) == (expected, [])


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (["CMD"], "'CMD' is no kind of command"),
        (["RUN\x1b", "x"], "'RUN\\x1b' is no kind of command"),
        ("a", "config: Test is not a list of texts"),
        (["CMD", 3], "config: Test is not a list of texts"),
    ],
)
def test_a_check_that_cannot_be_meant_is_left_out(test, why):
    image, said = taken({"Healthcheck": {"Test": test}})
    assert (image.healthcheck, said) == ((), [f"the Healthcheck of its config is left out: {why}"])
