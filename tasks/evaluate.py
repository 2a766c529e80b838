"""Stage evaluate: score val and test, fit operating point and calibration on val, measure both; and
the same model on worse images, and on other people's where `evaluate.external` names some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths, slices
from tasks.common.documents import fresh_folder, write_csv, write_json
from tasks.common.errors import command
from tasks.common.params.evaluate import Evaluate
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.common.wording import interval
from tasks.imaging import external as external_images
from tasks.imaging.images import Images
from tasks.imaging.pack import open_pack
from tasks.imaging.perturbation import CHANGES, Perturbed
from tasks.networks import device, files, losses, scoring, test_time
from tasks.pictures import charts
from tasks.statistics import (
    Array,
    curves,
    decision_curve,
    fitted,
    forgetting,
    robustness,
    scores,
)
from tasks.statistics.decision_curve import THRESHOLDS, DecisionCurve
from tasks.statistics.fitted import Fitted
from tasks.statistics.metrics import Sample
from tasks.statistics.operating_point import OperatingPoint

if TYPE_CHECKING:
    import keras

# Of test, beside the AUROC with its interval.
HEADLINE = ("auprc", "sensitivity", "specificity", "accuracy", "brier", "ece")


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    train: Train
    evaluate: Evaluate


@dataclass(frozen=True)
class Evaluation:
    """What the stage finds: what val decides, `metrics` as in reports/metrics.json, and the test
    images: sample and patients `(N,)`.
    """

    fitted: Fitted
    metrics: dict[str, Any]
    test: Sample
    groups: NDArray[Any]


def evaluate(
    table: pd.DataFrame, rows: pd.DataFrame, task: Task, settings: Evaluate, even: Array
) -> Evaluation:
    """Fit operating point, recalibration and sets on val and measure both splits with them.

    Args:
        table: the score table, val and test rows.
        rows: of the manifest, for the subgroups.
        task: kind and classes.
        settings: rule of the operating point, confidence, prevalence, what a patient's score is,
            coverage of the sets.
        even: `(K,)` scores that say nothing, as `losses.even` has them.

    Raises:
        DataError: val or test has no images, or val lacks a class.
    """
    parts = {split: scores.of_split(table, split) for split in ("test", "val")}
    decided = fitted.fit(parts["val"], task, settings, even)
    slices = {split: subgroups(rows, part["image_id"]) for split, part in parts.items()}
    metrics = {
        split: fitted.figures(part, decided, task, settings, slices[split])
        for split, part in parts.items()
    }
    test = parts["test"]
    metrics["test"]["conformal"] = fitted.sets(test, decided, task, settings, slices["test"])
    sample = scores.sample(test, task, decided.point)
    return Evaluation(decided, metrics, sample, test["group"].to_numpy(str))


def subgroups(rows: pd.DataFrame, image_ids: pd.Series[str]) -> dict[str, NDArray[Any]]:
    """Slice column -> the values of the given images; where there are several, the arrival batches
    too, which are no slice to the gate: a new batch is often small.
    """
    chosen = rows.set_index("image_id").loc[image_ids.to_list()]
    found = {column: chosen[column].to_numpy(object) for column in slices.compared(rows)}
    if rows["batch"].nunique() > 1:
        found["batch"] = chosen["batch"].astype(str).to_numpy(object)
    return found


def perturbed(
    model: keras.Model,
    images: Images,
    table: pd.DataFrame,
    point: OperatingPoint,
    settings: Settings,
) -> dict[str, Any]:
    """What noise, less contrast and JPEG compression do to a sample of the test images, whose
    pixels are `images` and whose score table is `table`; as `robustness.summarise`.
    """
    drawn = robustness.draw(table)
    chosen = Images(images.pack, images.rows[drawn])
    given = scoring.score(model, Perturbed(chosen, list(CHANGES.values()))).astype(np.float64)
    scores.check(given)
    plain = scores.sample(table.iloc[drawn], settings.task, point)
    parts = zip(CHANGES, np.split(given, len(CHANGES)), strict=True)
    changed = {
        change: replace(plain, scores=s, predictions=point.predict(s)) for change, s in parts
    }
    groups = table["group"].to_numpy(str)[drawn]
    return robustness.summarise(plain, changed, groups, settings.evaluate.confidence)


def beside(
    found: Evaluation, rows: pd.DataFrame, others: pd.DataFrame, confidence: float
) -> dict[str, Any] | None:
    """What the version that training started from, and a fresh training, come to beside the model;
    None where it started afresh.

    Args:
        found: of the model.
        rows: of the manifest.
        others: their score tables of test, one below the other, by `network`.
        confidence: of intervals.
    """
    if others.empty:
        return None
    test = rows[rows["split"] == "test"].set_index("image_id")
    given = {
        str(name): scores.values(table.set_index("image_id").loc[test.index])
        for name, table in others.groupby("network", sort=False)
    }
    batches = test["batch"].astype(str).to_numpy(object)
    return forgetting.compare(found.test, given, batches, found.groups, confidence)


def external(
    model: keras.Model, own: pd.DataFrame, decided: Fitted, settings: Settings
) -> dict[str, Any]:
    """What the model comes to on the images that `evaluate.external` names, with all that val has
    decided; `own` are the manifest's rows.

    Raises:
        DataError: as in `external_images.read`, or a label is none of the task's classes.
    """
    others = external_images.read(own.loc[own["split"] != "test", "image_id"])
    table = scores.make(others.rows.assign(split="external"), scoring.score(model, others.images))
    how = decided, settings.task, settings.evaluate
    figures = fitted.figures(table, *how, None) | {"conformal": fitted.sets(table, *how, {})}
    return figures | {"left_out": others.left_out}


def roc_table(test: Sample) -> pd.DataFrame:
    """The ROC curve as columns fpr and tpr."""
    fpr, tpr = curves.mean_roc(test.targets, test.scores)
    return pd.DataFrame({"fpr": fpr, "tpr": tpr}).round(6)


def confusion_table(test: Sample, task: Task) -> pd.DataFrame:
    """Label and prediction of every test image as columns actual and predicted."""
    actual, predicted = (
        chain.from_iterable(curves.answers(task.kind, task.names, values))
        for values in (test.targets, test.predictions)
    )
    return pd.DataFrame({"actual": actual, "predicted": predicted}, dtype="str")


def headline(metrics: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """The ten figures of reports/metrics.json by which two models are compared first."""
    auroc = metrics["test"]["auroc"]
    figures = {name: metrics["test"][name]["value"] for name in HEADLINE}
    ends = {"auroc": auroc["value"], "auroc_low": auroc["low"], "auroc_high": auroc["high"]}
    return {"test": ends | figures, "val": {"auroc": metrics["val"]["auroc"]["value"]}}


def decision_curves(found: Evaluation, task: Task) -> dict[str, DecisionCurve]:
    """Class behind an output -> the decision curve of its calibrated scores."""
    sample = found.test.at(found.fitted.recalibration)
    pairs = zip(sample.targets.T, sample.scores.T, strict=True)
    return {
        name: decision_curve.curve(y, s)
        for name, (y, s) in zip(labels.scored(task.kind, task.names), pairs, strict=True)
    }


def net_benefit_table(found: Evaluation, task: Task) -> pd.DataFrame:
    """The decision curves as columns class, threshold, net_benefit and treating_all."""
    parts = [
        {
            "class": name,
            "threshold": THRESHOLDS,
            "net_benefit": curve.model.round(6),
            "treating_all": curve.treat_all.round(6),
        }
        for name, curve in decision_curves(found, task).items()
    ]
    return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)


def draw(folder: Path, found: Evaluation, task: Task, confidence: float) -> None:
    """Write the figures of the test split."""
    outputs = labels.scored(task.kind, task.names)
    by_class = found.metrics["test"].get("classes") or {outputs[0]: found.metrics["test"]}
    areas = [by_class[name]["auroc"]["value"] for name in outputs]
    matrices = curves.confusion(task.kind, task.names, found.test.targets, found.test.predictions)
    charts.roc(folder / "roc.png", found.test, outputs, areas)
    charts.confusion(folder / "confusion.png", matrices)
    diagrams = [
        curves.calibration(sample.targets, sample.scores, found.groups, confidence)
        for sample in (found.test, found.test.at(found.fitted.recalibration))
    ]
    charts.calibration(folder / "calibration.png", *diagrams)
    charts.net_benefit(folder / "net_benefit.png", decision_curves(found, task))
    charts.score_histogram(
        folder / "score_histogram.png", found.test, outputs, found.fitted.point.thresholds
    )


def write(found: Evaluation, table: pd.DataFrame, settings: Settings) -> None:
    """Write all that was found, and the score table."""
    draw(fresh_folder(paths.FIGURES), found, settings.task, settings.evaluate.confidence)
    charts.robustness(paths.FIGURES / "robustness.png", found.metrics["test"]["robustness"])
    paths.SCORES.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(paths.SCORES, index=False)
    write_csv(paths.ROC, roc_table(found.test))
    write_csv(paths.CONFUSION, confusion_table(found.test, settings.task))
    write_csv(paths.NET_BENEFIT, net_benefit_table(found, settings.task))
    decided = found.fitted
    calibration = asdict(decided.recalibration) | {"conformal": decided.sets.to_json()}
    write_json(paths.OPERATING_POINT, decided.point.to_json())
    write_json(paths.CALIBRATION, calibration)
    write_json(paths.METRICS, found.metrics)
    write_json(paths.SUMMARY, headline(found.metrics))


def _say(metrics: dict[str, Any]) -> None:
    for part in [name for name in ("val", "test", "external") if name in metrics]:
        auroc, accuracy = (interval(metrics[part][name]) for name in ("auroc", "accuracy"))
        print(f"{part}: AUROC {auroc}, accuracy {accuracy}, {metrics[part]['images']} images")


def _train_targets(rows: pd.DataFrame, task: Task) -> NDArray[np.float32]:
    return labels.encode(manifest.of_split(rows, "train")["label"], task.kind, task.names)


@command
def main() -> None:
    """Read model, manifest and pack; write scores, operating point, calibration, metrics
    and figures.
    """
    settings = load(Settings)
    device.prepare(settings.train.threads, settings.train.seed)
    own = manifest.read_manifest()
    rows = own[own["split"].isin(["val", "test"])].reset_index(drop=True)
    model, pack = test_time.averaged(files.load(paths.MODEL), test_time.read()), open_pack()
    images = Images(pack, rows["row"].to_numpy(np.int64))
    table = scores.make(rows, scoring.score(model, images))
    even = losses.even(_train_targets(own, settings.task), settings.train.class_weights)
    found = evaluate(table, rows, settings.task, settings.evaluate, even)
    test = Images(pack, images.rows[(rows["split"] == "test").to_numpy(bool)])
    found.metrics["test"]["robustness"] = perturbed(
        model, test, scores.of_split(table, "test"), found.fitted.point, settings
    )
    others, confidence = pd.read_parquet(paths.BESIDE), settings.evaluate.confidence
    if compared := beside(found, rows, others, confidence):
        found.metrics["beside"] = compared
    if settings.evaluate.external is not None:
        found.metrics["external"] = external(model, own, found.fitted, settings)
    write(found, table, settings)
    _say(found.metrics)


if __name__ == "__main__":
    main()
