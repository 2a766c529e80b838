"""One small project, retrained once for the session by the command that people use; the tests of
a module that change its results have a copy.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from worlds.project import make_project, run


@pytest.fixture(scope="session")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clone after `python -m flows.retrain`; its log is in `retrain.log`."""
    folder = make_project(tmp_path_factory.mktemp("pipeline") / "project")
    done = run(sys.executable, "-m", "flows.retrain", cwd=folder)
    (folder / "retrain.log").write_text(done.stdout + done.stderr)
    return folder


@pytest.fixture(scope="module")
def project(retrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that the tests of one module may change: those of another find nothing of it."""
    folder = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(retrained, folder, symlinks=True)
    run(sys.executable, "-m", "tasks.publish", cwd=folder)  # tells the store where it lies now
    return folder
