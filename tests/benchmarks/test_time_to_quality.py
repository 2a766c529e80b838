from __future__ import annotations

import json
import time

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from benchmarks import time_to_quality
from benchmarks.peers import tutorial
from benchmarks.peers.exchange import Curve, Images
from benchmarks.time_to_quality import Trained, ratio, tell
from tasks import augment
from tasks.common import editing, manifest, paths
from tasks.networks import files

OURS = Trained([(2.0, 0.8), (4.0, 0.95), (6.0, 0.99)], test=0.9)
PEER = Trained([(10.0, 0.7), (20.0, 0.947), (40.0, 0.949), (60.0, 0.94)], test=0.88)


def test_ratio_is_that_of_the_times_to_the_peers_best_less_a_little():
    assert PEER.target == pytest.approx(0.947)
    assert ratio(OURS, PEER) == 20.0 / 4.0


def test_what_is_never_reached_or_ends_lower_on_test_counts_nothing():
    assert ratio(OURS, PEER._replace(curve=[(1.0, 1.0)])) == 0.0
    assert ratio(OURS, PEER._replace(test=0.91)) == 0.0


def test_the_result_is_the_smallest_share_of_a_goal(capsys):
    assert tell(OURS, {"tutorial": PEER, "aucmedi": PEER}) == 0.5
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[1:]] == ["tutorial", "aucmedi", "medloop"]


def test_measuring_stops_the_clock():
    def slow():
        time.sleep(0.5)
        return 0.7

    curve = Curve("a", slow)
    for _ in range(3):
        curve.add()
    assert [auroc for _, auroc in curve.points] == [0.7] * 3
    assert curve.points[-1][0] < 0.4


@pytest.fixture
def source(tmp_path):
    """Two classes of twelve pictures, a bright square in one of them."""
    random = np.random.default_rng(0)
    for label, bright in (("clear", 0), ("square", 120)):
        folder = tmp_path / "source" / label
        folder.mkdir(parents=True)
        for number in range(12):
            picture = random.integers(0, 100, (40, 40), np.uint8)
            picture[10:30, 10:30] += bright
            cv2.imwrite(str(folder / f"{number}.png"), picture)
    return tmp_path / "source"


def test_images_are_brought_as_the_pipeline_does_and_limited(source, workspace, monkeypatch):
    monkeypatch.setenv("MEDLOOP_STATE", str(workspace / "state"))
    editing.set_values(paths.PARAMS, {"preprocess.size": [32, 32]})
    (workspace / "dvc.yaml").unlink()  # as in the benchmark's own folder: no order of stages
    in_a_process = time_to_quality.run_stage

    def run_stage(name):
        """Augment here, which would import Keras once more."""
        return augment.main() if name == "augment" else in_a_process(name)

    monkeypatch.setattr(time_to_quality, "run_stage", run_stage)
    settings = time_to_quality.prepare(source, limit=12)
    table = manifest.read_manifest()
    assert settings.task.names == ["clear", "square"]
    assert (table["split"] != "test").sum() == 12
    test = time_to_quality.images_of("test", settings)
    assert test.pixels.shape[1:] == (32, 32, 1)
    assert test.targets.sum() == (table[table["split"] == "test"]["label"] == "square").sum()
    assert paths.VIEWS.exists()


def make_model():
    pixels = keras.Input((32, 32, 1))
    x = layers.Rescaling(1 / 255)(pixels)
    x = layers.Conv2D(4, 3, 2, activation="relu", name="early")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(4, 3, 2, activation="relu", name="late")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(pixels, layers.Dense(1, "sigmoid", name="scores")(x))


def test_the_tutorial_leaves_a_curve(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for split in manifest.SPLITS:
        targets = (np.arange(12) % 2).astype(np.float32)[:, None]
        pixels = random.integers(0, 100, (12, 32, 32, 1), np.uint8)
        pixels[1::2] += 100
        np.savez(tmp_path / f"{split}.npz", **Images(pixels, targets)._asdict())
    files.save(make_model(), tmp_path / "start.keras")
    given = {"kind": "binary", "cut_layer": "norm", "pooled_layer": "pooled", "seed": 1}
    (tmp_path / "settings.json").write_text(json.dumps(given))
    monkeypatch.setattr(tutorial, "EPOCHS", 3)
    monkeypatch.setattr(tutorial, "FINE_TUNE_EPOCHS", 2)
    tutorial.main(tmp_path)
    found = json.loads((tmp_path / "result.json").read_text())
    seconds = [at for at, _ in found["curve"]]
    assert len(seconds) == 5
    assert seconds == sorted(seconds)
    assert 0 <= found["test"] <= 1


def test_the_curves_are_drawn(tmp_path):
    time_to_quality.draw(tmp_path / "of" / "curves.png", {"medloop": OURS, "tutorial": PEER})
    assert cv2.imread(str(tmp_path / "of" / "curves.png")).std() > 5
