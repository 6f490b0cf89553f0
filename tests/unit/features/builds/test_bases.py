import pytest

from nsunit.features.builds.bases import bases

EVERYTHING = """\
# escape=no; FROM comment
ARG BASE=debian
ARG TAG
ARG QUOTED="quoted"
FROM --platform=linux/amd64 $BASE:${TAG:-12} AS First
ARG BASE=other
FROM first
  from ${QUOTED}
FROM scratch as last
COPY --chown=1:1 --from=tools /a \\
# between
  --from=docker.io/library/nginx:1 /b
COPY --from=first /a /b
COPY --from=0 /a /b
RUN --network=none --mount=type=bind,from=mounted,target=/x --mount=type=cache,target=/y \\
    cp --from=word FROM word
LABEL FROM=label
"""


def test_what_names_an_image_is_found_as_it_is_written():
    assert bases(EVERYTHING, {}) == {
        "$BASE:${TAG:-12}": "debian:12",
        "${QUOTED}": "quoted",
        "tools": "tools",
        "docker.io/library/nginx:1": "docker.io/library/nginx:1",
        "mounted": "mounted",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG BASE=debian\nFROM ${BASE}", {"${BASE}": "mine"}),
        ("ARG BASE\nFROM $BASE", {"$BASE": "mine"}),
        ("ARG FROM=registry/$BASE\nFROM $FROM", {"$FROM": "registry/"}),
        ("ARG BASE\nARG FROM=registry/${BASE}:1\nFROM $FROM", {"$FROM": "registry/mine:1"}),
        ("FROM $BASE", {}),  # no ARG, no value
        ("FROM a\nARG BASE\nFROM b$BASE", {"a": "a", "b$BASE": "b"}),  # of the stage alone
        ("FROM a\nARG BASE\nCOPY --from=$BASE / /", {"a": "a", "$BASE": "mine"}),
        ("ARG X=1\nFROM a\nARG X\nCOPY --from=b:$X / /\nFROM c:$X", {"a": "a", "b:$X": "b:1", "c:$X": "c:1"}),
        ("ARG X=1\nFROM a\nCOPY --from=b$X / /", {"a": "a", "b$X": "b"}),
        ("FROM", {}),
        ("", {}),
    ],
)
def test_arguments_of_the_command_line_count(text, expected):
    assert bases(text, {"BASE": "mine"}) == expected


@pytest.mark.parametrize(
    ("said", "unset", "empty", "given"),
    [
        ("x${X}", "x", "x", "xv"),
        ("x${X:-d}", "xd", "xd", "xv"),
        ("x${X-d}", "xd", "x", "xv"),
        ("x${X:+a}", "x", "x", "xa"),
        ("x${X+a}", "x", "xa", "xa"),
        ("x${X:?why}", "x", "x", "xv"),
        ("x${X?why}:1", "x:1", "x:1", "xv:1"),
        ("x${X:-${Y:-$Z}}.y", "xz.y", "xz.y", "xv.y"),
        ("x${X:+-$X}${Z+:${Z}}", "x:z", "x:z", "x-v:z"),
        ("x${X:-d", "xd", "xd", "xv"),
    ],
)
def test_variables_are_replaced_as_dockerfiles_have_it(said, unset, empty, given):
    for declared, expected in (("X", unset), ("X=", empty), ("X=v", given)):
        assert bases(f"ARG {declared} Z=z\nFROM {said}", {}) == {said: expected}
