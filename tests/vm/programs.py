"""Images of real programs, laid out as the official ones are, from packages of Debian: /srv/programs.tar, by buildah.

Each has an entrypoint that begins as root, prepares the data the first time and becomes the program as another user.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path

ARCHIVE = "/srv/programs.tar"
NGINX = """#!/bin/sh
set -e
echo "$0: Configuration complete; ready for start up" >&2
exec "$@"
"""
REDIS = """#!/bin/sh
set -e
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \\! -user redis -exec chown redis {} +
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
[ "$(umask)" != 0022 ] || umask 0077
exec "$@"
"""
POSTGRES = """#!/usr/bin/env bash
set -Eeo pipefail
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 00700 "$PGDATA"
    chmod 03775 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql \\! -user postgres -exec chown postgres {} +
    exec gosu postgres "$BASH_SOURCE" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username=postgres --pwfile=<(printf '%s\\n' "$POSTGRES_PASSWORD") -D "$PGDATA" --no-sync
    printf '\\nhost all all all scram-sha-256\\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses= -p 5432" -w start
    psql -v ON_ERROR_STOP=1 --no-psqlrc -U postgres -c "CREATE DATABASE app"
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo 'PostgreSQL init process complete; ready for start up.'
fi
exec "$@"
"""
MARIADB = """#!/bin/bash
set -eo pipefail
shopt -s nullglob
if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
    mkdir -p /run/mysqld
    find /var/lib/mysql /run/mysqld \\! -user mysql -exec chown mysql: {} +
    exec gosu mysql "$BASH_SOURCE" "$@"
