"""`nsunit build` on an image of nsunit's store, which the buildah of each release is to find; more in test_build.py."""

import os
import shutil


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
