"""What is said of environment files."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from definitions import container

from nsunit.errors import NsunitError
from nsunit.features.environment_files.deeds import facts, variables
from nsunit.plan.facts import Facts

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=1\nexport B=2\n\nC\n\ufeffD=4\n")
    said: list[str] = []
    assert variables(f"{tmp_path}/env", said.append, 257) == [("A", "1")]
    assert said == [
        f"warning: {tmp_path}/env:2: 'export B' is not the name of a variable, passed over",
        f"warning: {tmp_path}/env:5: '\\ufeffD' is not the name of a variable, passed over",
        f"warning: {tmp_path}/env:4: not NAME=VALUE, passed over",
    ]


def test_comments_before_systemd_254(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# a \\\nA=1\n")
    assert variables(f"{tmp_path}/env", print, 254) == [("A", "1")]
    assert variables(f"{tmp_path}/env", print, 253) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"A=1\nB=\xe4\n", "{path}:2: 'B' is not UTF-8"),
        (b"A=1\0\n", "{path}: has a NUL"),
        (None, "{path}: is not a regular file"),
        (b"A=" + b"x" * (1 << 20), "{path}: is larger than 1048576 bytes"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "env"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(NsunitError) as caught:
        variables(str(path), print, 257)
    assert caught.value.message == message.format(path=path)


def facts_of(lines: str) -> tuple[object, list[str]]:
    """The variables of a container, and the warnings."""
    said: list[str] = []
    definition = SimpleNamespace(container=container(lines))
    found = facts(SimpleNamespace(warn=said.append), definition, Facts(257, "", "", ""))  # type: ignore[arg-type]
    return found.extra("environment_files"), said


def test_optional_files(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"A=\xe4\n")
    found = facts_of(f"EnvironmentFile=-{tmp_path}/missing\nEnvironmentFile=-{tmp_path}/bad")
    assert found == ((), [f"warning: {tmp_path}/bad:1: 'A' is not UTF-8; the file is passed over"])
