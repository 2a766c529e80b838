"""What a change makes run again: here, in a second clone, and beside another writer.

The tests tell one story in order, in one project.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import psutil
import pytest
from worlds.project import dvc, environment, finished, run, versions
from worlds.readme import LANGUAGES, recipe

from tasks.common import editing, paths

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_touched_evaluation_gives_a_second_run_and_no_second_version(project):
    editing.set_values(project / "params.yaml", {"evaluate.confidence": 0.9})
    said = dvc(project, "repro")
    for untouched in ("preprocess", "split", "validate", "augment", "train", "fine_tune"):
        assert f"Stage '{untouched}' didn't change" in said
    assert "Running stage 'evaluate'" in said
    assert len(finished(project)) == 2
    run(sys.executable, "-m", "tasks.register", cwd=project)
    assert len(versions(project)) == 1
    first, second = finished(project)
    assert first.data.tags["result.digest"] != second.data.tags["result.digest"]
    assert first.data.tags["model.digest"] == second.data.tags["model.digest"]


def test_the_owners_words_make_the_report_again_and_nothing_before_it(project):
    (project / paths.OWNER).write_text("## Limits\nFew children.\n", encoding="utf-8")
    said = dvc(project, "repro", "report")
    assert re.findall(r"Running stage '(\w+)'", said) == ["report"]
    assert "Few children." in (project / paths.REPORT).read_text("utf-8")


@pytest.fixture(scope="module")
def clone(project, tmp_path_factory):
    """A second clone, by the README's recipe."""
    remote = tmp_path_factory.mktemp("remote")
    run("bash", "-ec", recipe(LANGUAGES[1], remote), cwd=project)
    folder = tmp_path_factory.mktemp("second") / "clone"
    run("git", "clone", "-q", str(project), str(folder), cwd=project)
    return folder


def test_a_second_clone_runs_nothing(clone):
    said = dvc(clone, "repro", "--pull", "report")
    assert "Running stage" not in said
    assert (clone / "models/model.keras").exists()
    assert (clone / "reports/report.html").exists()


def test_a_second_clone_trains_on_with_one_parameter_changed(clone):
    for made in ("models", "data/processed", "reports"):
        shutil.rmtree(clone / made)
    editing.set_values(clone / "params.yaml", {"fine_tune.learning_rate": 2.0e-5})
    said = dvc(clone, "repro", "--pull", "fine_tune")
    assert "Running stage 'fine_tune'" in said
    assert "Running stage 'train'" not in said
    assert (clone / "models/model.keras").exists()


def test_plots_and_metrics_are_declared(project):
    assert "auroc" in dvc(project, "metrics", "show")
    dvc(project, "plots", "show", "-o", "plots")
    assert (project / "plots/index.html").exists()
    shutil.rmtree(project / "plots")


def test_a_second_writer_is_told_who_holds_the_lock(project):
    """Two at once: the second runs nothing and says which process is in the way; the first goes on
    and is whole.
    """
    editing.set_values(project / "params.yaml", {"evaluate.confidence": 0.91})
    command = [sys.executable, "-m", "dvc", "repro", "evaluate"]
    first = subprocess.Popen(command, cwd=project, env=environment(), stdout=subprocess.DEVNULL)
    with first, stopped(first, "tasks.evaluate"):
        second = run(*command, cwd=project, check=False)
    assert second.returncode == 255
    assert f"(PID {first.pid})" in second.stderr
    assert "Running stage" not in second.stdout
    assert first.returncode == 0
    assert "Running stage" not in dvc(project, "repro", "evaluate")


@contextmanager
def stopped(process, module):
    """Wait until DVC's process runs `module`, and hold that process still."""
    end = time.monotonic() + 120
    while not (found := running(process, module)):
        assert time.monotonic() < end, f"{module} was not run"
        time.sleep(0.05)
    for one in found:
        one.suspend()
    try:
        yield
    finally:
        for one in found:
            one.resume()


def running(process, module):
    """The processes that it started to run `module`."""
    found = []
    for one in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if one.cmdline()[-2:] == ["-m", module]:
                found.append(one)
    return found
