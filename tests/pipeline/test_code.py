"""What an edit of the code makes run again, by a real DVC."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager

import pytest
from worlds.project import dvc, finished

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def repro(project, *arguments):
    return dvc(project, "repro", *arguments)


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


def changed(project):
    """The stages that would run now; later ones show once those have."""
    repro(project, "code")
    said = dvc(project, "status", "--json")
    return {stage for stage in json.loads(said) if not stage.endswith(".dvc")} - {"publish"}


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("networks/gradcam.py", {"explain"}),
        ("networks/losses.py", {"train", "fine_tune", "evaluate"}),
        ("statistics/drift.py", {"validate"}),
        ("pictures/templates/cohort.html.j2", {"report"}),
        ("serving/pyfunc.py", {"compress"}),
        ("common/params/gate.py", {"report"}),
    ],
)
def test_an_edit_makes_those_stages_run_again_that_it_concerns(project, module, stages):
    with edited(project, module):
        assert changed(project) == stages


def test_an_edit_that_concerns_none_makes_none_run_again(project):
    with ExitStack() as edits:
        for module in ("registry/gate", "registry/live_runs", "common/errors", "sources/folder"):
            edits.enter_context(edited(project, f"{module}.py"))
        assert changed(project) == set()
    assert changed(project) == set()


def test_a_new_parameter_makes_those_stages_run_again_that_read_its_section(project):
    section, values = project / "tasks/common/params/report.py", project / "params.yaml"
    before, text = section.read_text(), values.read_text()
    with edited(project, "common/params/report.py"):
        section.write_text(before.replace("title: str", "title: str\n    subtitle: str"))
        values.write_text(text.replace("report:\n", "report:\n  subtitle: Second reading\n"))
        assert changed(project) == {"report"}
        assert "Running stage 'report'" in repro(project, "report")
        assert changed(project) == set()
        values.write_text(text)
    assert changed(project) == {"report"}
    repro(project, "report")


def test_an_edit_that_no_result_hangs_on_makes_no_second_run(project):
    before = [run_.info.run_id for run_ in finished(project)]
    with edited(project, "registry/gate.py"):
        said = repro(project)
    assert "is recorded already" in said
    assert [run_.info.run_id for run_ in finished(project)] == before
