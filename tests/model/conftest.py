"""A model trained on the phantom by the pipeline itself, and its test images."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.project import make_project, run

SIZE = 224


@dataclass(frozen=True)
class Trained:
    """The project, its model, and the test images `(N, 224, 224, 1)` with truth, scores and lesion
    masks."""

    folder: Path
    model: object
    images: np.ndarray
    nodule: np.ndarray
    scores: np.ndarray
    masks: np.ndarray


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = make_project(
        tmp_path_factory.mktemp("model") / "project",
        **{
            "pull.phantom.patients": 240,
            "preprocess.size": [SIZE, SIZE],
            "train.epochs": 50,
            "fine_tune.epochs": 5,
            "compress.calibration_images": 128,
            "compress.max_auroc_drop": 0.005,
            "compress.max_changed": 0.01,
            "split.val": 0.15,
            "split.test": 0.2,
        },
    )
    run(sys.executable, "-m", "tasks.pull", cwd=folder)
    run(sys.executable, "-m", "dvc", "repro", "compress", cwd=folder)
    from tasks.networks import files

    return read(folder, files.load(folder / "models/model.keras"))


def read(folder: Path, model: object) -> Trained:
    from tasks.common.params.loading import load
    from tasks.common.params.whole import Params
    from tasks.imaging.preparation import prepare

    settings = load(Params, folder / "params.yaml").preprocess
    rows = pd.read_parquet(folder / "data/manifest.parquet").query("split == 'test'")
    scores = pd.read_parquet(folder / "data/scores.parquet").set_index("image_id")["score_0"]
    contents = [(folder / "data/raw" / path).read_bytes() for path in rows["path"]]
    return Trained(
        folder,
        model,
        np.stack([prepare(content, settings).pixels for content in contents]),
        (rows["label"] == "nodule").to_numpy(),
        scores.loc[rows["image_id"]].to_numpy(),
        np.stack([mask_of(folder, image_id) for image_id in rows["image_id"]]),
    )


def mask_of(folder: Path, image_id: str) -> np.ndarray:
    """Where the lesion is, `(224, 224) bool`; nowhere in an image without one."""
    found = list((folder / "phantom").glob(f"*/masks/{image_id}.png"))
    if not found:
        return np.zeros((SIZE, SIZE), bool)
    mask = cv2.imread(str(found[0]), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST) > 0
