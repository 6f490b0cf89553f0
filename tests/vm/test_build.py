"""`nsunit build`: real buildah and mkosi, in units with limits."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

pytestmark = pytest.mark.once("buildah and mkosi are what they are, whatever systemd is below")

CONTAINERFILE = """\
FROM scratch
ARG WHAT=nothing
COPY busybox /bin/busybox
ENV PATH=/bin
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN echo $WHAT >/what && id -u >/id
CMD ["cat", "/what"]
"""


@pytest.fixture
def folder(tmp_path):
    """A directory with a Containerfile and what it needs."""
    shutil.copy("/bin/busybox", tmp_path)
    (tmp_path / "Containerfile").write_text(CONTAINERFILE)
    (tmp_path / "secret").write_text("mum\n")
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def limits():
    """buildah asks for a million descriptors and processes, which are not to be had where a system runs natively."""
    path = Path("/etc/containers/containers.conf.d/test.conf")
    path.parent.mkdir(exist_ok=True)
    path.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
    yield
    path.unlink()


@pytest.fixture
def image(nsunit, run):
    """A name for an image, which is gone afterwards from both stores, with what it was made on."""
    name = f"localhost/test-build-{os.getpid()}:latest"
    yield name
    nsunit("image", "rm", name, check=False)
    nsunit("image", "prune")
    run("buildah", "rmi", "--all", "--force", check=False)


@pytest.mark.kernel("nftables")
def test_what_is_built_runs_and_nothing_else_is_left(folder, image, nsunit, run):
    """A second build finds all of it in buildah's cache, and in the store."""
    with (folder / "Containerfile").open("a") as file:
        file.write("RUN --mount=type=secret,id=word cat /run/secrets/word >/word\nHEALTHCHECK CMD test -e /id\n")
    words = ("build", "-t", image, "--build-arg=WHAT=it", f"--secret=id=word,src={folder}/secret", str(folder))
    assert image in nsunit(*words).stdout
    assert "\nHealth:       /bin/sh -c 'test -e /id'\n" in nsunit("image", "inspect", image).stdout
    assert nsunit("run", "-p", f"Image={image}", "cat", "/id", "/word").stdout.split() == ["0", "mum"]
    assert nsunit("run", "-p", f"Image={image}").stdout == "it\n"
    assert run("systemctl", "list-units", "--no-legend", "nsunitbuild*", "nsunit-build*").stdout == ""
    again = nsunit(*words, "--json")
    assert json.loads(again.stdout)["fetched"] == 0


@pytest.mark.kernel("nftables")
def test_what_has_no_name_is_not_called_by_its_id(folder, image, nsunit):
    built = json.loads(nsunit("build", str(folder), "--json").stdout)
    listed = next(item for item in json.loads(nsunit("image", "list", "--json").stdout) if item["id"] == built["id"])
    assert (built["names"], listed["names"]) == ([], [])
    assert built["id"] in nsunit("image", "list", "--quiet").stdout.split()


@pytest.mark.kernel("nftables")
def test_a_quiet_build_says_what_was_said_only_where_it_fails(folder, image, nsunit):
    built = nsunit("build", "-q", "-t", image, str(folder))
    assert (built.stderr, "STEP" in nsunit("build", "-t", image, str(folder)).stderr) == ("", True)
    (folder / "Containerfile").write_text(f"{CONTAINERFILE}RUN echo no good && false\n")
    failed = nsunit("build", "-q", "-t", image, str(folder), check=False)
    assert (failed.returncode != 0, failed.stdout) == (True, "")
    assert "no good\n" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("nsunit: buildah has ended with status ")


