"""Files that are rewritten in place."""

import os

from nsunit.features.names import files
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