fi
if [ "$1" = mariadbd ] && [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db >/dev/null
    "$@" --skip-networking --socket=/run/mysqld/mysqld.sock --wsrep_on=OFF &
    pid=$!
    for _ in {300..0}; do
        mariadb --protocol=socket -uroot --database=mysql <<<'SELECT 1' &>/dev/null && break
        sleep 0.1
    done
    mariadb --protocol=socket -uroot --binary-mode <<-SQL
        SET @@SESSION.SQL_LOG_BIN=0;
        CREATE DATABASE app;
        CREATE USER 'app'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
        GRANT ALL ON app.* TO 'app'@'%';
SQL
    kill "$pid"
    wait "$pid"
    echo "MariaDB init process done. Ready for start up."
fi
exec "$@"
"""
FOR_ALL = "[mariadbd]\nskip-name-resolve\nbind-address=0.0.0.0\ninnodb_buffer_pool_size=32M\ninnodb_log_file_size=4M\n"


class Builder:
    """Builds images as `dir:` of skopeo: buildah makes the upper layer and the config, the archive is the lower one.

    Were buildah to have the archive as well, it would be unpacked and packed once more.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place
        with Path(ARCHIVE).open("rb") as file:
            self.base = hashlib.file_digest(file, "sha256").hexdigest()
        self.users = self.of_base("etc/passwd")

    @staticmethod
    def of_base(path: str) -> str:
        """What is in a file of the archive."""
        return subprocess.run(["tar", "-xOf", ARCHIVE, f"./{path}"], capture_output=True, text=True, check=True).stdout

    def buildah(self, *words: str) -> str:
        """What buildah says."""
        own = ("buildah", f"--root={self.place}/buildah", f"--runroot={self.place}/run", "--storage-driver=vfs")
        done = subprocess.run([*own, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def build(self, name: str) -> str:
        """Build the image *name* and return where it is, for `nsunit image import`."""
        container = self.buildah("from", "scratch")
        self.root = Path(self.buildah("mount", container))
        self.buildah("config", *RECIPES[name](self), container)
        where = self.place / name
        # Only Docker's config has a health check.
        self.buildah("commit", "--rm", "--disable-compression", "--format=docker", container, f"dir:{where}")
        self.put_base_below(where)
        return f"dir:{where}"

    def put_base_below(self, where: Path) -> None:
        """Make the archive the lowest layer of the image in the directory *where*."""
        os.link(ARCHIVE, where / self.base)
        manifest = json.loads((where / "manifest.json").read_text())
        config = json.loads((where / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
        config["rootfs"]["diff_ids"].insert(0, f"sha256:{self.base}")
        config["history"].insert(0, {"created_by": "mmdebstrap"})
        data = json.dumps(config).encode()
        digest = hashlib.sha256(data).hexdigest()
        (where / digest).write_bytes(data)
        manifest["config"] |= {"digest": f"sha256:{digest}", "size": len(data)}
        kind = manifest["layers"][0]["mediaType"]
        layer = {"mediaType": kind, "digest": f"sha256:{self.base}", "size": os.stat(ARCHIVE).st_size}
        manifest["layers"].insert(0, layer)
        (where / "manifest.json").write_text(json.dumps(manifest))

    def entrypoint(self, text: str) -> tuple[str, ...]:
        """Have the entrypoint script *text*."""
        self.write("usr/local/bin/docker-entrypoint.sh", text, 0o755)
        return ("--entrypoint", json.dumps(["docker-entrypoint.sh"]))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Have a file of root's."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def directory(self, path: str, user: str, mode: int) -> None:
        """Make the directory *path* for *user*."""
        place = self.root / path
        place.mkdir(parents=True, exist_ok=True)
        lines = (line.split(":") for line in self.users.splitlines())
        uid, gid = next((int(fields[2]), int(fields[3])) for fields in lines if fields[0] == user)
        os.chown(place, uid, gid)
        place.chmod(mode)


PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def nginx(builder: Builder) -> tuple[str, ...]:
    """Its logs are links to the standard streams, and its workers are www-data."""
    builder.directory("var/log/nginx", "www-data", 0o755)
    for log, stream in (("access.log", "stdout"), ("error.log", "stderr")):
        (builder.root / "var/log/nginx" / log).symlink_to(f"/dev/{stream}")
    command = json.dumps(["nginx", "-g", "daemon off;"])
    said = ("--cmd", command, "--env", PATH, "--port", "80/tcp", "--stop-signal", "SIGQUIT")
    return (*builder.entrypoint(NGINX), *said)


def redis(builder: Builder) -> tuple[str, ...]:
    """Its working directory is a volume, and it is checked."""
    builder.directory("data", "redis", 0o755)
    command = json.dumps(["redis-server", "--protected-mode", "no", "--save", "1", "1", "--appendonly", "yes"])
    check = ("--healthcheck", "CMD redis-cli ping", "--healthcheck-interval", "200ms")
    said = ("--cmd", command, "--env", PATH, "--port", "6379", "--volume", "/data", "--workingdir", "/data")
    return (*builder.entrypoint(REDIS), *said, *check)


def postgres(builder: Builder) -> tuple[str, ...]:
    """It stops by SIGINT."""
    data = "/var/lib/postgresql/data"
    builder.directory("var/lib/postgresql", "postgres", 0o755)
    builder.directory(data[1:], "postgres", 0o1777)
    builder.directory("run/postgresql", "postgres", 0o3777)
    sample = "usr/share/postgresql/17/postgresql.conf.sample"
    builder.write(sample, builder.of_base(sample) + "\nlisten_addresses = '*'\n")
    path = f"{PATH}:/usr/lib/postgresql/17/bin"
    said = ("--env", path, "--env", f"PGDATA={data}", "--env", "POSTGRES_PASSWORD=secret", "--env", "LANG=C.UTF-8")
    more = ("--cmd", json.dumps(["postgres"]), "--port", "5432", "--volume", data, "--stop-signal", "SIGINT")
    return (*builder.entrypoint(POSTGRES), *said, *more)


def mariadb(builder: Builder) -> tuple[str, ...]:
    """It has a server for its initialisation and another for the work."""
    builder.directory("var/lib/mysql", "mysql", 0o1777)
    builder.directory("run/mysqld", "mysql", 0o1777)
    builder.write("etc/mysql/mariadb.conf.d/99-image.cnf", FOR_ALL)
    said = ("--env", PATH, "--env", "MARIADB_PASSWORD=secret", "--port", "3306", "--volume", "/var/lib/mysql")
    return (*builder.entrypoint(MARIADB), *said, "--cmd", json.dumps(["mariadbd"]))


RECIPES = {"nginx": nginx, "redis": redis, "postgres": postgres, "mariadb": mariadb}
