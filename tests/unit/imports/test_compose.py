"""Compose files: keys, variables, what is put together."""

import json
import sys

import pytest

from nsunit.imports import find
from nsunit.imports.compose import plan, variables
from nsunit.imports.compose.service import keys
from nsunit.imports.compose.values import words_of
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


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("a/b", "localhost/a/b"),
        ("a/c", "docker.io/a/c"),
        ("made:1", "localhost/made:1"),
        ("nginx", "docker.io/library/nginx"),
        *[("quay.io/a/b", "quay.io/a/b"), ("localhost/x", "localhost/x"), (f"sha256:{'0' * 64}", f"sha256:{'0' * 64}")],
    ],
)
def test_a_short_name_is_that_of_what_was_made_here(image, found):
    here = {"a/b", "made:1", f"sha256:{'0' * 64}", "localhost/x", "quay.io/a/b"}
    text = f"services: {{web: {{image: '{image}', build: ./web}}}}"
    imported = find("compose").convert(given(text, is_local=here.__contains__))
    assert imported.drafts[-1].values("Container", "Image") == (found,)
    assert f"nsunit build -t {found} /srv/shop/web" in str(imported.remarks[0])  # the same
    words = ("docker", "run", image)
    (draft,) = find("run").convert(Given(arguments=words, is_local=here.__contains__, name="web")).drafts
    assert draft.values("Container", "Image") == (found,)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a b\n", ["a", "b"]),
        ("a -c 'b=c'\n  -d\r\n", ["a", "-c", "b=c", "-d"]),
        (r"""printf '%s\n' "x\"y" a\ b \\n""", ["printf", r"%s\n", 'x"y', "a b", r"\n"]),
        ("a 'it''s' k=\"b c\" '' \"\"", ["a", "its", "k=b c", "", ""]),
        ("sh -c 'a\nb'\n", ["sh", "-c", "a\nb"]),
        ("  \n", []),
    ],
)
def test_words_of_a_command(text, found):
    """As `docker compose config` shows them."""
    assert words_of(text) == found


@pytest.mark.parametrize("text", ["a 'b", 'a "b', "a\\"])
def test_words_that_do_not_end(text):
    with pytest.raises(NotCarried):
        words_of(text)


@pytest.mark.parametrize(
    ("name", "environ", "asked", "found"),
    [
        ("", {}, "", "shop"),
        ("name: own", {}, "", "own"),
        ("name: ${N:-own}", {"N": "n"}, "", "n"),
        ("name: own", {"COMPOSE_PROJECT_NAME": "theirs"}, "", "theirs"),
        ("name: own", {"COMPOSE_PROJECT_NAME": "theirs"}, "asked", "asked"),
    ],
)
def test_what_a_project_is_called_and_its_variable(name, environ, asked, found):
    text = f"{name}\nservices: {{a: {{image: x, labels: ['p=${{COMPOSE_PROJECT_NAME}}']}}}}"
    made = find("compose").convert(given(text, environ=tuple(environ.items()), project=asked))
    assert [draft.name for draft in made.drafts] == [f"{found}-default.network", f"{found}-a"]
    assert made.drafts[-1].values("Container", "X-Label") == (f"p={found}",)
    assert not made.remarks


def test_a_file_of_variables():
    text = "A=1\n# no\nexport B='x $A'\nC=\"y $A\\n\" # z\nD = w # comment\nE\n=x\nF=a${A}b\n"
    assert variables.environment_file(text) == {"A": "1", "B": "x $A", "C": "y 1\n", "D": "w", "F": "a1b"}


def test_a_variable_in_a_file_is_that_of_before_or_of_a_line_above():
    text = "BASE=file\nURL=${BASE}/1\nOWN=x\nOTHER=$OWN\n"
    found = variables.environment_file(text, {"BASE": "shell"})
    assert found == {"BASE": "file", "URL": "shell/1", "OWN": "x", "OTHER": "x"}


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("1e3", "1e3"),
        ("010", "010"),
        ("0o10", "0o10"),
        ("0x1F", "0x1F"),
        ("1.10", "1.10"),
        ("12:30:45", "12:30:45"),
        ("yes", "yes"),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("True", "true"),
        ("!!str true", "true"),
        ("!!str null", "null"),
        ("-+5", "-+5"),
        ("-+.5", "-+.5"),
        ("=", "="),
        ("1_000", "1_000"),
    ],
)
def test_values_are_texts_as_written(written, found):
    made = plan(given(f"services: {{a: {{image: x, network_mode: none, environment: {{A: {written} }} }} }}"))
    (draft,) = made.imported.drafts
    assert draft.values("Container", "Environment") == (f"A={found}",)
    assert made.imported.remarks == ()


