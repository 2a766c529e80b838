"""A tiny world after fine_tune: a manifest, a pack and a network that finds bright spots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from worlds.project import enter_workspace

from tasks.common import editing, manifest, paths

if TYPE_CHECKING:
    import keras

SIZE = 32
SPLITS = ("train", "val", "test")


def make_images(labels: list[str], seed: int = 0) -> np.ndarray:
    """Noise; where the label is `nodule`, a bright spot in the upper left corner, seldom faint."""
    generator = np.random.default_rng(seed)
    images = generator.integers(20, 60, (len(labels), SIZE, SIZE, 1))
    for k, label in enumerate(labels):
        if label == "nodule":
            images[k, 4:12, 4:12] += 20 if k % 9 == 0 else generator.integers(100, 160)
    return images.astype(np.uint8)


def make_model(outputs: int = 1) -> keras.Model:
    """Smoothing convolutions whose mean, past a bias, is the logit of the first output."""
    import keras  # not above: the tests beside these that need no network are fast

    layers = keras.layers
    pixels = keras.Input((SIZE, SIZE, 1), name="pixels")
    x = layers.Rescaling(1 / 255, name="normalise")(pixels)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="early")(x)
    x = layers.Conv2D(4, 3, 2, padding="same", activation="relu", name="late")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(outputs, name="logits")(x)
    activation = "sigmoid" if outputs == 1 else "softmax"
    model = keras.Model(pixels, layers.Activation(activation, name="scores")(x))
    for name in ("early", "late"):
        kernel, bias = model.get_layer(name).get_weights()
        scale = np.linspace(0.8, 1.2, 4) / (9 * kernel.shape[2])
        model.get_layer(name).set_weights([np.ones_like(kernel) * scale, bias - 0.08])
    kernel, bias = model.get_layer("logits").get_weights()
    signs = np.linspace(60, -60, outputs) if outputs > 1 else np.array([60.0])
    model.get_layer("logits").set_weights([np.ones_like(kernel) * signs, bias - 11])
    return model


@pytest.fixture
def tiny(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pd.DataFrame]:
    """Make the world in the workspace and return its manifest."""
    return partial(make_world, monkeypatch)


@pytest.fixture(scope="module")
def tiny_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., pd.DataFrame]]:
    """The same for all tests of a module, which only look at what was made there."""
    with pytest.MonkeyPatch.context() as patch:
        enter_workspace(tmp_path_factory.mktemp("tiny"), patch)
        yield partial(make_world, patch)


def make_world(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any] | None = None, count: int = 40
) -> pd.DataFrame:
    small = {
        "preprocess.size": [SIZE, SIZE],
        "compress.calibration_images": 8,
        "deid.key_id": "0123456789abcdef",
    }
    editing.set_values(paths.PARAMS, small | (settings or {}))
    splits = [split for split in SPLITS for _ in range(count)]
    labels = ["nodule" if k % 2 else "no_nodule" for k in range(len(splits))]
    table = pd.DataFrame(
        {
            "image_id": [f"{k:064x}" for k in range(len(splits))],
            "label": labels,
            "group": [f"patient-{k // 2}" for k in range(len(splits))],
            "split": splits,
            "sex": ["F" if k % 4 < 2 else "M" for k in range(len(splits))],
            "batch": 0,
            "status": "ok",
            "row": range(len(splits)),
        }
    )
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    pack = make_images(labels)
    for stage in ("evaluate", "explain", "compress"):
        monkeypatch.setattr(f"tasks.{stage}.open_pack", lambda: pack, raising=False)
    # Threads can be set once per process; tests/networks/test_device.py sees that they are.
    monkeypatch.setattr("tasks.networks.device._set_threads", lambda _: None)
    from tasks.networks import files

    pd.DataFrame({"image_id": [], "network": []}, dtype="str").to_parquet(paths.BESIDE)
    paths.TEST_VIEWS.write_text('{"affine": []}')
    files.save(make_model(), paths.HEAD_MODEL)
    files.save(make_model(), paths.MODEL)
    return manifest.read_manifest()


@pytest.fixture
def before_report(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stages before report wrote. Charts are tested by themselves, and take a while."""
    from worlds import report

    monkeypatch.setattr("tasks.pictures.charts.history", lambda *_: {"loss": report.PICTURE})
    report.write()
