"""What a definition names in its root, looked up in directories of a test."""

import os
import types

import pytest

from nsunit.deeds.inside import missing_inside
from nsunit.definition.load import Host, load_text
from nsunit.storage.paths import Paths


@pytest.fixture
def layers(tmp_path):
    """Two layers: `top` has links into `base`, which has the files."""
    top, base = tmp_path / "top", tmp_path / "base"
    for path in (top / "opt", base / "usr/bin", base / "etc"):
        path.mkdir(parents=True)
    (base / "bin").symlink_to("usr/bin")
    for name, mode in (("app", 0o755), ("text", 0o644)):
        (base / "usr/bin" / name).write_text("")
        (base / "usr/bin" / name).chmod(mode)
    (top / "opt/app").symlink_to("/bin/app")
    (top / "opt/up").symlink_to("../../../bin/app")
    (top / "opt/loop").symlink_to("loop")
    (base / "etc/passwd").write_text("www:x:33:33::/:/bin/sh\n")
    (base / "etc/group").write_text("www:x:33:\n")
    return top, base


def problems(layers, tmp_path, *lines):
    text = "\n".join(("[Container]", *(f"Layer={layer}" for layer in layers), *lines, ""))
    found = load_text("web", text, "web.nsunit", Host(257))
    context = types.SimpleNamespace(paths=Paths(str(tmp_path / "run"), str(tmp_path / "lib")))
    return [problem.message.removeprefix("[Container] ") for problem in missing_inside(context, found)]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["Exec=/bin/app", "User=www", "Group=www"], []),
        (["Exec=app"], []),
        (["Exec=/opt/app"], []),
        (["Exec=/opt/up"], []),
        (["Exec=/opt/loop"], ["Exec: '/opt/loop' is not in the root"]),
        (["Exec=/bin/text"], ["Exec: '/bin/text' is not executable"]),
        (["Exec=nothing"], ["Exec: 'nothing' is not in the root"]),
        (["Exec=nothing", "Tmpfs=/usr/local/bin"], []),
        (["Exec=/bin/app", "User=nobody"], ["User: 'nobody' is not in /etc/passwd of the root"]),
        (["Exec=/bin/app", "User=77", "Group=root"], []),
        (
            ["Exec=/bin/app", "SupplementaryGroups=www video"],
            ["Group: 'video' is not in /etc/group of the root"],
        ),
        (["Exec=/bin/app", "User=nobody", "Bind=/srv:/etc"], []),
    ],
)
def test_what_is_missing(layers, tmp_path, lines, found):
    assert problems(layers, tmp_path, *lines) == found


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.write_bytes(bytes(1 << 21))])
def test_a_file_of_users_that_cannot_be_read(layers, tmp_path, make):
    """It is a mistake of this definition, and keeps nobody from hearing of others'."""
    (layers[1] / "etc/passwd").unlink()
    make(layers[1] / "etc/passwd")
    (problem,) = problems(layers, tmp_path, "Exec=/bin/app", "User=www", "Group=www")
    assert problem.startswith("User: /etc/passwd of the root cannot be read: ")


def test_what_the_container_has_made_itself_counts(layers, tmp_path):
    upper = tmp_path / "lib/containers/web/overlay/upper/bin2"
    upper.mkdir(parents=True)
    (upper / "own").write_text("")
    (upper / "own").chmod(0o700)
    assert problems(layers, tmp_path, "Exec=/bin2/own") == []


def test_a_root_that_is_not_there_is_told_elsewhere(tmp_path):
    assert problems([tmp_path / "none"], tmp_path, "Exec=/bin/app") == []
