"""Files that are rewritten in place."""

import errno

import pytest

from nsunit import setup
from nsunit.features.names import files


def test_a_reader_never_finds_half_a_line(tmp_path, monkeypatch):
    path = tmp_path / "hosts"
    path.write_text("1 a\n2 bbbbbbbb\n")
    seen = []
    truncate = setup.os.ftruncate
    monkeypatch.setattr(setup.os, "ftruncate", lambda fd, length: (seen.append(path.read_text()), truncate(fd, length)))
    setup.write_over(None, str(path), "1 a\n")
    assert seen == ["1 a\n" + "\n" * 11]
    assert path.read_text() == "1 a\n"
    setup.write_over(None, str(path), "1 a\n")
    assert len(seen) == 1  # nothing to do


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    write = setup.os.pwrite
    monkeypatch.setattr(setup.os, "pwrite", lambda fd, content, offset: write(fd, content[:2], offset))
    with pytest.raises(OSError, match="No space left") as caught:
        setup.write_over(None, str(tmp_path / "hosts"), "1 a\n")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "hosts"))


def test_the_servers_behind_one_of_the_hosts_own(monkeypatch):
    texts = {"/etc/resolv.conf": b"nameserver 127.0.0.1\nsearch a\n"}
    monkeypatch.setattr(files, "read", lambda path: texts.get(path, b""))
    assert files.resolver_of_host() == "nameserver 127.0.0.1\nsearch a\n"
    assert files.host_lacks_servers() == ("127.0.0.1",)
    texts["/run/systemd/resolve/resolv.conf"] = b"nameserver 127.0.0.54\n"
    texts["/run/dnsmasq/resolv.conf"] = b"nameserver 192.0.2.7\n"
    assert files.resolver_of_host() == "nameserver 192.0.2.7\nsearch a\n"
    assert files.host_lacks_servers() == ()
    texts["/etc/resolv.conf"] = b"search a\n"
    texts.pop("/run/dnsmasq/resolv.conf")
    assert files.host_lacks_servers() == ()  # it has none itself
