"""Promotion from the flows' command line: the registry's own command, with nothing around it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from worlds.project import ROOT, environment, run

from flows import promote


@pytest.mark.parametrize("arguments", [[], ["3"]])
def test_a_version_is_passed_on_and_no_version_means_the_challenger(monkeypatch, arguments):
    became = []
    monkeypatch.setattr(os, "execve", lambda *given: became.append(given))
    monkeypatch.setattr("sys.argv", ["promote", *arguments])
    promote.main()
    [(program, command, variables)] = became
    assert program == sys.executable
    assert command == [sys.executable, "-m", "tasks.promote", *arguments]
    assert variables["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_it_does_without_prefect():
    code = "import sys; from flows import promote; print('prefect' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_a_refused_promotion_says_why_and_ends_with_1(workspace):
    command = (sys.executable, "-m", "flows.promote", "7")
    done = run(*command, cwd=workspace, check=False, PYTHONPATH=str(ROOT))
    assert done.returncode == 1
    assert done.stderr.startswith("RegistryError: required: version 7 of 'medloop'; received: none")
