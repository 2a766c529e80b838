"""The room beside JAX and on it (`KERAS_BACKEND=jax`), in processes of their own."""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from worlds.feeds import start
from worlds.project import ROOT, environment

from tasks.networks import files, precision
from tasks.networks.scoring import score

SCRIPT = """
import sys
import jax, keras, numpy as np
from tasks.common.errors import TrainingError
from tasks.common import paths
from tasks.networks import device, fit, keys, memory
from tasks.networks.prefix import Prefix
from tasks.networks.steps import Steps
from worlds.feeds import CUT, make_data, start, train

assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
device.prepare(threads=1, seed=5)
made = keys.made_with("tasks.networks.fit")
assert made["threads"] == 1 and "jax" in made["versions"]
ones = np.ones((2, 2), np.float32)
assert "HIGHEST" in jax.jit(keras.ops.matmul).lower(ones, ones).as_text()
keras.random.uniform(())
for wrong in (dict(threads=2), dict(threads=1, devices=2)):
    try:
        device.prepare(seed=5, **wrong)
    except TrainingError as error:
        print(error)

def alike(one, other):
    return all(np.abs(a - b).max() < 1e-5 for a, b in zip(one, other, strict=True))

def same(one, other):
    return all(map(np.array_equal, one, other))

ASKED = {"schedule": "cosine", "label_smoothing": 0.1}
def run(layer, **views):
    return train(start(), layer, make_data(**views), epochs=2, **ASKED)

for layer in ("dropout", CUT):
    stored, _, expected = run(layer, count=1, refresh=1)
    _, _, repeated = run(layer, count=1, refresh=1)
    on_the_fly, _, found = run(layer, count=0)
    assert (type(stored).__name__, type(on_the_fly).__name__) == ("Stored", "OnTheFly")
    assert same(expected, repeated) and alike(expected, found)

# A kill in the second epoch.
saved, calls = fit.Checkpoint.save, []
def dies(self, model, state):
    saved(self, model, state)
    calls.append(1)
    if len(calls) == 1:
        raise KeyboardInterrupt
fit.Checkpoint.save = dies
try:
    run(CUT, count=1, refresh=1)
except KeyboardInterrupt:
    print("killed")
assert same(run(CUT, count=1, refresh=1)[2], expected)
fit.Checkpoint.save = saved

# A device with memory of its own: nothing is stored, nothing fed.
Steps.over_batches = None
assert device.backend.memory() is None
device.backend.memory = lambda: 1 << 30
memory.room.cache_clear()
before = set((paths.state() / "prefix").iterdir())
resident, _, found = run(CUT, count=1, refresh=1)
assert isinstance(resident.examples(1).inputs, jax.Array)
assert alike(expected, found) and same(found, run(CUT, count=1, refresh=1)[2])
assert alike(found, run(CUT, count=0)[2])
assert set((paths.state() / "prefix").iterdir()) == before

def full(*_):
    jax.block_until_ready(jax.numpy.zeros(1 << 45))  # the backend refuses it
Prefix.resident = full
assert alike(expected, run(CUT, count=1, refresh=1)[2])
print("all is well")
"""
SCORES = """
import sys
from pathlib import Path
import numpy as np
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.networks import augmentation, device, files, precision
from tasks.networks.architecture import build
from tasks.networks.gradcam import GradCam
from tasks.networks.scoring import score
from worlds.feeds import CUT, make_data, train

device.prepare(threads=1, seed=5)
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
folder = Path(sys.argv[1])
files.save(model, folder / "model.keras")
np.savez(folder / "scored", images=images, scores=scores, mixed=mixed)
assert np.array_equal(score(files.load(folder / "model.keras"), images), scores)
of_tensorflow = np.load(folder / "of_tensorflow.npz")
model, images = files.load(folder / "of_tensorflow.keras"), of_tensorflow["images"]
assert np.abs(score(model, images) - of_tensorflow["scores"]).max() < 1e-5
with precision.computing(model, "mixed_bfloat16"):
    assert np.abs(score(model, images) - of_tensorflow["mixed"]).max() < 0.03
    _, history, _ = train(model, CUT, make_data(count=1))
    mixed = score(model, images)
assert history[-1]["loss"] < history[0]["loss"]
files.save(model, folder / "halved.keras")
np.savez(folder / "halved", images=images, scores=score(model, images), mixed=mixed)
print("all is well")
"""
COMPILES = """
import numpy as np
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.networks.architecture import build
from tasks.networks.scoring import score
model = build(
    Model(backbone="EfficientNetLite0", weights="imagenet", dropout=0.2),
    PixelSettings(size=[32, 32], color="grey", window=None),
    Task(kind="binary", classes=["a", "b"]),
)
for weight in model.layers[-2].weights:
    weight.assign(np.full(weight.shape, 0.01))
print(repr(score(model, np.full((1, 32, 32, 1), 9, np.uint8))))
"""
BROUGHT = """
import sys
from pathlib import Path
import keras, numpy as np
from tasks.common.params.model import Model, OnnxPixels
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.networks import device, files, layers
from tasks.networks.architecture import build
from tasks.networks.feeds import OnTheFly
from tasks.networks.prefix import Prefix
from tasks.networks.scoring import score
from tasks.networks.views import Views
from worlds import extractors
device.prepare(threads=1, seed=5)
folder = Path(sys.argv[1])
vit = extractors.vit(folder / "vit.onnx", maps=True)
model = build(
    Model(backbone="onnx", weights=str(vit), onnx=OnnxPixels(mean=[0.5], std=[0.5]), dropout=0.2),
    PixelSettings(size=[32, 32], color="grey", window=None),
    Task(kind="binary", classes=["a", "b"]),
)
images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1)).astype(np.uint8)
views = Views("tutorial", 3, 1, None, tuple("abcdef"), (32, 32))
(stored,) = Prefix(model, ["dropout"]).activations(images, views.draw(0), "Views")
frozen, head = layers.cut(model, "dropout")
feed = OnTheFly(frozen, images, np.zeros((6, 1), np.float32), views)
inputs, _ = feed.examples(1).batches(np.arange(6), 6)[0]
found = device.backend.forward(feed.network(head))(inputs)
assert np.abs(np.asarray(found) - np.asarray(head(np.float32(stored)))).max() < 1e-5
files.save(model, folder / "model.keras")
np.savez(folder / "scored", images=images, scores=score(model, images))
"""
KILLED = """
import os, signal, sys
import numpy as np
from tasks.networks import device, fit
from worlds.feeds import CUT, make_data, start, train
device.prepare(threads=1, seed=5)
save = fit.Checkpoint.save
def dies(self, model, state):
    save(self, model, state)
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "die":
    fit.Checkpoint.save = dies
if sys.argv[2] == "resident":
    device.backend.memory = lambda: 1 << 30
np.savez(sys.argv[1], *train(start(), CUT, make_data(count=1, refresh=1))[2])
"""
SEVERAL = """
import sys
import numpy as np
from tasks.networks import device
devices, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
device.prepare(1, 5, devices)
if count:  # resident, else fed
    device.backend.memory = lambda: 1 << 30
from worlds.feeds import CUT, make_data, start, train
feed, history, weights = train(start(), CUT, make_data(count=count))
import jax
assert len(jax.devices()) == devices == device.count()
assert len(weights) and history[-1]["loss"] < history[0]["loss"]
np.savez(out, *weights, **{f"epoch_{k}": list(entry.values()) for k, entry in enumerate(history)})
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


def in_bfloat16(model, images):
    with precision.computing(model, "mixed_bfloat16"):
        return score(model, images)


@pytest.mark.slow
def test_the_room_trains_on_jax(tmp_path):
    done = run(SCRIPT, KERAS_BACKEND="jax", MEDLOOP_STATE=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train.threads" in done.stdout
    assert "train.devices" in done.stdout
    assert "killed\nGoing on after epoch 1" in re.sub(r"Frozen.*\n", "", done.stdout)
    assert "RESOURCE_EXHAUSTED: Out of memory allocating" in done.stdout
    assert done.stdout.endswith("all is well\n")


@pytest.mark.slow
def test_each_backend_scores_alike_what_the_other_made(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 1)).astype(np.uint8)
    made = start()
    files.save(made, tmp_path / "of_tensorflow.keras")
    given = {"images": images, "scores": score(made, images), "mixed": in_bfloat16(made, images)}
    np.savez(tmp_path / "of_tensorflow", **given)
    done = run(SCORES, str(tmp_path), KERAS_BACKEND="jax", MEDLOOP_STATE=str(tmp_path / "state"))
    assert done.stdout.endswith("all is well\n"), done.stdout + done.stderr
    for scored, name in (("scored.npz", "model.keras"), ("halved.npz", "halved.keras")):
        model, expected = files.load(tmp_path / name), np.load(tmp_path / scored)
        found = score(model, expected["images"])
        assert np.abs(found - expected["scores"]).max() < 1e-5
        halved = in_bfloat16(model, expected["images"])
        assert not np.array_equal(halved, found)
        assert np.abs(halved - expected["mixed"]).max() < 0.03


@pytest.mark.slow
def test_what_is_brought_is_computed_alike_on_jax_and_stored_or_on_the_fly(tmp_path):
    done = run(BROUGHT, str(tmp_path), KERAS_BACKEND="jax", MEDLOOP_STATE=str(tmp_path / "state"))
    assert done.returncode == 0, done.stdout + done.stderr
    scored = np.load(tmp_path / "scored.npz")
    found = score(files.load(tmp_path / "model.keras"), scored["images"])
    assert np.abs(found - scored["scores"]).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("residence", "deaths"), [("fed", 2), ("resident", 1)])
def test_killed_and_started_again_it_ends_in_the_same_weights(tmp_path, residence, deaths):
    """Killed outright, once after the first epoch and once after the second."""

    def training(out, state):
        variables = {"KERAS_BACKEND": "jax", "MEDLOOP_STATE": str(tmp_path / state)}
        return run(KILLED, str(out), residence, **variables)

    undisturbed, killed = tmp_path / "undisturbed.npz", tmp_path / "killed.npz"
    assert training(undisturbed, "a").returncode == 0
    for _ in range(deaths):
        assert training("die", "b").returncode == -signal.SIGKILL
    done = training(killed, "b")
    assert f"Going on after epoch {deaths}" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "b/prefix").is_dir() == (residence == "fed")
    found, expected = np.load(killed), np.load(undisturbed)
    assert len(found.files) > 0
    assert all(np.array_equal(found[name], expected[name]) for name in expected.files)


@pytest.mark.slow
def test_what_was_compiled_is_kept_in_the_state_folder(tmp_path):
    variables = {
        "KERAS_BACKEND": "jax",
        "MEDLOOP_STATE": str(tmp_path),
        # Between what compiling and fetching take.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
    }
    first, second = (run(COMPILES, **variables) for _ in range(2))
    assert re.search(r"^Compiled in [\d.]+ s, and kept", first.stdout, re.M), first.stderr
    assert list((tmp_path / "compiled").iterdir())
    assert "Compiled" not in second.stdout
    assert second.stdout == first.stdout.splitlines(keepends=True)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1])
def test_several_devices_reach_the_weights_of_one(tmp_path, count):
    """Three, which do not divide a batch of 16, nor the last one of 8; dropout included."""
    found = []
    for devices in (1, 3):
        out = tmp_path / f"{devices}.npz"
        flags = f"--xla_force_host_platform_device_count={devices}"
        state = str(tmp_path / f"state-{devices}")
        given = {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags, "MEDLOOP_STATE": state}
        done = run(SEVERAL, str(devices), str(count), str(out), **given)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append(np.load(out))
    one, three = found
    for name in one.files:
        assert np.allclose(one[name], three[name], atol=1e-5), name


@pytest.mark.slow
def test_tensorflow_stays_the_default_and_leaves_jax_alone():
    done = run(BESIDE)
    assert done.returncode == 0, done.stdout + done.stderr
