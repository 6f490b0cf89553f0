"""What a source is taken for, and which layers systemd's directories have."""

import json

import pytest

from nsunit.errors import NotFoundError, NsunitError, UsageError
from nsunit.features.images.fetch import origins
from nsunit.features.images.fetch.origins import stack_of


def test_sources_by_what_is_there(tmp_path):
    root, other, layout = tmp_path / "web.dir", tmp_path / "other", tmp_path / "layout"
    for place in (root / "usr", other, layout / "etc"):
        place.mkdir(parents=True)
    (layout / "oci-layout").touch()
    disk, archive = tmp_path / "disk.raw", tmp_path / "a.tar"
    disk.touch()
    archive.touch()
    found = {path.name: stack_of(str(path)) for path in (root, other, layout, disk, archive)}
    assert {name: stack and (stack.name, stack.layers) for name, stack in found.items()} == {
        "web.dir": ("web", (str(root),)),
        "other": None,
        "layout": None,
        "disk.raw": ("disk", (str(disk),)),
        "a.tar": None,
    }
    for text, path in ((f"root:{other}", other), (f"raw:{archive}", archive), (f"mstack:{root}", root)):
        stack = stack_of(text)
        assert stack is not None and stack.layers == (str(path),)
    for text, what in ((f"root:{disk}", "directory"), (f"raw:{root}", "file"), ("mstack:/missing", "directory")):
        with pytest.raises(UsageError, match=f"is no {what}"):
            stack_of(text)
    with pytest.raises(UsageError, match="is no directory") as caught:
        stack_of(f"root:{other}:one")
    assert caught.value.hint == "its name is said by --name=one"


def test_machines_by_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(origins, "MACHINES", str(tmp_path))
    (tmp_path / "one").mkdir()
    (tmp_path / "two.raw").touch()
    assert [stack_of(f"machine:{name}").layers for name in ("one", "two")] == [
        (str(tmp_path / "one"),),
        (str(tmp_path / "two.raw"),),
    ]
    for name in ("three", "../one", "", ".."):
        with pytest.raises(NotFoundError, match="there is no machine"):
            stack_of(f"machine:{name}")


def test_layers_of_a_stack_are_in_the_order_of_their_versions(tmp_path):
    place = tmp_path / "web.mstack"
    for name in ("layer@2", "layer@10", "layer@1.5", ".hidden", "bind@srv", "rw/data"):
        (place / name).mkdir(parents=True)
    (place / "layer@11.raw").touch()
    (tmp_path / "web.oci-config").write_text(json.dumps({"config": {"Cmd": ["x"]}}))
    stack = stack_of(str(place))
    assert [layer.rpartition("/")[2] for layer in stack.layers] == ["layer@1.5", "layer@2", "layer@10", "layer@11.raw"]
    assert (stack.name, dict(stack.config)) == ("web", {"config": {"Cmd": ["x"]}})
    assert stack.left_out == (f"{place}/bind@srv",)
    (place / "rw/data/written").touch()
    assert stack_of(str(place)).layers[-1] == f"{place}/rw/data"
    (tmp_path / "web.oci-config").write_text("{")
    with pytest.raises(NsunitError, match="is not JSON"):
        stack_of(str(place))
    (place / "root").mkdir()
    with pytest.raises(UsageError, match="has a root of its own"):
        stack_of(str(place))
