from nsunit.features.builds.units import Wish, buildah, mkosi, scope_of, slice_of
from nsunit.units import Property


def values(unit):
    return {item.name: item.value for item in unit.properties}


def test_the_slice_has_the_limits_and_ends_with_what_is_in_it():
    unit = slice_of("ab12", (Property("MemoryMax", "t", 1 << 30),))
    assert unit.name == "nsunitbuild_ab12.slice"
    assert values(unit)["MemoryMax"] == 1 << 30
    assert values(unit)["StopWhenUnneeded"] is True


def test_the_tool_is_in_a_scope_of_the_slice():
    unit = scope_of("ab12", "nsunitbuild_ab12.slice", 77)
    assert unit.name == "nsunit-build-ab12.scope"
    assert values(unit)["Slice"] == "nsunitbuild_ab12.slice"
    assert values(unit)["PIDs"] == (77,)


def test_what_is_asked_for_is_said_in_buildah_s_words():
    wish = Wish(
        "/srv/web",
        ("localhost/web:1",),
        "/srv/File",
        ("A=1", "B=--x"),
        "last",
        ("id=a,src=/a",),
        "linux/arm64",
        "never",
        True,
        contexts=("base=container-image://ab",),
    )
    expected = "/usr/bin/buildah build --isolation=oci --cgroup-parent=x.slice --layers"
    expected += " --iidfile=/id --runtime=/usr/bin/nsunit-oci --runtime-flag=systemd-cgroup --format=docker"
    expected += " --tag=localhost/web:1 --file=/srv/File"
    expected += " --build-arg=A=1 --build-arg=B=--x --secret=id=a,src=/a"
    expected += " --build-context=base=container-image://ab --target=last --platform=linux/arm64"
    expected += " --pull=never --no-cache -- /srv/web"
    assert buildah("/usr/bin/buildah", wish, "x.slice", "/usr/bin/nsunit-oci", "/id") == expected.split()


def test_a_user_has_no_bridge_but_a_network_of_its_own():
    words = buildah("buildah", Wish("/srv/web"), "x.slice", "r", "/id", user=True)
    assert words[2:4] == ["--isolation=rootless", "--network=private"]


def test_what_is_not_asked_for_is_buildah_s_own_choice():
    assert buildah("buildah", Wish("/srv/web"), "x.slice", "r", "/id")[6:] == [
        "--runtime=r",
        "--runtime-flag=systemd-cgroup",
        "--format=docker",
        "--",
        "/srv/web",
    ]


def test_mkosi_makes_a_tree_in_a_place_of_ours():
    expected = (
        "/usr/bin/mkosi --directory=/srv/os --format=directory --output-directory=/staging --output=image --force"
    )
    assert mkosi("/usr/bin/mkosi", Wish("/srv/os"), "/staging") == [*expected.split(), "build"]
