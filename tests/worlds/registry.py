"""A tiny result as the stages would leave it, and a store of its own for each test."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from ruamel.yaml import YAML

from tasks.common import digests, documents, editing, manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.imaging.preparation import prepare
from tasks.intake import cohort
from tasks.privacy import pseudonyms
from tasks.publish import publish
from tasks.registry import ledger, record
from tasks.registry.registration import register
from tasks.serving import settings
from worlds.project import ROOT
from worlds.serving import write_package

NAME = "medloop"  # of the registered model
STAGES = {
    "train": {"deps": ["data/manifest.parquet"], "params": ["train"]},
    "fine_tune": {"deps": ["data/manifest.parquet"], "params": ["fine_tune"]},
}
METRICS = {
    "test": {
        "auroc": {"value": 0.9, "low": 0.8, "high": 0.95},
        "ece": {"value": 0.1, "low": None, "high": None},
        "images": 24,
        "slices": {"sex": {"F": {"auroc": {"value": 0.88, "low": 0.7, "high": 0.9}}}},
    }
}
PATIENT = "p-0000secret"
HISTORY = "epoch,loss,val_auroc\n1,0.7,0.6\n2,0.5,0.8\n"
SIZE = 32
LENIENT = {  # what so few images can show
    "gate.margin": 0.3,
    "gate.reference_margin": 0.3,
    "gate.floors.auroc": 0.6,
    "gate.floors.calibration_error": 0.4,
}


def make_result(images: int = 44) -> Params:
    """Everything that `publish` reads, in the current folder; returns its parameters."""
    publish = YAML(typ="safe").load(ROOT / paths.DVC_YAML)["stages"]["publish"]
    documents.write_json(paths.DVC_YAML, {"stages": STAGES | {"publish": publish}})
    small = {
        "preprocess.size": [SIZE, SIZE],
        "preprocess.fit": "stretch",  # as the package of `worlds.serving`, which does not say
        "gate.floors.min_images": 5,
        **LENIENT,
    }
    editing.set_values(paths.PARAMS, small)
    _write_images(images)
    for path in record.recorded():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() and path.suffix:
            path.write_text("some content\n", encoding="utf-8")
    for folder in (paths.FIGURES, paths.EXPLAIN, paths.AUDIT):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "picture.png").write_bytes(b"a picture")
    for history in (paths.HEAD_HISTORY, paths.HISTORY):
        history.write_text(HISTORY, encoding="utf-8")
    paths.METRICS.write_text(json.dumps(METRICS), encoding="utf-8")
    paths.VALIDATION.write_text('{"warnings": [{"table": "drift"}]}', encoding="utf-8")
    point = {"rule": "youden", "target": 0.9, "thresholds": {"nodule": 0.5}}
    paths.OPERATING_POINT.write_text(json.dumps(point), encoding="utf-8")
    write_model(b"weights 1")
    write_lock("result 1")
    cohort.write_marks([], pseudonyms.key_id(pseudonyms.PUBLIC_KEY))
    return load(Params)


def write_model(weights: bytes) -> None:
    """What has the digests of a model and of a package, and is neither."""
    with zipfile.ZipFile(paths.MODEL, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights)
    code = paths.PACKAGE_CODE / "medloop_none" / "serving"
    for folder in (paths.SERVING, code):
        folder.mkdir(parents=True, exist_ok=True)
    (paths.SERVING / settings.FLOAT).write_bytes(weights)
    (code / "pyfunc.py").write_text("# loads nothing\n", encoding="utf-8")


def write_lock(result: str) -> None:
    """A `dvc.lock` of a result of this name."""
    stages = {"evaluate": {"cmd": result}, "publish": {"cmd": "never counts"}}
    YAML(typ="safe").dump({"schema": "2.0", "stages": stages}, paths.DVC_LOCK)


def _write_images(count: int) -> None:
    """Noise, with a bright square where the label says so; every other patient is test."""
    generator = np.random.default_rng(0)
    rows = []
    for i in range(count):
        pixels = generator.integers(0, 90, (SIZE + 8, SIZE), dtype=np.uint8)
        if i % 2:
            pixels[8:24, 8:24] += 120
        content = cv2.imencode(".png", pixels)[1].tobytes()
        image_id = digests.of_bytes(content)
        path = paths.RAW / f"{image_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append(_row(i, image_id, path.name))
    manifest.write(pd.DataFrame(rows), paths.MANIFEST, manifest.MANIFEST)


def _row(i: int, image_id: str, path: str) -> dict[str, object]:
    patient = i // 2
    split = "test" if patient % 2 else ("train", "val")[patient // 2 % 2]
    numbers = dict.fromkeys(["height", "width"], SIZE) | {"row": i, "batch": 0, "status": "ok"}
    return numbers | {
        "image_id": image_id,
        "path": path,
        "label": ("no_nodule", "nodule")[i % 2],
        "patient_id": f"{PATIENT}{patient}",
        "group": f"{PATIENT}{patient}",
        "sex": "FM"[patient // 2 % 2],
        "split": split,
    }


def new_model(number: int) -> int:
    """Publish and register one more model; returns its version."""
    write_model(f"weights {number}".encode())
    write_lock(f"result {number}")
    params = load(Params)
    publish(params)
    return int(register(params).version)


def new_package(params: Params, size: int = SIZE, gain: float = 20.0) -> ModelVersion:
    """Publish and register a package that scores brightness."""
    shutil.rmtree(paths.PACKAGE)
    write_package(paths.PACKAGE, size=size, gain=gain)
    write_lock(f"result {size} {gain}")
    publish(params)
    return register(params)


def held_out() -> pd.DataFrame:
    """The manifest's test images."""
    return manifest.of_split(manifest.read_manifest(), "test")


def brightness_scores(rows: pd.DataFrame, params: Params, gain: float = 20.0) -> np.ndarray:
    """What it says of images: prepared as for training, and put in the formula of its graph."""
    contents = [(paths.RAW / path).read_bytes() for path in rows["path"]]
    pixels = np.stack([prepare(content, params.preprocess).pixels for content in contents])
    return 1 / (1 + np.exp(gain * (0.25 - pixels.mean(axis=(1, 2)) / 255)))


def answered(scores: np.ndarray) -> pd.DataFrame:
    """What a package says of images with such scores `(N, 1)`."""
    names = np.where(scores[:, 0] >= 0.5, "nodule", "no_nodule")
    return pd.DataFrame({"prediction": names, "score_nodule": scores[:, 0]})


def aliases(client: MlflowClient) -> dict[str, int]:
    """The aliases of the registered model."""
    found = client.get_registered_model(NAME).aliases
    return {name: int(version) for name, version in found.items()}


def kinds() -> list[tuple[str, int]]:
    """The entries of the ledger, and the versions that they are about."""
    return [(entry.kind, entry.version) for entry in ledger.read()]


def content_of(path: Path) -> bytes:
    """The bytes of every file below `path`, zip archives and parquet tables as they stand."""
    stream = io.BytesIO()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            stream.write(file.read_bytes())
    return stream.getvalue()
