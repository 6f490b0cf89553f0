"""A container with what its image says."""

import pytest
from definitions import container, definition, problem

from nsunit.features.images.keys import of, reference
from nsunit.features.images.layout import Image
from nsunit.features.images.plan import operations, said, with_image, without_image
from nsunit.features.images.setup import MakeDirectory
from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations as all_operations

IMAGE = Image(
    *("0f" * 32, ("bb", "aa"), ("/entry", "-x"), ("cmd",), (("A", "image"), ("B", "image")), "web", "staff"),
    *("/srv/app", 3),
)


def run(lines):
    own = container(lines, base="Image=web\n")
    chosen = of(own)
    assert chosen is not None
    return with_image(own, chosen, IMAGE, lambda chain: f"/store/{chain}")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", ("/entry", "-x", "cmd")),
        ("Exec=own 1", ("/entry", "-x", "own", "1")),
        ("Entrypoint=/other", ("/other",)),
        ("Entrypoint=/other\nExec=own", ("/other", "own")),
        ("Boot=yes", ("/sbin/init",)),
    ],
)
def test_the_command(lines, expected):
    assert run(lines).exec == expected


def test_what_the_definition_says_wins():
    found = run("Layer=/top\nEnvironment=B=own C=own\nUser=0\nWorkingDirectory=/w\nStopSignal=TERM")
    assert found.layers == ("/top", "/store/bb", "/store/aa")
    assert found.environment == (("A", "image"), ("B", "own"), ("C", "own"))
    assert (found.user, found.group, found.working_directory, found.stop_signal) == ("0", None, "/w", 15)


def test_what_the_image_says_counts_else():
    found = run("")
    assert (found.user, found.group, found.working_directory, found.stop_signal) == ("web", "staff", "/srv/app", 3)
    assert run("Group=7").group == "7"
    chosen = of(found)
    assert chosen is not None
    assert chosen.id == IMAGE.id


def test_the_directory_of_the_image_is_made_and_that_of_the_definition_is_not():
    made = [item.path for item in operations(planned(), run(""), None) if isinstance(item, MakeDirectory)]
    assert made == ["/srv/app"]
    assert operations(planned(), run("WorkingDirectory=/w"), None) == planned()


def planned():
    return all_operations(definition(), Facts(257, "python3", "run.py", "/run/nsunit/containers/web"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Rootfs=/r", "Image: Image= and Rootfs= exclude each other"),
        ("MountNamespace=host", "Image: its root is there already with MountNamespace=host"),
    ],
)
def test_what_excludes_an_image(lines, said):
    assert problem(lines, base="Image=web\n")[0] == said


def test_an_entrypoint_needs_an_image():
    assert problem("Entrypoint=/e") == (
        "Entrypoint: that is in place of an image's, and there is no Image=",
        "put it into Exec=",
    )


@pytest.mark.parametrize("text", ["A", "a b", "../x", "ftp://nginx"])
def test_a_name_that_is_none(text):
    message, hint = problem(f"Image={text}", base="Exec=/bin/sh\n")
    assert message == f"Image: '{text}' is not the name of an image"
    assert hint == "e.g. docker.io/library/nginx:1.27, or localhost/web"


@pytest.mark.parametrize("text", ["oci-archive:/srv/x.tar", "containers-storage:localhost/x:1", "dir:/srv/x"])
def test_a_source_is_no_name(text):
    message, hint = problem(f"Image={text}", base="Exec=/bin/sh\n")
    assert message == f"Image: '{text}' is where an image comes from, and not its name"
    assert (
        hint == f"bring it in with 'nsunit image import {text} --name localhost/NAME', and write Image=localhost/NAME"
    )


def test_the_transport_of_registries_says_nothing_new():
    assert reference("docker://docker.io/library/nginx:1.27") == "docker.io/library/nginx:1.27"


def test_each_part_says_where_it_is_from():
    """Of the image what the definition does not say itself."""
    own = container("Exec=own\nEnvironment=A=1\nWorkingDirectory=/w\nUser=7\n", base="Image=web\n")
    chosen = of(own)
    image = Image("0f", (), ("/e",), ("cmd",), (("A", "0"), ("B", "2")), "web", "", "/other", 10)
    found = [(item["key"], item["value"], item["from"]) for item in said(own, chosen, image)]
    assert found == [
        ("Entrypoint", ["/e"], "image"),
        ("Exec", ["own"], "definition"),
        ("Environment B", "2", "image"),
        ("Environment A", "1", "definition"),
        ("User", "7", "definition"),
        ("WorkingDirectory", "/w", "definition"),
        ("StopSignal", 10, "image"),
    ]


def test_what_is_shown_without_the_image():
    own = container("Layer=/l\n", base="Image=web\n")
    shown = without_image(own, of(own))
    assert (shown.layers, shown.exec) == (("/l", "the layers of web"), ("the command of web",))