def of_files(files, more=""):
    """The lines and remarks of a service with these files of variables."""
    names = ", ".join(files)
    text = f"services: {{a: {{image: x, network_mode: none, env_file: [{names}], {more} }} }}"
    read = {f"/srv/shop/{name}": content for name, content in files.items()}
    made = plan(given(text, read=read.get, environ=(("BASE", "shell"),)))
    lines = [f"{line.key}={line.value}" for line in made.imported.drafts[0].lines if "Environment" in line.key]
    return lines, [str(remark).partition(": ")[2] for remark in made.imported.remarks]


def test_files_of_variables_stay_where_they_mean_the_same():
    lines, remarks = of_files({"a.env": "# no\nA=1\nB='x y'\n", "b.env": "A=2\n"})
    assert lines == ["EnvironmentFile=/srv/shop/a.env", "EnvironmentFile=/srv/shop/b.env"]
    assert remarks == []


@pytest.mark.parametrize(
    ("files", "more", "found"),
    [
        (
            {"a.env": "BASE=file\nURL1=${BASE}/1\n", "b.env": "URL2=${BASE}/2\n"},
            "",
            ["Environment=BASE=file", "Environment=URL1=shell/1", "Environment=URL2=file/2"],
        ),
        ({"a.env": "A=1 # one\nB=50%\n"}, "", ["Environment=A=1", "Environment=B=50%%"]),
        ({"a.env": "A=1\nB=2\n"}, "environment: {A: 3}", ["Environment=B=2", "Environment=A=3"]),
        ({"{path: a.env, format: raw}": "A='1' #\n"}, "", ["EnvironmentFile=/srv/shop/a.env"]),
    ],
)
def test_files_that_systemd_reads_otherwise(files, more, found):
    lines, remarks = of_files(files, more)
    assert lines == found
    assert len(remarks) == (0 if "EnvironmentFile" in found[0] else 1)
    if remarks:
        assert remarks[0] == (
            "services.a.env_file: its variables stand in the definition, which all can read, since systemd reads the "
            "file otherwise; import it again when the file changes, or write values without variables and comments"
        )


def test_a_variable_of_a_file_that_is_none():
    lines, remarks = of_files({"a.env": "A=${\n"})
    assert lines == []
    assert remarks == ["services.a.env_file: '${' has a '${' that does not end; write ${NAME}, or $$ for the character"]
    with pytest.raises(Unusable) as caught:
        plan(given("services: {a: {image: x}}", read={"/srv/shop/.env": "A=$\n"}.get))
    assert str(caught.value.remark).startswith("/srv/shop/.env: variables: '$' has a '$' that begins no variable")


def test_deploy_counts_before_older_keys():
    limits = "deploy: {resources: {limits: {memory: 512M, cpus: 2}}}"
    made = plan(given(f"services: {{a: {{image: x, network_mode: none, mem_limit: 1g, cpu_quota: 5, {limits} }} }}"))
    (draft,) = made.imported.drafts
    assert draft.values("Slice", "MemoryMax") == ("512M",)
    assert draft.values("Slice", "CPUQuota") == ("200%",)
    why = "says otherwise, and counts; leave out one of the two"
    assert [str(remark).partition(": ")[2] for remark in made.imported.remarks] == [
        f"services.a.cpu_quota: deploy.resources.limits.cpus {why}",
        f"services.a.mem_limit: deploy.resources.limits.memory {why}",
    ]


def test_the_same_limit_twice_is_no_remark():
    limits = "deploy: {resources: {limits: {memory: 512M}}}"
    made = plan(given(f"services: {{a: {{image: x, network_mode: none, mem_limit: 512m, {limits} }} }}"))
    assert made.imported.remarks == ()


@pytest.mark.parametrize(
    ("content", "found"),
    [("a\n", "a\\n"), (" a ", "\\x20a\\x20"), (" ", "\\x20"), ("\\", "\\x5c"), ("100%", "100%"), ("", "")],
)
def test_the_content_of_a_config(content, found):
    text = "services: {a: {image: x, network_mode: none, configs: [c]}}\nconfigs: {c: {content: %s}}"
    (draft,) = plan(given(text.replace("%s", json.dumps(content)))).imported.drafts
    assert draft.values("Service", "SetCredential") == (f"shop.c:{found}",)


@pytest.mark.parametrize(
    ("written", "found"), [("0440", "0440"), ("0o440", "0440"), ("288", "0440"), ('"0400"', "0400")]
)
def test_modes(written, found):
    text = f"services: {{a: {{image: x, network_mode: none, configs: [{{source: c, mode: {written}}}]}}}}"
    (draft,) = plan(given(f"{text}\nconfigs: {{c: {{content: x}}}}")).imported.drafts
    assert draft.values("Container", "Secret") == (f"shop.c:target=/c:mode={found}",)


