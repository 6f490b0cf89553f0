"""Putting a container in the place of another one: what a signal finds half done is taken back."""

import errno
import os
import signal
from types import SimpleNamespace

import pytest

from nsunit.core.context import Context, take_back
from nsunit.core.findings import Owners
from nsunit.definition.search import SearchPath
from nsunit.errors import BusError, NsunitError
from nsunit.features.transfer import bundle, doctor, kept, restore
from nsunit.features.transfer.staging import Staging
from nsunit.setup import linux
from nsunit.storage.paths import Paths


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_volume_that_stays_comes_back_where_a_signal_ends_the_import(tmp_path, monkeypatch, when):
    former = tmp_path / "former"
    (former / "volumes/data/data").mkdir(parents=True)
    (tmp_path / "state").mkdir()
    rename = os.rename

    def interrupted(*names):
        if "volumes" not in names[0]:
            return rename(*names)
        if when == "after":
            rename(*names)
        raise KeyboardInterrupt

    undo = []
    with monkeypatch.context() as signalled, pytest.raises(KeyboardInterrupt):
        signalled.setattr(os, "rename", interrupted)
        restore._keep_volumes(str(tmp_path), "web", str(former), undo)
    take_back(undo)
    assert (former / "volumes/data/data").is_dir()
    assert os.listdir(tmp_path / "state/volumes") == []


@pytest.fixture
def context(tmp_path):
    found = Context(SearchPath((str(tmp_path / "defined"),), str(tmp_path / "units")))
    found.paths = Paths(str(tmp_path / "run"), str(tmp_path / "var"))
    found.warn = (warnings := []).append
    found.warnings = warnings
    (tmp_path / "defined").mkdir()
    return found


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def kill_import(context, tmp_path, monkeypatch):
    """Has an import end by SIGKILL before its renames number `step`, and tells whether there was such a one."""
    monkeypatch.setattr(restore, "drop_ins_of", lambda _context, _definition: [])
    state = tmp_path / "var/containers/web"
    for volume in ("came", "first", "second"):
        write(state / f"volumes/{volume}/data/old", volume)

    def kill(step, exchanges=True):
        pid = os.fork()
        if pid:
            return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        try:
            with Staging(context) as staging:
                write(tmp_path / staging.path / "state/volumes/came/data/new", "")
                count_down(step, exchanges)
                restore._commit(context, staging, SimpleNamespace(name="web"), {}, force=True)
        finally:
            os._exit(0)

    def count_down(left, exchanges):
        rename, exchange = os.rename, linux.rename_exchange

        def counted(call):
            def one(*names):
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                call(*names)

            return one

        def refused(*_names):
            raise OSError(errno.EINVAL, "Invalid argument")

        os.rename = counted(rename)
        linux.rename_exchange = counted(exchange) if exchanges else refused

    return kill


def volumes(tmp_path):
    return {path.parent.parent.name: path.name for path in tmp_path.glob("var/containers/web/volumes/*/data/*")}


@pytest.mark.parametrize("by", ["import", "doctor"])
@pytest.mark.parametrize(("step", "exchanges"), [*((at, True) for at in range(4)), *((at, False) for at in range(6))])
def test_what_an_import_keeps_outlives_it_wherever_it_is_killed(context, tmp_path, kill_import, step, exchanges, by):
    """The next import swept the volumes that the killed one had moved, and a state without a name."""
    assert kill_import(step, exchanges)
    assert len(os.listdir(tmp_path / "var/incoming")) == 1
    if by == "import":
        with Staging(context):
            pass
    else:
        owners = object.__new__(Owners)
        owners.context = context
        for item in doctor.left(owners):
            if item.kind == "directory":
                context.remove_tree(item.what)
            doctor.take_away(context, item)
    assert os.listdir(tmp_path / "var/incoming") == []
    found = volumes(tmp_path)
    assert found.pop("came") in ("old", "new")
    assert found == {"first": "old", "second": "old"}
    assert context.warnings == []


@pytest.mark.parametrize(("step", "exchanges"), [(4, True), (6, False)])
def test_these_are_all_steps(context, tmp_path, kill_import, step, exchanges):
    assert not kill_import(step, exchanges)
    assert volumes(tmp_path) == {"came": "new", "first": "old", "second": "old"}


def test_a_volume_whose_place_is_taken_by_now_is_kept_and_told(context, tmp_path, kill_import):
    assert kill_import(2)
    write(tmp_path / "var/containers/web/volumes/first/data/another", "")
    with Staging(context):
        pass
    (left,) = (tmp_path / "var/incoming").iterdir()
    assert (left / "state/volumes/first/data/old").exists()
    assert len(context.warnings) == 1
    with pytest.raises(NsunitError, match="another one in its place"):
        kept.bring_back(context, str(left))


def test_what_was_removed_since_does_not_come_back(context, tmp_path, kill_import):
    assert kill_import(3)
    context.remove_tree(str(tmp_path / "var/containers/web"))
    with Staging(context):
        pass
    assert os.listdir(tmp_path / "var/incoming") == []
    assert not (tmp_path / "var/containers/web").exists()


def test_what_systemd_does_not_hear_of_is_taken_back(context, tmp_path, monkeypatch):
    """It was there, and the same command was refused for that."""

    def refuse():
        raise BusError("org.freedesktop.DBus.Error.AccessDenied", "refused")

    units = f"{bundle.UNITS}/nsunit-web.slice.d/50-nsunit.conf"
    texts = {units: "[Slice]\n", f"{bundle.DEFINITION}/web.nsunit": "[Container]\n"}
    context._bus = SimpleNamespace(reload=refuse)
    monkeypatch.setattr(restore, "drop_ins_of", lambda *_words: [f"{tmp_path}/{units}"])
    with Staging(context) as staging, pytest.raises(BusError, match="refused"):
        os.mkdir(f"{staging.path}/{kept.STATE}")
        restore._commit(context, staging, SimpleNamespace(name="web"), texts, force=False)
    for place in ("defined", "var/containers", "var/incoming", bundle.UNITS):
        assert os.listdir(tmp_path / place) == [], place
