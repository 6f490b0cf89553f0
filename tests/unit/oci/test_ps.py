"""What `ps` keeps of ps(1)'s table."""

import pytest

from nsunit.oci.errors import OciError
from nsunit.oci.verbs import ps


@pytest.fixture
def said(monkeypatch, tmp_path):
    """Has ps(1) say something."""

    def say(text):
        (tmp_path / "said").write_text(text, newline="")
        (tmp_path / "ps").write_text(f"#!/bin/sh\nexec cat {tmp_path}/said\n")
        (tmp_path / "ps").chmod(0o755)
        monkeypatch.setattr(ps, "_PLACES", (f"{tmp_path}/ps",))

    return say


def test_a_line_ends_where_the_table_s_do(said):
    """An argument may have what ends a line elsewhere, followed by a number that is a container's."""
    own, other = "root 7 a\u2028b\x0bc\x85d", "root 8 a\u2028root 7 forged"
    said(f"UID PID CMD\n{own}\n{other}\n")
    assert ps._table([7], ["-ef"]) == f"UID PID CMD\n{own}\n"


def test_no_table(said):
    said("")
    with pytest.raises(OciError, match="ps -ef failed"):
        ps._table([7], ["-ef"])
