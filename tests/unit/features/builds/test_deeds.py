import pytest

from nsunit.errors import NsunitError
from nsunit.features.builds import deeds
from nsunit.features.builds.units import Wish


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(deeds, "directory_with", lambda _programs: "")


def test_what_is_missing_is_named(nothing_installed, tmp_path):
    (tmp_path / "Containerfile").write_text("FROM scratch\n")
    with pytest.raises(NsunitError, match="built by buildah, which is not installed") as refused:
        deeds.build(None, Wish(str(tmp_path)))
    assert refused.value.hint == "install the package 'buildah'"
    (tmp_path / "mkosi.conf").write_text("")
    with pytest.raises(NsunitError, match="built by mkosi, which is not installed") as refused:
        deeds.build_tree(None, Wish(str(tmp_path)))
    assert refused.value.hint == "install the package 'mkosi'"


def test_it_takes_the_runtime_of_this_package(monkeypatch, tmp_path):
    (tmp_path / "Containerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(deeds, "directory_with", lambda programs: "/usr/bin" if programs == ("buildah",) else "")
    with pytest.raises(NsunitError, match="each RUN is a container of nsunit-oci, which is not installed") as refused:
        deeds.build(None, Wish(str(tmp_path)))
    assert refused.value.hint == "install the package 'nsunit'"
