"""Files that are rewritten in place."""

import os

from nsunit.features.network.wire import hosts


def test_a_reader_never_finds_half_a_line(tmp_path, monkeypatch):
    path = tmp_path / "hosts"
    path.write_text("1 a\n2 bbbbbbbb\n")
    seen = []
    truncate = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda fd, length: (seen.append(path.read_text()), truncate(fd, length)))
    hosts.rewrite(str(path), "1 a\n")
    assert seen == ["1 a\n" + "\n" * 11]
    assert path.read_text() == "1 a\n"
    hosts.rewrite(str(path), "1 a\n")
    assert len(seen) == 1  # nothing to do
