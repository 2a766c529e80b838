"""A second retrain, on more images, that starts from the champion."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from worlds.project import run, store, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SETTINGS = ("train.start=champion", "pull.phantom.patients=74")


@pytest.fixture(scope="module")
def started(project):
    """The project with a second version; its log is in `second.log`."""
    asked = [word for setting in SETTINGS for word in ("--set", setting)]
    done = run(sys.executable, "-m", "flows.retrain", *asked, cwd=project)
    (project / "second.log").write_text(done.stdout + done.stderr)
    return project


def test_the_run_and_the_report_name_the_version_and_each_batch(started):
    log = (started / "second.log").read_text()
    assert "Training starts from medloop version 1" in log
    assert "start; left: code" in log
    newest = max(versions(started), key=lambda version: int(version.version))
    tags = store(started).get_run(newest.run_id).data.tags
    (first,) = [version for version in versions(started) if int(version.version) == 1]
    assert tags["start.version"] == "1"
    assert tags["start.digest"] == first.tags["model.digest"]
    beside = json.loads((started / "reports/metrics.json").read_text())["beside"]
    assert list(beside["batches"]) == ["0", "1"]
    page = (started / "reports/report.html").read_text()
    assert "Beside medloop version 1, which training started from" in page
    assert (started / "data/start/version.dvc").exists()


def test_the_same_again_changes_nothing(started):
    done = run(sys.executable, "-m", "flows.retrain", cwd=started)
    assert "Unchanged, so skipped: code, preprocess" in done.stdout + done.stderr
    assert len(versions(started)) == 2


def test_it_is_reproduced_bit_by_bit(started, tmp_path):
    done = run(sys.executable, "-m", "tasks.reproduce", "2", str(tmp_path / "twin"), cwd=started)
    assert "The same model" in done.stdout


def test_a_clean_clone_has_the_start(started, tmp_path):
    remote = tmp_path / "remote"
    run("dvc", "remote", "add", "-d", "storage", str(remote), cwd=started)
    run("dvc", "push", cwd=started)
    wanted = ["data/raw.dvc", "data/start/version.dvc", "dvc.lock"]
    run("git", "add", *wanted, cwd=started)
    run("git", "commit", "-qam", "a version that started from another", cwd=started)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(started), str(clone)], check=True)
    said = run("dvc", "repro", "--pull", "fine_tune", cwd=clone).stdout
    assert "Running stage" not in said
    assert (clone / "data/start/version/model.keras").exists()
