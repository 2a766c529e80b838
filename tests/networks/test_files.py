import subprocess
import sys
import zipfile

import keras
import numpy as np
from worlds.project import ROOT, environment

from tasks.common import digests
from tasks.networks import files

BUILD_AND_SAVE = """
import sys
from pathlib import Path
from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.networks import files
from tasks.networks.architecture import build
import keras

keras.utils.set_random_seed(5)
model = build(
    Model(backbone="MobileNetV2", weights="none", dropout=0.2),
    PixelSettings(size=[32, 32], color="grey", window=None),
    Task(kind="binary", classes=["a", "b"]),
)
files.save(model, Path(sys.argv[1]))
"""


def test_another_process_gives_the_same_bytes_and_says_nothing(make, tmp_path):
    """By itself Keras writes memory addresses into the configuration of each layer."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD_AND_SAVE, str(tmp_path / "there.keras")],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout + done.stderr == ""
    keras.utils.set_random_seed(5)
    files.save(make("MobileNetV2"), tmp_path / "here.keras")
    assert (tmp_path / "here.keras").read_bytes() == (tmp_path / "there.keras").read_bytes()


def test_what_is_loaded_is_what_was_saved(make, tmp_path):
    model = make()
    files.save(model, tmp_path / "a.keras")
    loaded = files.load(tmp_path / "a.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.float32)
    assert np.array_equal(model(pixels), loaded(pixels))
    files.save(loaded, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_other_weights_are_another_model(make, tmp_path):
    model = make()
    files.save(model, tmp_path / "a.keras")
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias + 1e-6])
    files.save(model, tmp_path / "b.keras")
    assert digests.of_model(tmp_path / "a.keras") != digests.of_model(tmp_path / "b.keras")


def test_nothing_fleeting_is_kept(make, tmp_path):
    files.save(make(), tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        text = archive.read("config.json") + archive.read("metadata.json")
    assert b"shared_object_id" not in text
    assert b"date_saved" not in text
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".keras"] in ([], ["state"])
