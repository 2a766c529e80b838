"""A command under a Python that lacks the project's packages says so in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from worlds.project import ROOT, environment


@pytest.mark.parametrize("module", ["tasks.train", "tasks.pull", "tasks.doctor", "flows.retrain"])
def test_without_the_packages_it_ends_in_one_line(module):
    command = [sys.executable, "-S", "-m", module]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Medloop's environment is not active: {sys.executable} lacks")
    assert "source .venv/bin/activate" in line
    assert "make repro" in line


def test_imported_it_says_nothing():
    """As the packaged model does, wherever it serves."""
    command = [sys.executable, "-S", "-c", "import tasks"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
