"""What an edit of the code makes run again, by a real DVC."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager

import pytest
from worlds.project import finished, run

pytestmark = pytest.mark.timeout(900)


def repro(project, *arguments):
    return run(sys.executable, "-m", "dvc", "repro", *arguments, cwd=project).stdout


@contextmanager
def edited(project, module):
    """A comment more in a module, for a while."""
    path = project / "tasks" / module
    before = path.read_text()
    path.write_text(f"{before}# a comment\n")
    try:
        yield
    finally:
        path.write_text(before)
        repro(project, "code")


def changed(project):
    """The stages that would run now; later ones show once those have."""
    repro(project, "code")
    said = run(sys.executable, "-m", "dvc", "status", "--json", cwd=project).stdout
    return {stage for stage in json.loads(said) if not stage.endswith(".dvc")} - {"publish"}


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("networks/gradcam.py", {"explain"}),
        ("networks/losses.py", {"train", "fine_tune"}),
        ("statistics/drift.py", {"validate"}),
        ("pictures/templates/split.html.j2", {"report"}),
        ("registry/gate.py", set()),
        ("registry/live.py", set()),
        ("sources/folder.py", set()),
    ],
)
def test_an_edit_makes_those_stages_run_again_that_it_concerns(project, module, stages):
    assert changed(project) == set()
    with edited(project, module):
        assert changed(project) == stages


def test_an_edit_that_no_result_hangs_on_makes_no_second_run(project):
    before = [run_.info.run_id for run_ in finished(project)]
    with edited(project, "registry/gate.py"):
        said = repro(project)
    assert "is recorded already" in said
    assert [run_.info.run_id for run_ in finished(project)] == before
