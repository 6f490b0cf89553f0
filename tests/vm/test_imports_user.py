"""A compose file of a user without privileges goes up and down."""

import json

import oci
import pytest
from rootless import nothing_left, user
from test_images import busybox
from test_rootless_network import way_out

pytestmark = pytest.mark.anywhere("definitions of keys that have tests of their own on all releases")

__all__ = ["nothing_left", "user", "way_out"]  # fixtures

COMPOSE = """\
name: shop
services:
  web:
    image: localhost/web:latest
    command: ["sh", "-c", "test -e /data/ready && exec sleep 3600"]
    environment: {BUILD: 1e3}
    env_file: [own.env]
    volumes: ["data:/data", "./conf:/conf:ro"]
    depends_on: {job: {condition: service_completed_successfully}}
  job:
    image: localhost/web:latest
    command: ["sh", "-c", "echo 1 >/data/ready"]
    volumes: ["data:/data"]
volumes: {data: {}}
"""


def test_a_project_of_a_user(user, way_out):
    place = user.home / "shop"
    oci.Layout(user.home / "layout").image([oci.archive(busybox())])
    user.nsunit("image", "import", str(user.home / "layout"), "--name", "localhost/web:latest")
    user.run("mkdir", "-p", f"{place}/conf")
    (place / "conf/mine").write_text("of the user\n")
    (place / "own.env").write_text("BASE=/srv\nURL=${BASE}/web\n")
    (place / "compose.yaml").write_text(COMPOSE)
    definitions = user.runtime / "nsunit/definitions"

    done = user.nsunit("up", str(place))
    assert "containers of users have no networks among them; they reach each other by ports" in done.stderr
    assert {path.name for path in definitions.iterdir()} == {"shop-web.nsunit", "shop-job.nsunit"}
    running = json.loads(user.nsunit("list", "--json").stdout)
    assert [item["name"] for item in running] == ["shop-web"]
    assert user.exec("shop-web", "echo $BUILD $URL; cat /conf/mine") == "1e3 /srv/web\nof the user\n"

    user.nsunit("down", str(place))
    assert json.loads(user.nsunit("list", "--json").stdout) == []
    assert list(definitions.iterdir()) == []
    assert "shop-data" in user.nsunit("volume", "list").stdout
    user.nsunit("volume", "rm", "shop-data")
