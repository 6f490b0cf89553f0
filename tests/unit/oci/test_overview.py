"""Whose containers `nsunit list --oci` shows, and what of them."""

import os

import pytest

from nsunit.oci import overview as module
from nsunit.oci.cgroup.place import CGROUPFS, SYSTEMD, Place
from nsunit.oci.overview import engine_name, overview, roots
from nsunit.oci.state import Container, Store, began_of


def keep(root, identity, place, pid, annotations):
    store = Store(str(root))
    store.add(identity)
    made = (identity, f"/bundles/{identity}", "/rootfs", "then", os.getpid(), 0, place, annotations, "1.2.0", 0)
    store.save(Container(*made, pid, began_of(pid)))


def test_containers_of_several_roots(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    keep(one, "b", Place(SYSTEMD, "/nowhere", "docker-b.scope", "system.slice"), os.getpid(), {})
    keep(one, "a", Place(CGROUPFS, "/nowhere"), 0, {"nerdctl/name": "web"})
    found = overview([str(one), str(other), str(tmp_path / "none")])
    assert [(item.name, item.state, item.pid, item.unit, item.engine_name) for item in found] == [
        ("a", "stopped", None, None, "web"),
        ("b", "running", os.getpid(), "docker-b.scope", None),
    ]
    assert {(item.root, item.bundle) for item in found} == {(str(one), "/bundles/a"), (str(one), "/bundles/b")}


@pytest.mark.parametrize("content", ["", "{", '{"id": "x", "init_process_pid": 3}', "[]", '{"place": 1}'])
def test_what_is_another_runtimes_is_left_out(tmp_path, content):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/state.json").write_text(content)
    (tmp_path / "with space").mkdir()
    assert overview([str(tmp_path)]) == []


def test_the_roots_of_engines(tmp_path, monkeypatch):
    (tmp_path / "k8s.io").mkdir()
    (tmp_path / "default").mkdir()
    monkeypatch.setattr(module, "CONTAINERD", str(tmp_path))
    monkeypatch.setattr(module, "default_root", lambda: "/own")
    assert roots() == ["/own", module.DOCKER, f"{tmp_path}/default", f"{tmp_path}/k8s.io"]
    monkeypatch.setattr(module, "CONTAINERD", str(tmp_path / "none"))
    assert roots() == ["/own", module.DOCKER]


def test_names_of_engines():
    assert engine_name({}) is None
    both = {"io.kubernetes.cri.sandbox-name": "pod", "io.kubernetes.cri.container-name": "web"}
    assert engine_name(both) == "web"
    assert engine_name({"io.kubernetes.cri.sandbox-name": "pod"}) == "pod"
