"""OpenSSH for the time of some tests, with a key by which root reaches root."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path("/root/.ssh")


@contextmanager
def installed(run) -> Iterator[None]:
    """Have ssh(1) and sshd(8) installed, and root's configuration know the key."""
    run("dpkg", "--force-unsafe-io", "--install", *map(str, Path("/srv/packages/openssh-server").glob("*.deb")))
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", FOLDER / "id_ed25519")
    (FOLDER / "authorized_keys").write_bytes((FOLDER / "id_ed25519.pub").read_bytes())
    (FOLDER / "config").write_text("StrictHostKeyChecking accept-new\nLogLevel ERROR\n")
    yield
    run("rm", "-r", str(FOLDER))
    run("dpkg --force-unsafe-io --purge openssh-server openssh-sftp-server openssh-client")