def test_a_mode_that_is_none():
    text = "services: {a: {image: x, network_mode: none, configs: [{source: c, mode: rw}]}}"
    made = plan(given(f"{text}\nconfigs: {{c: {{content: x}}}}"))
    assert [remark.reason for remark in made.imported.remarks] == ["'rw' is no mode"]


def test_a_mode_that_looks_octal_and_is_none():
    """Compose takes it by YAML's word as well."""
    mount = "{type: tmpfs, target: /t, tmpfs: {mode: %s}}"
    text = f"services: {{a: {{image: x, network_mode: none, volumes: [{mount}]}}}}"
    decimal, octal = (plan(given(text.replace("%s", written))).imported for written in ("1777", "01777"))
    assert [draft.values("Container", "Tmpfs") for draft in decimal.drafts] == [("/t:mode=3361",)]
    assert [(remark.reason, remark.instead) for remark in decimal.remarks] == [
        ("1777 is a decimal number in YAML, which is the mode 3361", "01777 is octal")
    ]
    assert [draft.values("Container", "Tmpfs") for draft in octal.drafts] == [("/t:mode=1777",)]
    assert octal.remarks == ()


def test_the_words_of_a_hook_are_no_variables_of_systemd():
    text = "services: {a: {image: x, network_mode: none, post_start: [{command: [echo, $$HOME]}]}}"
    (draft,) = plan(given(text)).imported.drafts
    assert draft.values("Service", "ExecStartPost") == ("/usr/bin/nsunit exec shop-a -- echo $$HOME",)


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


def test_what_builds_the_image():
    build = "{context: ./web dir, dockerfile: C.file, target: last, args: {A: '1 2', B: }}"
    made = plan(given(f"services: {{a: {{network_mode: none, build: {build} }} }}"))
    assert [remark.instead for remark in made.imported.remarks] == [
        "nsunit build -t localhost/shop-a -f '/srv/shop/web dir/C.file' --target last '--build-arg=A=1 2' --build-arg=B"
        " '/srv/shop/web dir'"
    ]


@pytest.mark.parametrize(
    ("wrong", "where", "why"),
    [
        ("services: {a: {image: x, deploy: 3}}", "services.a.deploy", "it is no mapping"),
        (
            "services: {a: {deploy: {resources: {limits: [1]}}}}",
            "services.a.deploy.resources.limits",
            "it is no mapping",
        ),
        ("services: {a: {image: x, healthcheck: [x]}}", "services.a.healthcheck", "it is no mapping"),
        ("services: {a: {image: x, profiles: [{}]}}", "services.a.profiles.0", "it is no text"),
        ("services: {a: {image: x, links: yes}}", "services.a.links", "it is no list"),
        ("services: {a: {image: x, depends_on: b}}", "services.a.depends_on", "it is no list or mapping"),
        ("services: {a: {image: x, depends_on: {b: x}}, b: {image: x}}", "services.a.depends_on.b", "it is no mapping"),
        ("services: {a: {image: x, networks: [{b: }]}}", "services.a.networks.0", "it is no text"),
        ("services: {a: {image: x}}\nnetworks: front", "networks", "it is no mapping"),
        ("services: {a: {}}\nnetworks: {b: {ipam: {config: {}}}}", "networks.b.ipam.config", "it is no list"),
        ("services: {a: {image: x}}\nvolumes: {b: {driver_opts: [c]}}", "volumes.b.driver_opts", "it is no mapping"),
        ("services: {a: {image: x}}\nnetworks: {default: {name: '_'}}", "networks.default", "cannot be made the name"),
        ("services: {a: {image: x}}\ninclude: true", "include", "is not there"),
    ],
)
def test_what_is_of_another_shape_is_named(wrong, where, why):
    with pytest.raises(Unusable) as caught:
        plan(given(wrong))
    assert caught.value.remark.origin.key == where
    assert why in caught.value.remark.reason


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("configs: [{target: /x}]", "'' is not among the configs"),
        ("cpu_quota: many", "'many' is no whole number"),
    ],
)
def test_what_is_no_such_value_is_remarked(written, told):
    text = "services: {a: {image: x, network_mode: none, %s}}"
    assert any(told in str(remark) for remark in plan(given(text % written)).imported.remarks)


def test_a_number_of_tries_that_is_none_is_left_to_the_check_of_the_definition():
    needs = "b: {image: x, depends_on: {a: {condition: service_healthy}}}"
    made = plan(given(f"services: {{a: {{image: x, healthcheck: {{test: x, retries: many}}}}, {needs}}}"))
    assert ("many",) in [draft.values("Container", "HealthRetries") for draft in made.imported.drafts]


def test_a_period_of_0_is_the_usual_one():
    made = plan(given("services: {a: {image: x, network_mode: none, cpu_period: 0, cpu_quota: 50000}}"))
    (draft,) = made.imported.drafts
    assert draft.values("Slice", "CPUQuota") == ("50%",)