@pytest.mark.kernel("nftables")
def test_it_is_built_on_images_of_the_store(folder, image, nsunit, run):
    """Of nsunit's, whoever else has one of that name in buildah's storage; what was built is not copied there again."""
    base = image.replace("build", "base").removesuffix(":latest")
    root = folder / "root"
    shutil.copytree("/srv/roots/busybox", root, symlinks=True)
    (root / "mine").write_text("nsunit's\n")
    nsunit("image", "import", f"root:{root}", "--name", base)
    (folder / "Containerfile").write_text("FROM scratch\nCOPY secret /mine\n")
    run("buildah", "build", "--tag", base, str(folder))
    others = run("buildah", "images", "--quiet", "--no-trunc", base).stdout
    lines = ["ARG BASE", "FROM ${BASE:+${BASE}} AS one", "RUN cp /mine /copied"]
    lines += [f"FROM {base.removeprefix('localhost/')}"]
    lines += [f"RUN --mount=type=bind,from={base},target=/x cp /x/mine /seen", "COPY --from=one /copied /copied"]
    (folder / "Containerfile").write_text("\n".join(lines))
    for words in ((), ("--pull=never",)):
        nsunit("build", "-t", image, f"--build-arg=BASE={base}", *words, str(folder))
    assert nsunit("run", "-p", f"Image={image}", "cat", "/mine", "/copied", "/seen").stdout == "nsunit's\n" * 3
    assert run("buildah", "images", "--quiet", "--no-trunc", base).stdout == others
    (folder / "Containerfile").write_text(f"FROM {image}\nRUN cat /seen >/last\n")
    nsunit("build", "-t", f"{base}:last", str(folder))
    assert nsunit("run", "-p", f"Image={base}:last", "cat", "/last").stdout == "nsunit's\n"
    copies = run("buildah", "images", "--noheading", "--format", "{{.Name}}").stdout.split()
    assert len([name for name in copies if "nsunit" in name]) == 1, copies
    done = nsunit("build", "--pull=always", str(folder), check=False)
    assert "and nothing came into the store" in done.stderr
    nsunit("image", "rm", base, f"{base}:last")


@pytest.mark.kernel("nftables")
def test_a_step_that_fails(folder, image, nsunit, run):
    (folder / "Containerfile").write_text(CONTAINERFILE + "RUN exit 3\n")
    done = nsunit("build", "-t", image, str(folder), check=False)
    assert "and nothing came into the store" in done.stderr
    assert done.returncode == 3
    assert nsunit("image", "inspect", image, check=False).returncode != 0
    assert run("systemctl", "list-units", "--no-legend", "nsunitbuild*", "nsunit-build*").stdout == ""


@pytest.mark.kernel("nftables")
def test_each_run_is_in_a_unit_below_the_slice_of_the_build(folder, image, run):
    """Which has the limit of all of it.  Who is interrupted takes all of it along."""
    (folder / "Containerfile").write_text(CONTAINERFILE + "RUN sleep 1234567\n")
    command = ["nsunit", "build", "-t", image, "--limit=TasksMax=500", "-l", "CPUWeight=77", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: run("pgrep", "-xf", "sleep 1234567", check=False).stdout)
            slice_ = run("systemctl", "show", "-P", "Slice", "*-buildah-buildah*.scope").stdout.strip()
            assert slice_.startswith("nsunitbuild_")
            assert run("systemctl", "show", "-P", "TasksMax", slice_).stdout == "500\n"
            assert run("systemctl", "show", "-P", "CPUWeight", slice_).stdout == "77\n"
        finally:
            process.terminate()
    assert run("pgrep", "-xf", "sleep 1234567", check=False).stdout == ""
    wait_until(lambda: not run("systemctl", "list-units", "--no-legend", "nsunitbuild*", "nsunit-build*").stdout)


def test_a_tree_of_mkosi_boots(tmp_path, image, nsunit, run, containers):
    """The distribution is "custom", so that nothing is fetched: a base tree, with a file on top."""
    packages = map(str, Path("/srv/packages/mkosi").glob("*.deb"))
    run("dpkg", "--force-unsafe-io", "--install", *packages)
    (tmp_path / "mkosi.conf").write_text(
        "[Distribution]\nDistribution=custom\n[Content]\nBaseTrees=/srv/roots/debian\nBootable=no\n"
    )
    (tmp_path / "mkosi.extra/etc").mkdir(parents=True)
    (tmp_path / "mkosi.extra/etc/made-by").write_text("mkosi\n")
    nsunit("build", "--mkosi", "-t", image, str(tmp_path))
    assert nsunit("run", "-p", f"Image={image}", "cat", "/etc/made-by").stdout == "mkosi\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/missing"], "there is no directory '/missing'"),
        (["/srv"], "'/srv' has no Containerfile, and no Dockerfile"),
        (["-f", "/missing", "/srv"], "there is no file '/missing'"),
        (["--mkosi", "/srv"], "'/srv' has no mkosi.conf"),
        (["--mkosi", "--no-cache", "/srv"], "build: --mkosi and --no-cache exclude each other"),
        (["-t", "A b", "/srv"], "'A b' is not a name for an image"),
        (["--limit", "MemoryMax=x", "/srv/roots"], "has no Containerfile"),
    ],
)
def test_what_cannot_be_built(words, said, nsunit):
    done = nsunit("build", *words, check=False)
    assert said in done.stderr
    assert done.returncode
