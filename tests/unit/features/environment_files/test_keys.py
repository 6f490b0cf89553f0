"""EnvironmentFile=."""

from __future__ import annotations

from definitions import container

from nsunit.features.environment_files.keys import EnvironmentFile, of


def test_environment_files() -> None:
    found = of(container("EnvironmentFile=/etc/a\nEnvironmentFile=-/etc/b"))
    assert found == (EnvironmentFile("/etc/a", False), EnvironmentFile("/etc/b", True))
