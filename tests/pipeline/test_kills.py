"""Killing the flow at any stage and starting it again ends where an undisturbed run ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT, environment, finished, make_project, run, versions

from tasks.common import digests, half_written, paths

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
STAGES = list(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
STEPS = ["store", "pull", *STAGES, "register", "gate"]
FLOW = [sys.executable, "-m", "flows.retrain"]


def test_killed_in_every_stage_and_started_again(project, tmp_path):
    """One project is killed halfway through each step in turn, pull and gate included, and last
    while DVC writes files of its own.
    """
    expected = digests.of_model(project / "models/model.keras")
    folder = make_project(tmp_path / "killed")
    for name, seconds in durations((project / "retrain.log").read_text()).items():
        kill_in(name, folder, seconds / 2)
    run(*FLOW, cwd=folder)
    for file in (half_written.WHO_WORKS, paths.DVC_LOCK, paths.RAW_DVC):
        (folder / file).write_bytes(b"")
    assert "half-written" in run(*FLOW, cwd=folder).stderr
    assert digests.of_model(folder / "models/model.keras") == expected
    assert len(finished(folder)) == 1
    assert len(versions(folder)) == 1
    entries = (folder / "mlruns/ledger.jsonl").read_text().splitlines()
    assert len(entries) == 1, [json.loads(entry) for entry in entries]


def durations(log):
    """Seconds per step of an undisturbed run, from its receipt."""
    steps = re.findall(r"^  (\w+) +([\d.]+) s$", log, re.MULTILINE)
    found = {name: float(seconds) for name, seconds in steps if name != "total"}
    assert list(found) == STEPS
    return found


def kill_in(name, folder, seconds):
    """Start the flow and kill its whole group some time after the step before `name` has ended."""
    before = ["", *STEPS][STEPS.index(name)]
    sign = f"Completed('{before} done')" if before else "Beginning flow run"
    flow = subprocess.Popen(
        FLOW,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    for line in flow.stdout:
        if sign in line:
            break
    time.sleep(seconds)
    os.killpg(flow.pid, signal.SIGKILL)
    flow.wait()
    flow.stdout.close()
