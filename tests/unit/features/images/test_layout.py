"""Names of images, and the file that a start reads."""

import pytest

from nsunit.features.images.layout import Image, candidates, dump, file_of, full_name, is_reference, load, name_of

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("team/app", "docker.io/team/app:latest"),
        ("localhost/web", "localhost/web:latest"),
        ("quay.io/a/b/c:x", "quay.io/a/b/c:x"),
        ("localhost:5000/web", "localhost:5000/web:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
    ],
)
def test_names_are_completed(text, expected):
    assert is_reference(text)
    assert full_name(text) == expected
    assert name_of(file_of(expected)) == expected
    assert "/" not in file_of(expected)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "/",
            "a//b",
            "/a",
            "a/",
            "a:",
            ":a",
            "a:b:c/d",
            "A",
            "a/B",
            "..",
            "a/../b",
            "a/.b",
            "-a",
            "a-",
            "a:-b",
            "a:.b",
        ],
        *[
            "a@",
            "a@sha256:12",
            f"a@{DIGEST}x",
            f"a@md5:{'0' * 64}",
            "a b",
            "a\n",
            "a\0",
            "ä",
            "a:" + "t" * 129,
            "a" * 250,
        ],
        *["a+b", "a:b+c", "a%2Fb", "a\u2028", "x/..", "../x:1"],
    ],
)
def test_what_is_no_name(text):
    assert not is_reference(text)


def test_what_was_made_here_comes_first():
    assert list(candidates("web")) == ["localhost/web:latest", "docker.io/library/web:latest"]
    assert list(candidates("localhost/web:1")) == ["localhost/web:1"]


@pytest.mark.parametrize(
    "image",
    [
        Image("0f", ("aa",)),
        Image(
            "0f", ("aa", "bb"), ("/bin/sh", "-c", "a\nb\\n\\"), ("", " ", "\udce9"), (("A", "1=2\n"), ("B", "")), "33"
        ),
        Image("0f", (), (), ("x",), (), "web", "staff", "/w\\x", 10, ("/a", "/b\n")),
    ],
)
def test_what_a_start_reads_comes_back(image):
    assert load(image.id, dump(image)) == image


def test_an_image_that_is_checked_comes_back():
    health = (("command", ("/bin/sh", "-c", "a\nb")), ("interval", 5), ("retries", 2))
    image = Image("0" * 64, ("1" * 64,), healthcheck=health)
    assert load(image.id, dump(image)) == image
