"""Real programs by two lines of definition: they serve, log, stop cleanly and keep their data."""

import json
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from programs import RECIPES, Builder
from rootless import User, user
from waiting import wait_until

__all__ = ["user"]  # a fixture

pytestmark = pytest.mark.once("the programs are those of one tree")
PORTS = {"nginx": 18080, "redis": 6379, "postgres": 15432, "mariadb": 13306}
INSIDE = {"nginx": 80, "redis": 6379, "postgres": 5432, "mariadb": 3306}
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
PSQL = ("psql", "--no-psqlrc", "-h", "127.0.0.1", "-Atq", "-U", "postgres", "app", "-c")
MARIADB = ("mariadb", "-h", "127.0.0.1", "-uapp", "-psecret", "-N", "app", "-e")


@pytest.fixture(scope="module")
def started(workplace, shared, run) -> Iterator[dict[str, object]]:
    """One container of each, by two lines; redis publishes what its image exposes."""
    builder = Builder(workplace)
    found = {}
    for name in RECIPES:
        run("nsunit", "image", "import", builder.build(name), "--name", f"localhost/{name}")
        port = "all" if name == "redis" else f"{PORTS[name]}:{INSIDE[name]}"
        found[name] = shared.start(f"[Container]\nImage={name}\nPublishPort={port}\n", name)
    yield found


