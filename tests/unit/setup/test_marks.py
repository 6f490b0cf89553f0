"""What the helper notes for `nsunit analyze`, and what that costs."""

import time

from nsunit.setup.build import Build
from nsunit.setup.main import open_marks, write_marks

BUDGET = 0.0003  # seconds
STEPS = 60  # more than a plan with all features has


def mark_all(directory):
    build, fd = Build(""), open_marks(directory)
    for step in range(STEPS):
        build.mark(f"prepare/step-{step}")
    write_marks(fd, build)


def test_words_and_nanoseconds(tmp_path):
    build, fd = Build(""), open_marks(str(tmp_path))
    build.mark("begun", 5)
    build.mark("plan")
    write_marks(fd, build)
    words = (tmp_path / "marks").read_text().split()
    assert words[:3] == ["begun", "5", "plan"]
    assert abs(int(words[3]) - time.monotonic_ns()) < 10**12
    assert (tmp_path / "marks").stat().st_mode & 0o777 == 0o600


def test_a_start_goes_on_where_there_is_no_room(tmp_path):
    fd = open_marks(f"{tmp_path}/none")
    assert fd == -1
    write_marks(fd, Build(""))


def test_nobody_s_file_is_written_by_a_link(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / "marks").symlink_to(tmp_path / "other")
    write_marks(open_marks(str(tmp_path)), Build(""))
    assert (tmp_path / "other").read_text() == "mine"


def test_the_budget(tmp_path):
    times = []
    for _ in range(50):
        before = time.process_time()
        mark_all(str(tmp_path))
        times.append(time.process_time() - before)
    assert min(times) < BUDGET, f"{min(times) * 1e6:.0f} µs"
