"""What an image is called that comes in."""

import pytest

from nsunit.features.images.bring import Source, _names_for


@pytest.mark.parametrize(
    ("transport", "told", "names"),
    [
        ("oci", ["1.27"], ["localhost/saved:1.27"]),  # a tag alone
        ("oci", [], ["localhost/saved:latest"]),
        ("oci-archive", ["web:2"], ["localhost/web:2"]),  # a short name, as skopeo writes it
        ("oci-archive", ["docker.io/library/web:2", "web:2"], ["docker.io/library/web:2"]),
        ("oci-archive", ["localhost:5000/a/web:2"], ["localhost:5000/a/web:2"]),
        ("docker-archive", ["web:2"], ["docker.io/library/web:2"]),  # 'docker save' leaves its own registry out
    ],
)
def test_an_image_has_the_name_that_its_archive_says(transport, told, names):
    assert _names_for(Source(transport, "/srv/saved.tar"), transport, (), told) == names


def test_a_path_of_this_moment_is_no_name():
    """As where an image of podman's, or a build, has none."""
    assert _names_for(Source("dir", "/tmp/x/image", origin="containers-storage:0a1b"), "dir", (), []) == []


def test_a_name_that_is_given_here_is_of_no_registry():
    given = ("web:3", "docker.io/web", "registry.example/web:1")
    wanted = ["localhost/web:3", "docker.io/library/web:latest", "registry.example/web:1"]
    assert _names_for(Source("oci", "/srv/saved"), "oci", given, ["1.27"]) == wanted
