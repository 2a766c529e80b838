"""The same inputs give bitwise the same weights, whatever happened on the way."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from worlds.project import environment, run, store

from tasks.common import digests, editing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
# Of each way to train: epochs after which a moment is drawn, 0 from the start. The second epoch's
# line tells that the first one's checkpoint is written.
KILLS = {"train": (0, 2, 2), "fine_tune": (0, 2)}
MODELS = {"train": "models/head.keras", "fine_tune": "models/model.keras"}
EPOCHS = {"train.epochs": 40, "train.patience": 40, "fine_tune.epochs": 8, "fine_tune.patience": 8}
# Kills itself in the middle of writing the third checkpoint.
TORN = """
import os, signal
import numpy as np
whole, writes = np.savez, []
def torn(file, **arrays):
    writes.append(file)
    if len(writes) == 3:
        file.write(b"half of it")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(file, **arrays)
np.savez = torn
from tasks import {stage}
{stage}.main()
"""


def copy(project, folder, **settings):
    shutil.copytree(project, folder, symlinks=True)
    editing.set_values(folder / "params.yaml", settings)
    return folder


def digest(folder, stage="fine_tune"):
    return digests.of_model(folder / MODELS[stage])


def forget(folder):
    """Everything that training could find again, and what it has shown."""
    for name in (".medloop/prefix", ".medloop/checkpoints", "models", "mlruns"):
        shutil.rmtree(folder / name, ignore_errors=True)


def test_a_forced_repro_with_an_empty_state_gives_the_same_weights(project, tmp_path):
    """With a full one it could not fail; another seed shows that it can."""
    folder = copy(project, tmp_path / "again")
    expected = digest(project)
    for seed, same in ((None, True), (None, True), (99, False)):
        shutil.rmtree(folder / ".medloop")
        if seed:
            editing.set_values(folder / "params.yaml", {"train.seed": seed})
        command = [sys.executable, "-m", "dvc", "repro", "-f", "fine_tune"]
        said = run(*command, cwd=folder).stdout
        assert "stored activations found" not in said.partition("Running stage 'fine_tune'")[0]
        assert "Going on after" not in said
        assert (digest(folder) == expected) == same


@pytest.mark.parametrize("views", [0, 2])
def test_killed_at_random_moments_training_ends_in_the_same_weights(project, tmp_path, views):
    """On the fly and on stored activations; no step of a metric is doubled."""
    folder = copy(project, tmp_path / "killed", **EPOCHS, **{"augment.views": views})
    run(sys.executable, "-m", "tasks.augment", cwd=folder)
    seconds = {stage: undisturbed(folder, stage) for stage in MODELS}
    expected = {stage: digest(folder, stage) for stage in MODELS}
    forget(folder)
    seed = random.randrange(10**6)
    print("seed of the kills:", seed)
    chance = random.Random(seed)
    for stage, kills in KILLS.items():
        for epochs in kills:
            while not kill(folder, stage, epochs, chance.uniform(0, seconds[stage][epochs])):
                (folder / MODELS[stage]).unlink()  # the kill came too late
        said = run(sys.executable, "-m", f"tasks.{stage}", cwd=folder).stdout
        assert "Going on after epoch" in said, "no kill fell into the epochs"
        assert digest(folder, stage) == expected[stage]
    assert_steps_are_single(folder)


@pytest.mark.parametrize("stage", MODELS)
def test_killed_while_a_checkpoint_is_written(project, tmp_path, stage):
    folder = copy(project, tmp_path / "torn", **EPOCHS)
    if stage == "fine_tune":
        run(sys.executable, "-m", "tasks.train", cwd=folder)
    undisturbed(folder, stage)
    expected = digest(folder, stage)
    shutil.rmtree(folder / ".medloop/checkpoints", ignore_errors=True)
    torn = run(sys.executable, "-c", TORN.format(stage=stage), cwd=folder, check=False)
    assert torn.returncode == -signal.SIGKILL, torn.stderr
    said = run(sys.executable, "-m", f"tasks.{stage}", cwd=folder).stdout
    assert "Going on after epoch 2" in said
    assert digest(folder, stage) == expected


def undisturbed(folder, stage):
    """Run a stage; seconds from the moment when it begins to compute to its end, and from each
    further number of epochs to the last epoch's.
    """
    with started(folder, stage) as process:
        moments = [time.monotonic() for _ in told(process)]
    assert process.returncode == 0
    last = {epochs: moments[-1] - moment for epochs, moment in enumerate(moments)}
    return last | {0: time.monotonic() - moments[0]}


def kill(folder, stage, epochs, seconds):
    """Run a stage and kill it some seconds after so many epochs; False if it was done by then."""
    with started(folder, stage) as process:
        next((None for count in told(process) if count == epochs), None)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return not (folder / MODELS[stage]).exists()


def started(folder, stage):
    command = [sys.executable, "-m", f"tasks.{stage}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment(), **pipes)


def told(process):
    """Epochs told since the process began to compute, as each line comes."""
    marks = (line for line in process.stdout if line.startswith(("Computing on", "Epoch")))
    for epochs, _ in enumerate(marks):
        yield epochs


def assert_steps_are_single(folder):
    client = store(folder)
    experiments = [found.experiment_id for found in client.search_experiments()]
    (live,) = client.search_runs(experiments)
    for stage in MODELS:
        history = client.get_metric_history(live.info.run_id, f"{stage}/val_loss")
        assert [metric.step for metric in history] == list(range(1, EPOCHS[f"{stage}.epochs"] + 1))
