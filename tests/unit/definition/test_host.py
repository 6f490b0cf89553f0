"""What is asked of the host."""

import pwd

from nsunit.definition import host
from nsunit.definition.host import Account, find_user

SUBORDINATE = "bob:1:2\nlea:100000:65536\n1000:300000:10\n# lea:1:1\nlea:5:0\nlea:x:1\nlea\nlea:1:2:3\n"
LEA = Account("lea", 1000, 1001, ((100000, 65536), (300000, 10)), ((200000, 65536),))


def test_a_user_of_the_host(monkeypatch, tmp_path):
    texts = {"/etc/subuid": SUBORDINATE, "/etc/subgid": "lea:200000:65536\n"}
    entry = pwd.struct_passwd(("lea", "x", 1000, 1001, "", "/", "/bin/sh"))
    monkeypatch.setattr(host, "_content", texts.__getitem__)
    monkeypatch.setattr(pwd, "getpwnam", {"lea": entry}.__getitem__)
    monkeypatch.setattr(pwd, "getpwuid", {1000: entry}.__getitem__)
    assert find_user("lea") == find_user("1000") == LEA
    assert find_user("eve") is find_user("7") is None
