"""`nsunit build` on an image of nsunit's store, which the buildah of each release is to find; more in test_build.py."""

import os
import shutil

from rootless import nothing_left, user
from waiting import wait_until

__all__ = ["nothing_left", "user"]  # fixtures


def test_an_image_of_the_store_is_there_for_buildah(tmp_path, nsunit, run):
    base, image = (f"localhost/test-{name}-{os.getpid()}" for name in ("base", "on-own"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/mine").write_text("nsunit's\n")
    shutil.copy("/bin/busybox", tmp_path)
    (tmp_path / "Containerfile").write_text(f"FROM {base}\nCOPY busybox /bin/cat\n")
    nsunit("image", "import", f"root:{tmp_path}/root", "--name", base)
    try:
        for words in ((), ("--no-cache",)):
            nsunit("build", "-t", image, *words, str(tmp_path))
        assert nsunit("run", "-p", f"Image={image}", "cat", "/mine").stdout == "nsunit's\n"
        names = run("buildah", "images", "--noheading", "--format", "{{.Name}}").stdout.split()
        assert len([name for name in names if "nsunit" in name]) == 1, names
    finally:
        nsunit("image", "rm", image, base, check=False)
        nsunit("image", "prune")
        run("buildah", "rmi", "--all", "--force", check=False)


def test_a_step_of_a_user_has_a_network_of_its_own(user, run):
    """By pasta, or what the buildah of this release has instead, and says that it is missing."""
    # Of a link that is down pasta takes no route, and ends where there is no other: findings/pasta-dead-route.sh.
    run("ip", "link", "del", "nsunit0", check=False)
    place = user.home / "build"
    user.run("mkdir", "-p", place / "root", user.home / ".config/containers")
    # What runs natively cannot have a million descriptors, which are the default.
    limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
    (user.home / ".config/containers/containers.conf").write_text(limits)
    shutil.copy("/bin/busybox", place)
    (place / "root/mine").write_text("nsunit's\n")
    step = 'COPY busybox /bin/readlink\nRUN ["/bin/readlink", "/proc/self/ns/net"]\n'
    (place / "Containerfile").write_text(f"FROM localhost/base\n{step}")
    user.nsunit("image", "import", f"root:{place}/root", "--name", "localhost/base")
    try:
        done = user.nsunit("build", "-t", "localhost/on-own", place, check=False)
        if done.returncode:
            assert '"slirp4netns": executable file not found' in done.stderr
        else:
            (network,) = [line for line in done.stderr.splitlines() if line.startswith("net:[")]
            assert network != os.readlink("/proc/self/ns/net")
        wait_until(lambda: not user.left(), "pasta sees that its network is gone")
    finally:
        user.nsunit("image", "rm", "localhost/on-own", "localhost/base", check=False)
        user.nsunit("image", "prune")
        user.run("buildah", "rmi", "--all", "--force", check=False)
        user.run("rm", "-r", place, user.home / ".config/containers")
