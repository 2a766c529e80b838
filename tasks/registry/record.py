"""What the run of a result holds. Everything here can be done again after an interruption: what is
there already is replaced by the same or left alone.
"""

from __future__ import annotations

import io
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from ruamel.yaml import YAML

from tasks.common import digests, documents, paths, pipeline, start
from tasks.common.errors import RegistryError
from tasks.common.manifest import SPLITS, of_split, read_manifest
from tasks.evidence import owner
from tasks.registry import (
    cases,
    environment,
    git,
    metric_names,
    model_versions,
    package,
    person,
    runs,
    sbom,
)
from tasks.registry.live_runs import EpochLog
from tasks.registry.scan import Scan
from tasks.registry.store import Store
from tasks.serving import packing

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

# Deps of publish that are recorded otherwise: as digests, as data inputs, in the package.
NOT_AS_FILES = (paths.RAW, paths.MANIFEST, paths.START, paths.PACKAGE)
DIGEST_CHARACTERS = 36  # the most that MLflow takes for a data set
INTERVAL = {"value": "", "low": "_low", "high": "_high"}  # key -> ending of the metric's name
# Where the source lies and who labelled it: names of folders and files can name people.
WHEREABOUTS = (  # and what a table of the source calls its columns
    ("path",),
    ("exclude",),
    ("labels", "table"),
    *(("columns", own) for own in ("file", "label", "patient_id", "split")),
)
SOURCES = (("pull",), ("evaluate", "external"))  # sections that have them
NOT_RECORDED = "(not recorded)"


def write(store: Store, run_id: str, settings: Params) -> None:
    """Fill the active run `run_id` with everything but its final state.

    Raises:
        RegistryError: a file of the result is missing.
        PrivacyError: an identifier of the source would be recorded, or the key to look for them
            is missing; nothing is.
    """
    _check_files()
    manifest = read_manifest()
    tags, values = _tags(settings, manifest), _values(settings)
    found, inputs = _metrics(), [_input(manifest, split) for split in SPLITS]
    documents = _documents()
    about: dict[str, Any] = {"a tag": tags, "a parameter": values}
    about["the name of a metric"] = list(found)
    about["the profile of an input"] = [json.loads(str(i.dataset.profile)) for i in inputs]
    about |= {f"{paths.OWNER} under {name}": said for name, said in owner.read(paths.OWNER).items()}
    Scan(settings, manifest).check(about | documents, [*_plain_files(), *paths.SERVING.iterdir()])
    # Whoever is at work may be called like a patient: that must not stop the record.
    for name, value in (tags | {"mlflow.user": person.user()}).items():
        store.client.set_tag(run_id, name, value)
    _log_params(store, run_id, values)
    _log_histories(store, run_id)
    _log_metrics(store, run_id, found)
    store.client.log_inputs(run_id, inputs)
    _log_files(store, run_id, _images(settings, manifest), documents)
    store.client.log_dict(run_id, environment.describe(), environment.FILE)
    _log_model_once(store, run_id, settings)
    _log_bills(store, run_id, settings.publish.model_name)


def recorded() -> list[Path]:
    """The files and folders that the run of a result holds: what `dvc.yaml` hands to publish."""
    deps = [dep for dep in pipeline.deps("publish") if dep.parent != paths.CODE]
    return [paths.DVC_LOCK, paths.PARAMS, *(dep for dep in deps if dep not in NOT_AS_FILES)]


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
        path = f"{prefix}{metric_names.part(name)}"
        if isinstance(value, Mapping) and not _is_interval(value):
            yield from metrics(value, f"{path}/")
            continue
        found = {"": value}
        if isinstance(value, Mapping):
            found = {end: value[key] for key, end in INTERVAL.items()}
        for end, number in found.items():
            if _is_number(number):
                yield metric_names.whole(f"{path}{end}"), float(number)


