"""What the run of a result holds. Everything here can be done again after an interruption: what is
there already is replaced by the same or left alone.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

from tasks import digests, params, paths
from tasks.errors import RegistryError
from tasks.manifest import SPLITS, of_split, read_manifest
from tasks.registry import cases, git, package, runs
from tasks.registry.live import EpochLog
from tasks.registry.store import Store

FILES = (
    paths.DVC_LOCK,
    paths.PARAMS,
    paths.SPLIT_RECEIPT,
    paths.VALIDATION,
    paths.CONTACT_SHEET,
    paths.HEAD_HISTORY,
    paths.HISTORY,
    paths.TRAINING,
    paths.OPERATING_POINT,
    paths.METRICS,
    paths.ROC,
    paths.CONFUSION,
    paths.FIGURES,
    paths.EXPLAIN,
    paths.ONNX,
    paths.COMPRESSION,
    paths.REPORT,
)
DIGEST_CHARACTERS = 36  # the most that MLflow takes for a data set
INTERVAL = {"value": "", "low": "_low", "high": "_high"}  # key -> ending of the metric's name
FORBIDDEN = re.compile(r"[^/\w.\- ]")  # in the name of a metric


def write(store: Store, run_id: str, settings: params.Params) -> None:
    """Fill the active run `run_id` with everything but its final state.

    Raises:
        RegistryError: a file of the result is missing.
    """
    _check_files()
    manifest = read_manifest()
    _log_tags(store, run_id, settings, manifest)
    _log_params(store, run_id, settings)
    _log_histories(store, run_id)
    _log_metrics(store, run_id)
    _log_inputs(store, run_id, manifest)
    _log_files(store, run_id, manifest)
    _log_model_once(store, run_id, settings)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings: `{"a": {"b": 1}}` gives `("a.b", 1)`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def metrics(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of `reports/metrics.json`, named by where they stand: `test/auroc`, with the ends
    of its interval `test/auroc_low` and `test/auroc_high`, `test/slices/sex/F/auroc`.
    """
    for name, value in values.items():
        path = FORBIDDEN.sub("_", f"{prefix}{name}")
        if isinstance(value, Mapping) and set(value) == set(INTERVAL):
            found = ((f"{path}{end}", value[key]) for key, end in INTERVAL.items())
            yield from ((end, float(x)) for end, x in found if _is_number(x))
        elif isinstance(value, Mapping):
            yield from metrics(value, f"{path}/")
        elif _is_number(value):
            yield path, float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_files() -> None:
    needed = (*FILES, paths.MANIFEST, paths.MODEL)
    if missing := [str(path) for path in needed if not path.exists()]:
        raise RegistryError(
            f"required: every file of the result; missing: {', '.join(missing)}. "
            "`dvc repro` makes them"
        )


def _log_tags(store: Store, run_id: str, settings: params.Params, manifest: pd.DataFrame) -> None:
    tags = (
        git.tags()
        | _flow_tags()
        | {
            "mlflow.runName": f"{settings.model.backbone} {digests.of_result()[:8]}",
            "data.digest": digests.of_table(manifest, cases.IDENTITY),
            "test.digest": cases.digest(manifest),
            "model.digest": digests.of_model(paths.MODEL),
        }
    )
    for name, value in tags.items():
        store.client.set_tag(run_id, name, value)


def _flow_tags() -> dict[str, str]:
    names = ("MEDLOOP_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID")
    found = [os.environ[name] for name in names if os.environ.get(name)]
    return {"prefect.flow_run_id": found[0]} if found else {}


def _log_params(store: Store, run_id: str, settings: params.Params) -> None:
    """MLflow refuses to change a parameter, so those that are there stay. The source's path is left
    out: folders can name people.
    """
    known = store.client.get_run(run_id).data.params
    values = dict(flatten(settings.model_dump(by_alias=True)))
    kept = {name: value for name, value in values.items() if name not in {*known, "pull.path"}}
    new = [Param(name, str(value)) for name, value in kept.items()]
    store.client.log_batch(run_id, params=new)


def _log_histories(store: Store, run_id: str) -> None:
    for stage, path in (("train", paths.HEAD_HISTORY), ("fine_tune", paths.HISTORY)):
        log = EpochLog(store, run_id, stage)
        for row in pd.read_csv(path).to_dict("records"):
            values = {str(name): float(x) for name, x in row.items() if not math.isnan(x)}
            log.log_epoch(int(values.pop("epoch")), values)


def _log_metrics(store: Store, run_id: str) -> None:
    """MLflow keeps a repeated metric twice, so those that are there stay."""
    known = store.client.get_run(run_id).data.metrics
    found = dict(metrics(json.loads(paths.METRICS.read_text(encoding="utf-8"))))
    now = int(time.time() * 1000)
    new = [Metric(name, value, now, 0) for name, value in found.items() if name not in known]
    store.client.log_batch(run_id, metrics=new)


def _log_inputs(store: Store, run_id: str, manifest: pd.DataFrame) -> None:
    store.client.log_inputs(run_id, [_input(manifest, split) for split in SPLITS])


def _input(manifest: pd.DataFrame, split: str) -> DatasetInput:
    rows = of_split(manifest, split)
    profile = {"images": len(rows), "groups": int(rows["group"].nunique())}
    data = Dataset(
        name=f"manifest {split}",
        digest=digests.of_table(rows, cases.IDENTITY)[:DIGEST_CHARACTERS],
        source_type="local",
        source=json.dumps({"uri": str(paths.MANIFEST)}),
        profile=json.dumps(profile | {"labels": rows["label"].value_counts().to_dict()}),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", split)])


def _log_files(store: Store, run_id: str, manifest: pd.DataFrame) -> None:
    for path in FILES:
        if path.is_dir():
            store.client.log_artifacts(run_id, str(path), str(path))
        else:
            folder = None if path.parent == Path() else str(path.parent)
            store.client.log_artifact(run_id, str(path), folder)
    images = sorted(of_split(manifest, "test")["image_id"])
    store.client.log_dict(
        run_id, {"test.digest": cases.digest(manifest), "images": images}, cases.IMAGES_FILE
    )


def _log_model_once(store: Store, run_id: str, settings: params.Params) -> None:
    """An interrupted logging leaves a model that never becomes ready: it is deleted."""
    if runs.model_id(store, run_id) is not None:
        return
    for model in runs.models(store, run_id):
        store.client.delete_logged_model(model.model_id)
    package.log_model(settings.task, settings.preprocess)
