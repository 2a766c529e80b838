"""A tiny world between validate and evaluate: a manifest and a pack, for the training stages."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from tasks import augment
from tasks.common import editing, manifest, paths

SIZE = 32
SMALL = {
    "preprocess.size": [SIZE, SIZE],
    "augment.preset": "tutorial",
    "augment.views": 2,
    "train.epochs": 4,
    "train.learning_rate": 1.0e-2,
    "train.batch_size": 16,
    "fine_tune.epochs": 2,
    "fine_tune.learning_rate": 1.0e-4,
}
COUNTS = {"train": 40, "val": 24}


def make_world(monkeypatch: Any, **settings: object) -> pd.DataFrame:
    """Write params and manifest into the workspace, stand in for the pack, and return the manifest.

    Bright squares on noise are nodules.
    """
    editing.set_values(paths.PARAMS, SMALL | settings)
    labels = ["nodule" if k % 2 else "no_nodule" for k in range(sum(COUNTS.values()))]
    table = pd.DataFrame(
        {
            "image_id": [f"{k:064x}" for k in range(len(labels))],
            "label": labels,
            "group": [f"patient-{k // 2}" for k in range(len(labels))],
            "split": [split for split, count in COUNTS.items() for _ in range(count)],
            "batch": 0,
            "status": "ok",
            "row": range(len(labels)),
        }
    )
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    pack = make_pack(labels)
    for module in ("tasks.networks.data", "tasks.augment"):
        monkeypatch.setattr(f"{module}.open_pack", lambda: pack)
    # Threads can be set once per process; tests/networks/test_device.py sees that they are.
    monkeypatch.setattr("tasks.networks.device._set_threads", lambda _: None)
    return manifest.read_manifest()


def make_views(monkeypatch: Any) -> None:
    """Run augment without its contact sheet, which takes longer than all the rest of it."""
    monkeypatch.setattr(augment, "draw_sheet", lambda *_: None)
    augment.main()


def make_pack(labels: list[str]) -> np.ndarray:
    """Prepared images `(N, 32, 32, 1)`."""
    random = np.random.default_rng(0)
    images = random.integers(20, 120, (len(labels), SIZE, SIZE, 1))
    for k, label in enumerate(labels):
        if label == "nodule":
            images[k, 10:22, 10:22] += random.integers(60, 130)
    return images.astype(np.uint8)


class Recorder:
    """Stands in for the live run in MLflow."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.epochs: list[int] = []

    @contextmanager
    def live_run(self, stage: str) -> Any:
        self.stages.append(stage)
        yield self

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        assert metrics["val_auroc"] >= 0
        self.epochs.append(epoch)


def contents(*files: Path) -> list[bytes]:
    """The bytes of files."""
    return [file.read_bytes() for file in files]


def read_world(task: Any) -> Any:
    """What training reads of the world, also in another process than the one that made it."""
    from tasks.networks import data

    pack = make_pack(list(manifest.read_manifest()["label"]))
    with mock.patch.object(data, "open_pack", return_value=pack):
        return data.read(task)