def _is_interval(value: Mapping[str, Any]) -> bool:
    """Not so where classes or slices are called like the parts of one."""
    return set(value) == set(INTERVAL) and not any(isinstance(x, Mapping) for x in value.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_files() -> None:
    needed = (*recorded(), paths.MANIFEST, paths.PACKAGE)
    if missing := [str(path) for path in needed if not path.exists()]:
        raise RegistryError(
            f"required: every file of the result; missing: {', '.join(missing)}. "
            "`dvc repro` makes them"
        )


def _tags(settings: Params, manifest: pd.DataFrame) -> dict[str, str]:
    return (
        git.tags()
        | _flow_tags()
        | {
            "mlflow.runName": f"{time.strftime('%Y-%m-%d')} {settings.model.backbone} "
            f"{digests.of_result()[:8]}",
            "data.digest": digests.of_table(manifest, cases.IDENTITY),
            "test.digest": cases.digest(manifest),
            model_versions.PACKAGE: packing.of_workspace(),
            model_versions.NETWORK: digests.of_model(paths.MODEL),
        }
        | _start_tags(settings)
    )


def _start_tags(settings: Params) -> dict[str, str]:
    """The version that training started from, if from one."""
    if settings.train.start is None:
        return {}
    told = start.read(settings.train.start).told()
    return {f"start.{name}": str(value) for name, value in told.items()}


def _flow_tags() -> dict[str, str]:
    names = ("MEDLOOP_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID")
    found = [os.environ[name] for name in names if os.environ.get(name)]
    return {"prefect.flow_run_id": found[0]} if found else {}


def _values(settings: Params) -> dict[str, Any]:
    values = settings.model_dump(by_alias=True)
    _redact(values)
    return dict(flatten(values))


def _redact(values: Any) -> None:
    """Blank the whereabouts of the source in parameters, or in as many of them as are there."""
    for source, where in product(SOURCES, WHEREABOUTS):
        *sections, name = source + where
        section = values
        for part in sections:
            section = section.get(part) or {}
        if section.get(name):
            section[name] = NOT_RECORDED


def _documents() -> dict[str, Any]:
    """`params.yaml` and `dvc.lock` as they are recorded: without whereabouts and comments."""
    yaml = YAML(typ="safe")
    settings, lock = yaml.load(paths.PARAMS), yaml.load(paths.DVC_LOCK)
    _redact(settings)
    for stage in lock["stages"].values():
        _redact(stage.get("params", {}).get(str(paths.PARAMS), {}))
    return {str(paths.PARAMS): settings, str(paths.DVC_LOCK): lock}


def _dumped(value: Any) -> str:
    yaml, stream = YAML(), io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _log_params(store: Store, run_id: str, values: Mapping[str, Any]) -> None:
    """MLflow refuses to change a parameter, so those that are there stay."""
    known = store.client.get_run(run_id).data.params
    new = [Param(name, str(value)) for name, value in values.items() if name not in known]
    store.client.log_batch(run_id, params=new)


def _log_histories(store: Store, run_id: str) -> None:
    for stage, path in (("train", paths.HEAD_HISTORY), ("fine_tune", paths.HISTORY)):
        log = EpochLog(store, run_id, stage)
        for row in pd.read_csv(path).to_dict("records"):
            values = {str(name): float(x) for name, x in row.items() if not math.isnan(x)}
            log.log_epoch(int(values.pop("epoch")), values)


def _metrics() -> dict[str, float]:
    found = dict(metrics(documents.read_json(paths.METRICS)))
    validation = documents.read_json(paths.VALIDATION)
    return found | {"validation/warnings": float(len(validation["warnings"]))}


def _log_metrics(store: Store, run_id: str, found: Mapping[str, float]) -> None:
    """MLflow keeps a repeated metric twice, so those that are there stay."""
    known = store.client.get_run(run_id).data.metrics
    now = int(time.time() * 1000)
    new = [Metric(name, value, now, 0) for name, value in found.items() if name not in known]
    store.client.log_batch(run_id, metrics=new)


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


def _plain_files() -> list[Path]:
    """The files that are recorded as they are."""
    files = [path for path in recorded() if path not in (paths.PARAMS, paths.DVC_LOCK)]
    inside = (sorted(path.rglob("*")) if path.is_dir() else [path] for path in files)
    return [file for found in inside for file in found if file.is_file()]


def _images(settings: Params, manifest: pd.DataFrame) -> dict[str, Any]:
    """The images of the day by split, and those that the start has learnt from."""
    images = {split: sorted(of_split(manifest, split)["image_id"]) for split in SPLITS}
    wanted = settings.train.start
    before = {} if wanted is None else {cases.EARLIER: start.read(wanted).images}
    return {"test.digest": cases.digest(manifest), **images, **before}


def _log_files(
    store: Store, run_id: str, images: Mapping[str, Any], documents: Mapping[str, Any]
) -> None:
    # First: a run that ends early must not hold a picture without saying whose.
    store.client.log_dict(run_id, dict(images), cases.IMAGES_FILE)
    for name, document in documents.items():
        store.client.log_text(run_id, _dumped(document), name)
    for file in _plain_files():
        store.client.log_artifact(run_id, str(file), str(file.parent))


def _log_model_once(store: Store, run_id: str, settings: Params) -> None:
    """An interrupted logging leaves a model that never becomes ready: it is deleted."""
    if runs.model_id(store, run_id) is not None:
        return
    for model in runs.models(store, run_id):
        store.client.delete_logged_model(model.model_id)
    package.log_model(settings.task)


def _log_bills(store: Store, run_id: str, model_name: str) -> None:
    files = sbom.files(model_name, packing.of_workspace(), package.requirements())
    for name, content in files.items():
        store.client.log_text(run_id, content, name)
    store.client.set_tag(run_id, sbom.TAG, f"runs:/{run_id}/{sbom.FOLDER}")