def asked(port: int, request: bytes = b"", until: bytes = b"", timeout: float = 20) -> bytes:
    """What the program behind *port* of the host answers to *request*, up to *until*; nothing while it does not."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.sendall(request)
            answer = b""
            while until not in answer or not answer:
                if not (more := connection.recv(4096)):
                    return b""
                answer += more
            return answer
    except OSError:
        return b""


def serving(name: str, port: int = 0) -> bytes:
    """What a real client gets by the published *port*, as soon as it is served."""
    requests = {
        "nginx": (b"GET / HTTP/1.0\r\n\r\n", b"</html>"),
        "redis": (b"PING\r\n", b"+PONG"),
        "postgres": (SSL_REQUEST, b""),
        "mariadb": (b"", b"MariaDB"),
    }
    # One that is still loading its data answers something else.
    return wait_until(lambda: asked(port or PORTS[name], *requests[name], timeout=2), f"{name} serves")


def sql(container, words, text: str) -> str:
    """What the database says, once it is there."""
    env = () if words is MARIADB else ("env", "PGPASSWORD=secret")
    return container.exec(*env, *words, text).stdout.strip()


def logs(nsunit, name: str) -> str:
    return nsunit("logs", name).stdout


@pytest.mark.kernel("nftables")
def test_nginx(started, nsunit):
    assert b"Welcome to nginx" in serving("nginx")
    container = started["nginx"]
    wait_until(lambda: '"GET / HTTP/1.0" 200' in logs(nsunit, "nginx"), "the request is in the log")
    assert "ready for start up" in logs(nsunit, "nginx")
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS['nginx']}/", timeout=20) as answer:
        assert answer.status == 200
    assert stopped(container, nsunit) == "SIGQUIT"


def stopped(container, nsunit) -> str:
    """Stop it, see that it ended by itself and well, and return the name of its signal."""
    signal = {"2": "SIGINT", "3": "SIGQUIT", "15": "SIGTERM"}[container.show("KillSignal")["KillSignal"]]
    done = nsunit("stop", container.name)
    assert "kill" not in done.stdout + done.stderr
    shown = container.show("Result", "ActiveState")
    assert shown == {"Result": "success", "ActiveState": "inactive"}
    return signal


@pytest.mark.kernel("nftables")
def test_redis_publishes_what_its_image_exposes(started, nsunit):
    container = started["redis"]
    assert serving("redis").startswith(b"+PONG")
    assert nsunit("wait", "--condition=healthy", "redis", timeout=60).returncode == 0
    uid = container.exec("stat", "-c", "%U", "/proc/1").stdout.strip()
    assert (uid, asked(6379, b"SET city Ghent\r\n", b"OK")) == ("redis", b"+OK\r\n")
    assert stopped(container, nsunit) == "SIGTERM"
    assert "Ready to accept connections" in logs(nsunit, "redis")
    assert "bye bye" in logs(nsunit, "redis")
    nsunit("start", "redis")
    serving("redis")
    assert asked(6379, b"GET city\r\n", b"Ghent") == b"$5\r\nGhent\r\n"
    shown = json.loads(nsunit("render", "--json", "redis").stdout)
    says = {part["key"]: part["value"] for part in shown["image"]["says"]}
    assert says["ExposedPort"] == ["6379/tcp"]


@pytest.mark.kernel("nftables")
@pytest.mark.parametrize(
    ("name", "words", "signal", "said", "ended"),
    [
        ("postgres", PSQL, "SIGINT", "PostgreSQL init process complete", "database system is shut down"),
        ("mariadb", MARIADB, "SIGTERM", "MariaDB init process done", "Shutdown complete"),
    ],
)
def test_databases(name, words, signal, said, ended, started, nsunit):
    container = started[name]
    assert serving(name)
    sql(container, words, "CREATE TABLE towns (name VARCHAR(20)); INSERT INTO towns VALUES ('Ghent')")
    assert stopped(container, nsunit) == signal
    text = logs(nsunit, name)
    assert said in text and ended in text.rpartition(said)[2]
    nsunit("start", name)
    assert serving(name)
    assert sql(container, words, "SELECT name FROM towns") == "Ghent"
    assert said not in logs(nsunit, name).rpartition(ended)[2], "it is initialised once"
    assert container.exec("stat", "-c", "%U", "/proc/1").stdout.strip() == {"mariadb": "mysql"}.get(name, name)


def test_a_users_redis_and_nginx(user: User):
    """By two lines as well, with pasta for the network: it is another user inside, checked, and keeps its data."""
    place = user.home / "build"
    place.mkdir(mode=0o755)
    builder = Builder(place)
    for name in ("redis", "nginx"):
        user.nsunit("image", "import", builder.build(name), "--name", f"localhost/{name}", timeout=240)
    directory = user.home / ".config/nsunit"
    user.run("mkdir", "-p", directory)
    (directory / "redis.nsunit").write_text("[Container]\nImage=redis\nPublishPort=16379:6379\n")
    (directory / "nginx.nsunit").write_text("[Container]\nImage=nginx\nPublishPort=18081:80\n")
    user.nsunit("start", "redis", "nginx")
    try:
        wait_until(lambda: asked(16379, b"PING\r\n", b"+PONG", 2), "redis serves")
        assert asked(16379, b"SET city Ghent\r\n", b"OK") == b"+OK\r\n"
        user.nsunit("wait", "--condition=healthy", "redis")
        assert user.exec("redis", "stat -c %U /proc/1") == "redis\n"
        user.nsunit("restart", "redis")
        wait_until(lambda: asked(16379, b"GET city\r\n", b"Ghent", 2), "redis has kept what it was told")
        assert b"</html>" in wait_until(lambda: asked(18081, b"GET / HTTP/1.0\r\n\r\n", b"</html>", 2), "nginx serves")
        wait_until(lambda: '"GET / HTTP/1.0" 200' in user.nsunit("logs", "nginx").stdout, "the request is in the log")
        for name in ("redis", "nginx"):
            done = user.nsunit("stop", name)
            assert "kill" not in done.stdout + done.stderr
    finally:
        user.nsunit("rm", "--force", "--definition", "redis", "nginx")
        user.nsunit("image", "prune", "--all", "--force")


def test_a_users_databases(user: User):
    """They begin as root of the user's ids, and give their volumes and themselves to others of these."""
    place = user.home / "databases"
    place.mkdir(mode=0o755)
    builder = Builder(place)
    directory = user.home / ".config/nsunit"
    user.run("mkdir", "-p", directory)
    words = {"postgres": ("env", "PGPASSWORD=secret", *PSQL), "mariadb": MARIADB}
    ended = {"postgres": "database system is shut down", "mariadb": "Shutdown complete"}
    owners = {"postgres": "postgres\n", "mariadb": "mysql\n"}
    for name in words:
        user.nsunit("image", "import", builder.build(name), "--name", f"localhost/{name}", timeout=240)
        text = f"[Container]\nImage={name}\nPublishPort={PORTS[name] + 1}:{INSIDE[name]}\n"
        (directory / f"{name}.nsunit").write_text(text)
    try:
        user.nsunit("start", *words)
        for name, client in words.items():
            assert serving(name, PORTS[name] + 1)
            create = "CREATE TABLE towns (name VARCHAR(20)); INSERT INTO towns VALUES ('Ghent')"
            user.nsunit("exec", name, *client, create)
            assert user.exec(name, "stat -c %U /proc/1") == owners[name]
        done = user.nsunit("stop", *words)
        assert "kill" not in done.stdout + done.stderr
        user.nsunit("start", *words)
        for name, client in words.items():
            assert ended[name] in logs(user.nsunit, name)
            assert serving(name, PORTS[name] + 1)
            assert user.nsunit("exec", name, *client, "SELECT name FROM towns").stdout == "Ghent\n"
    finally:
        user.nsunit("rm", "--force", "--definition", *words)
        user.nsunit("image", "prune", "--all", "--force")
