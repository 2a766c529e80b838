"""The examination of a challenger: which test images count, the scores of all, the judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tasks.common import documents, labels, paths
from tasks.common.errors import RegistryError
from tasks.registry import answers, cases, model_versions, reference, stored_scores
from tasks.registry.answers import ANEW, INSTEAD, Answers
from tasks.registry.comparison import Rival
from tasks.registry.judgement import Judgement, judge
from tasks.registry.reference import Reference
from tasks.serving import packing
from tasks.statistics.metrics import Sample

if TYPE_CHECKING:
    from tasks.common.params.gate import Gate
    from tasks.common.params.whole import Params

Images = dict[str, Any]  # split -> images, and more, see `cases.learnt_from`


@dataclass(frozen=True)
class Contest:
    """Who is judged and beside whom; the reference is None where it is one of the two."""

    challenger: ModelVersion
    champion: ModelVersion | None
    reference: Reference | None

    def runs(self) -> dict[str, str | None]:
        """The run of each, by number of version."""
        found = {str(v.version): v.run_id for v in (self.challenger, self.champion) if v}
        other = self.reference
        return found | ({str(other.number): other.run_id} if other else {})

    def frozen_by(self) -> str | None:
        """The version whose test set of its day is the frozen one: the reference's."""
        if self.reference:
            return str(self.reference.number)
        return str(self.champion.version) if self.champion else None


@dataclass(frozen=True)
class Entrants:
    """The test images that nobody learned from, what is to be said of the others, and which of
    them were the reference's.
    """

    rows: pd.DataFrame
    remarks: list[str]
    frozen: Sequence[str]
    left_out: int


def admit(client: MlflowClient, contest: Contest, test: pd.DataFrame) -> Entrants:
    """The test images that count.

    Raises:
        RegistryError: a version learned from all of them.
    """
    seen = {number: _images(client, run_id) for number, run_id in contest.runs().items()}
    rows, remarks = _unseen(test, seen)
    frozen = (seen.get(contest.frozen_by() or "") or {}).get("test", [])
    return Entrants(rows, remarks, frozen, len(test) - len(rows))


def examine(
    client: MlflowClient, settings: Params, contest: Contest, entrants: Entrants, level: float
) -> Judgement:
    """Score all on the test images that none learned from, and judge.

    Raises:
        RegistryError: one cannot be scored, or is not the model that it was.
    """
    rows, task = entrants.rows, settings.task
    of_today = {packing.of_workspace()}
    own = answers.of_version(contest.challenger, rows, task, of_today, ANEW)
    classes = labels.scored(task.kind, task.names)
    run_id = model_versions.run_of(contest.challenger)
    stored_scores.save(client, run_id, rows["image_id"], own.scores, classes)
    rivals, remarks = _rivals(client, settings, contest, rows, own)
    chosen = cases.from_rows(rows, task, entrants.frozen)
    sample = Sample(task.kind, chosen.targets, own.scores, own.predictions)
    itself = _evaluated(rows, classes, settings.gate.floors.parity)
    judgement = judge(chosen, sample, rivals, settings.gate, level, itself)
    reasons = [*judgement.reasons, *remarks, *entrants.remarks]
    figures = judgement.figures | {"left_out": entrants.left_out}
    return replace(judgement, reasons=reasons, figures=figures)


def _rivals(
    client: MlflowClient, settings: Params, contest: Contest, rows: pd.DataFrame, own: Answers
) -> tuple[list[Rival], list[str]]:
    rivals, remarks = [], list[str]()
    rules, champion = settings.gate, contest.champion
    if champion is not None:
        found = answers.of_version(
            champion, rows, settings.task, answers.held_to(champion), INSTEAD
        )
        rivals.append(_of_champion(contest, champion, found, rules))
        remarks.append(_latency(own, found, len(rows)))
    if contest.reference is not None:
        scores, said = reference.scores(client, contest.reference, rows, settings.task)
        rivals.append(Rival(contest.reference.name, scores, rules.reference_margin))
        remarks += said
    return rivals, remarks


def _of_champion(contest: Contest, champion: ModelVersion, found: Answers, rules: Gate) -> Rival:
    """Where it is the reference too, both margins hold."""
    if contest.reference is not None:
        return Rival(f"the champion, version {champion.version}", found.scores, rules.margin)
    name = f"the champion and reference, version {champion.version}"
    return Rival(name, found.scores, min(rules.margin, rules.reference_margin))


def _latency(own: Answers, champion: Answers, images: int) -> str:
    return (
        f"took {own.seconds / champion.seconds:.2f} times as long as the champion, "
        f"{own.seconds:.1f} s for {images:,} images with the start of its process; not judged"
    )


def _evaluated(rows: pd.DataFrame, classes: Sequence[str], margin: float) -> Rival | None:
    """The network itself, as it was evaluated; None where that was in another workspace."""
    if not paths.SCORES.exists():
        return None
    table = pd.read_parquet(paths.SCORES).set_index("image_id")
    columns = [f"score_{k}" for k in range(len(classes))]
    scores = table.reindex(index=rows["image_id"], columns=columns).to_numpy(float)
    return Rival("its own network, as it was evaluated", scores, margin)


def _images(client: MlflowClient, run_id: str | None) -> Images | None:
    """The images of a run's day; None where it is gone."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = client.download_artifacts(str(run_id), cases.IMAGES_FILE, folder)
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
    learned = set[str]().union(*(ids for each in known for ids in cases.learnt_from(each).values()))
    rows = test[~test["image_id"].isin(learned)]
    left_out = len(test) - len(rows)
    if rows.empty:
        raise RegistryError(
            f"required: test images that no version of the comparison learned from; received: "
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
