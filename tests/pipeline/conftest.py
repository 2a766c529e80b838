"""One small project, retrained once for the session by the command that people use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from worlds.project import make_project, run


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clone after `python -m flows.retrain`; its log is in `retrain.log`."""
    folder = make_project(tmp_path_factory.mktemp("pipeline") / "project")
    done = run(sys.executable, "-m", "flows.retrain", cwd=folder)
    (folder / "retrain.log").write_text(done.stdout + done.stderr)
    return folder
