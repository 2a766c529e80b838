"""The room beside JAX and on it (`KERAS_BACKEND=jax`), in processes of their own."""

import subprocess
import sys

import pytest
from worlds.project import ROOT, environment

SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = ["tests/networks"]
import keras, numpy as np
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.common.errors import TrainingError
from tasks.networks import augmentation, device, files, keys, precision
from tasks.networks.architecture import build
from tasks.networks.gradcam import GradCam
from tasks.networks.scoring import score
from test_feeds import make_data, start, train

assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
device.prepare(threads=1, seed=5)
made = keys.made_with("tasks.networks.fit")
assert made["threads"] == 1 and "jax" in made["versions"]
keras.random.uniform(())
for wrong in (dict(threads=2), dict(threads=1, devices=2)):
    try:
        device.prepare(seed=5, **wrong)
    except TrainingError as error:
        print(error)

stored, _, expected = train(start(), "dropout", make_data(count=1, refresh=1), epochs=2)
again, _, repeated = train(start(), "dropout", make_data(count=1, refresh=1), epochs=2)
on_the_fly, history, found = train(start(), "dropout", make_data(count=0), epochs=2)
assert (type(stored).__name__, type(on_the_fly).__name__) == ("Stored", "OnTheFly")
for one, same, other in zip(expected, repeated, found, strict=True):
    assert np.array_equal(one, same)
    assert np.abs(one - other).max() < 1e-5

model = build(
    Model(backbone="EfficientNetLite0", weights="imagenet", dropout=0.2),
    PixelSettings(size=[32, 32], color="grey", window=None),
    Task(kind="binary", classes=["a", "b"]),
)
images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1)).astype(np.uint8)
scores = score(model, images)
assert np.array_equal(score(model, images[3:4]), scores[3:4])
assert GradCam(model)(images, 0, False).shape[0] == 5
views = augmentation.draw(augmentation.PRESETS["tutorial"], 3, list("abcde"), (32, 32))
assert augmentation.render(images, views).shape == images.shape
with precision.computing(model, "mixed_bfloat16"):
    mixed = score(model, images)
assert 0 < np.abs(mixed - scores).max() < 0.03, np.abs(mixed - scores).max()
path = Path(sys.argv[1])
files.save(model, path)
assert np.array_equal(score(files.load(path), images), scores)
print("all is well")
"""
BESIDE = """
import sys
from tasks.networks import architecture
import keras
assert keras.backend.backend() == "tensorflow" and "jax" not in sys.modules
import jax
"""


def run(*command, **variables):
    path = f"{ROOT}:{ROOT / 'tests'}"
    return subprocess.run(
        [sys.executable, "-c", *command],
        cwd=ROOT,
        env=environment(PYTHONPATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_room_runs_on_jax(tmp_path):
    done = run(SCRIPT, str(tmp_path / "model.keras"), KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train.threads" in done.stdout
    assert "train.devices" in done.stdout
    assert done.stdout.endswith("all is well\n")


@pytest.mark.slow
def test_tensorflow_stays_the_default_and_leaves_jax_alone():
    done = run(BESIDE)
    assert done.returncode == 0, done.stdout + done.stderr
