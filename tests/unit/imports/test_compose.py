"""Compose files: keys, variables, what is put together."""

import sys

import pytest

from nsunit.imports import find
from nsunit.imports.compose import plan, variables
from nsunit.imports.compose.service import keys
from nsunit.imports.model import Given, NotCarried, Unusable

# The keys of a service in the compose specification, https://github.com/compose-spec/compose-spec, schema of 2026.
SERVICE = """
    annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
    cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset
    credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname
    driver_opts entrypoint env_file environment expose extends external_links extra_hosts gpus group_add
    healthcheck hostname image init ipc isolation label_file labels links logging mac_address mem_limit
    mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid
    pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy read_only restart
    runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls
    tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir
""".split()


def given(text, **more):
    return Given((("/srv/shop/compose.yaml", text),), **more)


def test_all_keys_of_a_service_are_known():
    assert set(SERVICE) == keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$A ${A} a$$b", "1 1 a$b"),
        ("${A:-x} ${E:-x} ${E-x} ${N-x}", "1 x  x"),
        ("${A:+y} ${E:+y} ${E+y} ${N+y}", "y  y "),
        ("${A:?no} ${E?no}", "1 "),
        ("${N:-${E:-${A}2}}", "12"),
        ("$N|${N}", "|"),
    ],
)
def test_variables(text, found):
    unset = []
    assert variables.expand(text, {"A": "1", "E": ""}, unset.append) == found
    assert set(unset) <= {"N"}


@pytest.mark.parametrize("text", ["$", "$1", "${", "${1}", "${A!x}", "${N:?why}", "${E:?why}", "${A:-${B}"])
def test_variables_that_are_none(text):
    with pytest.raises(NotCarried):
        variables.expand(text, {"A": "1", "E": ""}, lambda _name: None)


def test_a_file_of_variables():
    text = "A=1\n# no\nexport B='x $A'\nC=\"y $A\\n\" # z\nD = w # comment\nE\n=x\nF=a${A}b\n"
    assert variables.environment_file(text) == {"A": "1", "B": "x $A", "C": "y 1\n", "D": "w", "F": "a1b"}


def test_what_needs_others_comes_after_them():
    text = """
services:
  a: {image: x, depends_on: {b: {condition: service_completed_successfully}, c: {condition: service_healthy}}}
  b: {image: x, links: [c]}
  c: {image: x}
  d: {image: x, network_mode: "service:c"}
"""
    made = plan(given(text))
    assert made.levels == (("c",), ("b", "d"), ("a",))
    assert made.jobs == {"b"}
    assert made.containers["a"] == ("shop-a",)


def test_services_that_need_each_other():
    with pytest.raises(Unusable) as caught:
        plan(given("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}"))
    assert caught.value.remark.reason == "a, b need each other"


def test_how_many_there_are():
    text = "services: {a: {image: x, deploy: {replicas: 3}}, b: {image: x, scale: 2}, c: {image: x}}"
    made = plan(given(text, scale=(("b", 1), ("c", 2))))
    assert made.containers == {
        "a": ("shop-a@1", "shop-a@2", "shop-a@3"),
        "b": ("shop-b",),
        "c": ("shop-c@1", "shop-c@2"),
    }


@pytest.mark.parametrize(
    ("profiles", "environ", "found"),
    [
        ((), (), ["a"]),
        (("p",), (), ["a", "b"]),
        (("*",), (), ["a", "b", "c"]),
        ((), (("COMPOSE_PROFILES", "q"),), ["a", "c"]),
    ],
)
def test_profiles(profiles, environ, found):
    text = "services: {a: {image: x}, b: {image: x, profiles: [p]}, c: {image: x, profiles: [q]}}"
    assert list(plan(given(text, profiles=profiles, environ=environ)).containers) == found


def test_users_have_no_networks_of_their_own():
    made = find("compose").convert(given("services: {a: {image: x}}", user=True))
    (draft,) = made.drafts
    assert draft.values("Container", "Network") == ("pasta",)
    assert [remark.reason for remark in made.remarks] == ["containers of users have no networks among them"]


def test_without_pyyaml(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(Unusable) as caught:
        find("compose").convert(given("services: {a: {image: x}}"))
    assert caught.value.remark.reason == "PyYAML is not installed"
    assert caught.value.remark.instead == "install the package 'python3-yaml'"


def test_the_file_of_a_directory():
    texts = tuple(
        (f"/d/{name}", f"services: {{{name[0]}: {{image: x}}}}") for name in ("docker-compose.yml", "compose.yaml")
    )
    made = find("compose").convert(Given(texts))
    assert [draft.name for draft in made.drafts] == ["d-default.network", "d-c"]
