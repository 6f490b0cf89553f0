"""Health= and its like: what they take, and what of an image counts."""

import pytest
from definitions import container, definition, problem

from nsunit.features.health.keys import Check, of, with_image

OF_IMAGE = {"command": ("/bin/image",), "interval": 5_000_000, "retries": 7}
WITH_IMAGE = "Image=localhost/web:1\n"


def test_what_is_usual():
    assert of(container("Health=/bin/true -x")) == Check(("/bin/true", "-x"), says=frozenset({"Health"}))
    assert of(container("")) == Check()


def test_all_of_it():
    lines = (
        "Health=/bin/true\nHealthInterval=1min\nHealthTimeout=300ms\nHealthRetries=9\nHealthStartPeriod=2s\n"
        "HealthStartInterval=500ms\nHealthOnFailure=kill"
    )
    check = of(container(lines)).replace(says=frozenset())
    assert check == Check(("/bin/true",), 60_000_000, 300_000, 9, 2_000_000, 500_000, "kill")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("", Check(("/bin/image",), 5_000_000, retries=7)),
        ("HealthInterval=9s\nHealthOnFailure=stop", Check(("/bin/image",), 9_000_000, retries=7, on_failure="stop")),
        ("Health=/bin/own", Check(("/bin/own",))),
        ("Health=no", Check()),
    ],
)
def test_what_an_image_says_counts_where_the_definition_says_nothing(lines, found):
    said = with_image(container(lines, WITH_IMAGE), OF_IMAGE)
    assert of(said).replace(says=frozenset()) == found
    assert of(with_image(container(lines, WITH_IMAGE), {})).command == (
        () if not lines.startswith("Health=/") else ("/bin/own",)
    )


def test_an_image_does_not_keep_the_host_busy():
    """The host's half of a check is outside of the container's limits."""
    hasty = OF_IMAGE | {"interval": 100_000, "start_interval": 100_000, "timeout": 100_000}
    check = of(with_image(container("", WITH_IMAGE), hasty))
    assert (check.interval, check.start_interval, check.timeout) == (1_000_000, 1_000_000, 100_000)
    lines = "HealthInterval=100ms\nHealthStartInterval=200ms"
    check = of(with_image(container(lines, WITH_IMAGE), hasty))
    assert (check.interval, check.start_interval) == (100_000, 200_000)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Health=/bin/a\nHealthInterval=1ms", ("HealthInterval: '1ms' is too short", "at least 100ms")),
        (
            "Health=/bin/a\nHealthTimeout=infinity",
            ("HealthTimeout: 'infinity' is too long", "leave out Health= where nothing is to be checked"),
        ),
        (
            "HealthRetries=2",
            ("HealthRetries: there is no Health= that HealthRetries= is about", "add Health=, or leave it out"),
        ),
        ("Notify=healthy", ("Notify: nothing tells whether it is healthy", "say how to check it with Health=")),
        (
            "Notify=healthy\nHealth=no",
            ("Notify: nothing tells whether it is healthy with Health=no", "leave out one of the two"),
        ),
        (
            "Health=/bin/a\n[Service]\nDelegate=no",
            (
                "Health: a check has a control group in the service's, which Delegate=no keeps for systemd",
                "leave out Delegate=",
            ),
        ),
        (
            "Health=CMD /bin/a",
            ("Health: 'CMD' is no program", "Health= is the command alone; sh -c '…' is one for a shell"),
        ),
        ("Health=bin/a", ("Health: 'bin/a' is neither a plain name nor an absolute path", "it takes COMMAND|no")),
    ],
)  # fmt: skip
def test_what_is_refused(lines, said):
    assert problem(lines) == said


def test_an_image_may_say_what_is_missing():
    found = container("HealthRetries=2\nNotify=healthy", WITH_IMAGE)
    assert of(found) == Check(retries=2, says=frozenset({"HealthRetries"}))


def test_who_tells_that_it_is_ready():
    found = definition("Notify=healthy", "Health=/bin/true").container
    assert (found.notify, found.waits_for_health) == (False, True)
    found = definition("Notify=yes").container
    assert (found.notify, found.waits_for_health) == (True, False)
