"""`ns list`, `ns same` and pins as far as they can be tried without a container: on this process."""

import os
import types

import pytest

from nsunit.errors import NotFoundError, UsageError
from nsunit.features.namespaces import listing as ledger
from nsunit.features.namespaces import pins
from nsunit.features.namespaces.ledger import Row
from nsunit.storage.paths import Paths

CONTEXT = types.SimpleNamespace(bus=None, user=False, cgroup="", paths=Paths("/nonexistent", "/nonexistent"))
OWN = f"/proc/{os.getpid()}/ns"


def test_same_of_a_process_and_itself():
    found = ledger.same(CONTEXT, str(os.getpid()), str(os.getpid()))
    assert [item.kind for item in found] == list(ledger.KINDS)
    assert all(item.same for item in found)
    assert found[0].inodes[0] == os.stat(f"{OWN}/cgroup").st_ino


def test_same_by_path_compares_that_kind_only():
    (found,) = ledger.same(CONTEXT, f"{OWN}/uts", str(os.getpid()))
    assert (found.kind, found.same) == ("uts", True)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ((f"{OWN}/uts", f"{OWN}/ipc"), UsageError, f"'{OWN}/uts' is a namespace of another kind"),
        ((f"{OWN}/uts", str(os.getpid()), "ipc"), UsageError, f"'{OWN}/uts' is a namespace of another kind"),
        (("/dev/null", f"{OWN}/uts"), UsageError, "'/dev/null' is not a namespace"),
        (("/nonexistent/x", f"{OWN}/uts"), NotFoundError, "there is no '/nonexistent/x'"),
        (("4194305", f"{OWN}/uts"), NotFoundError, "there is no process 4194305"),
        (("1", "1", "nett"), UsageError, "'nett' is not a kind of namespace"),
        (("We b", "1"), UsageError, "'We b' is not a container name"),
    ],
)
def test_same_refuses(words, error, message):
    with pytest.raises(error) as caught:
        ledger.same(CONTEXT, *words)
    assert caught.value.message == message


def test_list_of_a_container_without_namespaces(monkeypatch):
    row = Row("web", "net", 3, 7, 0, (), "left", ())
    monkeypatch.setattr(ledger, "scan", lambda *_where: None)
    monkeypatch.setattr(ledger, "rows", lambda scan: [row, row.replace(kind="uts", state="used")])
    assert len(ledger.list_namespaces(CONTEXT, ["web"])) == 2
    assert ledger.list_namespaces(CONTEXT, left=True) == [row]
    with pytest.raises(NotFoundError) as caught:
        ledger.list_namespaces(CONTEXT, ["db"])
    assert caught.value.message == "db: it is not running"


def test_unpin_what_is_not_there(tmp_path):
    context = types.SimpleNamespace(user=False, paths=Paths(os.fspath(tmp_path / "run"), os.fspath(tmp_path / "state")))
    with pytest.raises(NotFoundError) as caught:
        pins.unpin(context, "shop")
    assert caught.value.message == "there is no pin 'shop'"
    (tmp_path / "run/namespaces/shop").mkdir(parents=True)
    (tmp_path / "run/namespaces/shop/net").touch()
    with pytest.raises(NotFoundError) as caught:
        pins.unpin(context, "shop", "uts")
    assert (caught.value.message, caught.value.hint) == ("pin 'shop' has no uts namespace", "it has net")
