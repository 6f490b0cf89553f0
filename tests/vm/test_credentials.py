"""Secrets: what systemd loads for a unit reaches its program, and nobody else."""

import subprocess
from pathlib import Path

import pytest

BASE = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
"""
WAITING = BASE + "Exec=/bin/sleep 1000\n"
DIRECTORY = "/run/host/credentials"
STORE = Path("/etc/credstore")
SENTINEL = "tell-nobody-7261"


@pytest.fixture(scope="module")
def store():
    """systemd's store, with a secret, and one that is encrypted beside it."""
    sealed = Path(f"{STORE}.encrypted")
    for directory in (STORE, sealed):
        directory.mkdir(mode=0o700, exist_ok=True)
    (STORE / "nst-plain").write_text(f"{SENTINEL}\n")
    words = ("systemd-creds", "--with-key=host", "--name=nst-sealed", "encrypt", "-", str(sealed / "nst-sealed"))
    subprocess.run(words, input=f"{SENTINEL}-sealed\n", text=True, check=True)
    yield STORE
    (STORE / "nst-plain").unlink()
    (sealed / "nst-sealed").unlink()


@pytest.fixture(scope="module")
def secret(store, shared):
    """A container whose program is nobody, with a credential of each kind."""
    sealed = subprocess.run(
        ("systemd-creds", "--with-key=host", "--name=quoted", "encrypt", "-", "-"),
        input=b"from the definition",
        capture_output=True,
        check=True,
    ).stdout.decode()
    return shared.start(
        WAITING
        + "User=65534\nSecret=nst-plain:env=TOKEN\nSecret=nst-plain:target=db/password:mode=0440:uid=0\n"
        + "Secret=nst-sealed\n[Service]\nTimeoutStopSec=500ms\nLoadCredential=plain:/etc/credstore/nst-plain\n"
        + "SetCredential=greeting:100%\\n\n"
        + f"SetCredentialEncrypted=quoted:{''.join(sealed.split())}\n"
    )


def environment(container):
    return dict(item.split("=", 1) for item in container.proc("environ").split("\0") if item)


@pytest.fixture(scope="module")
def as_user(nsunit):
    """Run a command in a container as one of its users."""
    return lambda container, user, *words, **options: nsunit(*("exec", "-u", user, container.name, *words), **options)


def test_its_program_finds_them(secret, as_user):
    assert environment(secret)["CREDENTIALS_DIRECTORY"] == DIRECTORY
    words = ("sh", "-c", f"cd {DIRECTORY} && stat -c '%n %a %u %g' . * && cat plain quoted greeting nst-sealed")
    lines = as_user(secret, "65534", *words).stdout.splitlines()
    names = ("greeting", "nst-plain", "nst-sealed", "plain", "quoted")
    assert lines[:6] == [". 500 65534 0", *(f"{name} 400 65534 0" for name in names)]
    assert lines[6:] == [SENTINEL, "from the definition100%", f"{SENTINEL}-sealed"]


def test_secrets_are_variables_and_files(secret, as_user):
    assert environment(secret)["TOKEN"] == SENTINEL
    words = ("sh", "-c", "cd /run/secrets && stat -c '%n %a %u %g' db/password nst-sealed && cat db/password")
    assert as_user(secret, "65534", *words).stdout.splitlines() == [
        *("db/password 440 0 0", "nst-sealed 400 65534 0"),
        SENTINEL,
    ]


def test_nobody_else_has_them(secret, as_user, nsunit):
    other = as_user(secret, "1", "sh", "-c", f"cat {DIRECTORY}/plain /run/secrets/*", check=False)
    assert other.returncode != 0
    assert SENTINEL not in other.stdout
    assert "TOKEN" not in secret.exec("env").stdout
    assert "ramfs" in secret.exec("grep", "credentials", "/proc/mounts").stdout  # never swapped
    denied = as_user(secret, "65534", "sh", "-c", f"echo x > {DIRECTORY}/new", check=False)
    assert "Read-only file system" in denied.stderr
    told = [nsunit(verb, secret.name).stdout for verb in ("show", "render", "status", "cat")]
    for words in (("systemctl", "show", secret.service), ("systemctl", "cat", secret.service)):
        told.append(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert SENTINEL not in "".join(told)
    found = subprocess.run(
        ("grep", "-rls", "--exclude-dir=credentials", SENTINEL, "/run/nsunit", "/var/lib/nsunit", "/run/systemd"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_they_are_there_after_a_restart(secret):
    subprocess.run(("systemctl", "restart", secret.service), check=True)
    assert environment(secret)["TOKEN"] == SENTINEL


def test_at_boot_as_well(store, containers, nsunit):
    name = containers.define(WAITING + "Secret=nst-sealed:env=TOKEN\n[Service]\nSetCredential=half:50%%\\x20of it\n")
    assert "SetCredential=half: says" in nsunit("enable", "--now", name).stderr
    container = containers.of(name)
    try:
        assert environment(container)["TOKEN"] == f"{SENTINEL}-sealed"
        assert container.exec("cat", f"{DIRECTORY}/half").stdout == "50%% of it"
    finally:
        nsunit("disable", "--now", name)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Secret=nst-none\n", "Secret=: there is no credential 'nst-none' in /etc/credstore"),
        ("[Service]\nLoadCredential=a:/nonexistent\n", "refused the credentials"),
        ("Secret=b:env=B\n[Service]\nImportCredential=b*\n", "there is no credential 'b'"),
    ],
)
def test_what_is_not_there_is_told(containers, nsunit, lines, message):
    if "Import" in lines and int(subprocess.check_output(("systemctl", "--version")).split()[1]) < 254:
        message = "ImportCredential needs systemd 254"
    name = containers.define(WAITING + lines)
    assert message in nsunit("start", name, check=False).stderr
    if "nst-none" in lines:
        told = nsunit("verify", name, check=False)
        assert (told.returncode, message in told.stderr) == (1, True)


def test_a_foreground_run_says_why_not(store, nsunit):
    words = ("run", "-p", "Layer=/srv/roots/busybox", "-p", "Secret=nst-plain", "--", "true")
    assert "systemd hands out credentials to services" in nsunit(*words, check=False).stderr
