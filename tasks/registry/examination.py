"""The examination of a challenger: which test images count, the scores of both, the judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tasks.common import documents, labels
from tasks.common.errors import RegistryError
from tasks.registry import cases, ledger, model_versions, scoring
from tasks.registry.judgement import Judgement, judge
from tasks.serving import packing

if TYPE_CHECKING:
    from tasks.common.params.task import Task
    from tasks.common.params.whole import Params
    from tasks.statistics import Array

Images = dict[str, list[str]]  # split -> images
LEARNED_FROM = ("train", "val")
# What to do where nothing can be compared with the champion.
INSTEAD = (
    "Restore it from a backup, or promote another version that passed: `python -m tasks.promote "
    "VERSION`. Where none is left, a new name in publish.model_name begins anew"
)
ANEW = "Delete the version and its run, and `dvc repro publish && python -m tasks.register`"


def examine(
    client: MlflowClient,
    settings: Params,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    test: pd.DataFrame,
) -> Judgement:
    """Score both on the test images that neither learned from, and judge.

    Raises:
        RegistryError: one cannot be scored, is not the model that it was, or learned from all.
    """
    versions = [challenger] if champion is None else [challenger, champion]
    seen = {version.version: _images(client, version) for version in versions}
    rows, remarks = _unseen(test, seen)
    scores = _score(challenger, rows, settings.task, {packing.of_workspace()}, ANEW)
    rival, frozen = None, list[str]()
    if champion is not None:
        rival = _score(champion, rows, settings.task, _held_to(champion), INSTEAD)
        frozen = (seen[champion.version] or {}).get("test", [])
    judgement = judge(cases.from_rows(rows, settings.task, frozen), scores, rival, settings.gate)
    figures = judgement.figures | {"left_out": len(test) - len(rows)}
    return replace(judgement, reasons=[*judgement.reasons, *remarks], figures=figures)


def _images(client: MlflowClient, version: ModelVersion) -> Images | None:
    """The images of the version's day; None where its run is gone."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = client.download_artifacts(str(version.run_id), cases.IMAGES_FILE, folder)
        except (MlflowException, OSError):
            client.search_experiments(max_results=1)  # it is the store that is gone: that raises
            return None
        images: Images = documents.read_json(Path(file))
    return images


def _unseen(
    test: pd.DataFrame, seen: Mapping[str, Images | None]
) -> tuple[pd.DataFrame, list[str]]:
    """The test images that no version learned from, and what is to be said of the others."""
    known = [images for images in seen.values() if images is not None]
    learned = {image for images in known for split in LEARNED_FROM for image in images[split]}
    rows = test[~test["image_id"].isin(learned)]
    left_out = len(test) - len(rows)
    if rows.empty:
        raise RegistryError(
            f"required: test images that neither challenger nor champion learned from; received: "
            f"none, of {len(test)}. Let the source's own split or split.test give others"
        )
    remarks = [
        f"which images version {number} learned from is unknown: its run is gone"
        for number, images in seen.items()
        if images is None
    ]
    if left_out:
        remarks.append(
            f"left out: {left_out} of {len(test)} test images: a model learned from them"
        )
    return rows, remarks


def _held_to(champion: ModelVersion) -> set[str]:
    """What its package may be: as it was judged, or, where it never was, as it was registered."""
    judged = ledger.digests_of(ledger.read(), champion.name, int(champion.version))
    return judged or {model_versions.digest_in(champion.tags)}


def _score(
    version: ModelVersion, rows: pd.DataFrame, task: Task, packages: Collection[str], advice: str
) -> Array:
    """Scores `(N, K)` of a version, whose package has one of these digests."""
    print(f"Scoring version {version.version} on {len(rows)} test images ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"version_{version.version}"
        package = model_versions.unpack(version, place, advice)
        if package.digest not in packages:
            raise RegistryError(
                f"required: the package that was registered as {version.name} version "
                f"{version.version}; received: another one, its files or its tag "
                f"{model_versions.PACKAGE} was edited. {advice}"
            )
        return scoring.score(package.folder, rows, labels.scored(task.kind, task.names))
