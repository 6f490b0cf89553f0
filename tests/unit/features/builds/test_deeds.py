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


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ({"eth0": ("up", True), "nsunit0": ("down", False)}, False),
        ({"eth0": ("up", False), "nsunit0": ("down", False)}, True),
        ({"eth0": ("down", True)}, True),
        ({"eth0": ("up", False)}, False),
        ({}, False),
    ],
)
def test_links_that_are_down_are_told_where_pasta_has_no_other(links, told, monkeypatch):
    lines = ["Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"]
    for link, (_, is_default) in links.items():
        lines.append(
            f"{link} {'00000000' if is_default else '000C5B0A'} 0 1 0 0 0 {'00000000' if is_default else 'F'} 0 0 0"
        )
    texts = {f"/sys/class/net/{link}/operstate": f"{state}\n" for link, (state, _) in links.items()}
    texts["/proc/net/route"] = "\n".join(lines)
    monkeypatch.setattr(deeds.files, "read_kernel_file", texts.get)
    hint = deeds._hint_for_network()
    assert (hint is not None) == told
    if hint is not None:
        assert f"as '{[link for link, (state, _) in links.items() if state == 'down'][0]}' is" in hint
