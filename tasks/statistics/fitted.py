"""What is fitted on val, and what any images come to with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from tasks.common import labels
from tasks.statistics import Array, conformal, recalibration, scores, summary, thresholds
from tasks.statistics.conformal import Sets
from tasks.statistics.operating_point import OperatingPoint
from tasks.statistics.recalibration import Recalibration

if TYPE_CHECKING:
    from tasks.common.params.evaluate import Evaluate
    from tasks.common.params.task import Task


@dataclass(frozen=True)
class Fitted:
    """The operating point, what calibrates scores, and what makes sets of answers of them."""

    point: OperatingPoint
    recalibration: Recalibration
    sets: Sets


def fit(val: pd.DataFrame, task: Task, settings: Evaluate, even: Array) -> Fitted:
    """Fit all of it on the score table of val; `even` `(K,)` is for `thresholds.fit`.

    Raises:
        DataError: val lacks a class.
    """
    outputs, rule = labels.scored(task.kind, task.names), settings.operating_point
    seen = scores.targets(val, task), scores.values(val)
    point = thresholds.fit(task.kind, outputs, *seen, rule.rule, rule.target, even)
    found = recalibration.fit(task.kind, *seen)
    calibrated = scores.sample(val, task, point).at(found)
    return Fitted(point, found, conformal.fit(task.names, calibrated, settings.coverage))


def figures(
    table: pd.DataFrame,
    fitted: Fitted,
    task: Task,
    settings: Evaluate,
    slices: Mapping[str, ArrayLike] | None,
) -> dict[str, Any]:
    """What `reports/metrics.json` says of the images of a score table: the metrics as
    `summary.summarise` gives them, with one score per patient too, and calibrated.
    """
    outputs, groups = labels.scored(task.kind, task.names), table["group"].to_numpy(str)
    sample = scores.sample(table, task, fitted.point)
    found = summary.summarise(
        sample, groups, outputs, slices, settings.confidence, settings.prevalence
    )
    merged = scores.per_patient(table, settings.per_patient)
    per_patient = summary.summarise(
        scores.sample(merged, task, fitted.point),
        merged["group"].to_numpy(str),
        outputs,
        None,
        settings.confidence,
        settings.prevalence,
    )
    calibrated = summary.of_calibrated(
        sample, fitted.recalibration, groups, outputs, settings.confidence
    )
    return found | {"per_patient": per_patient, "calibrated": calibrated}


def sets(
    table: pd.DataFrame,
    fitted: Fitted,
    task: Task,
    settings: Evaluate,
    slices: Mapping[str, ArrayLike],
) -> dict[str, Any]:
    """Coverage and size of the sets of answers of a score table, as `conformal.summarise`."""
    calibrated = scores.sample(table, task, fitted.point).at(fitted.recalibration)
    groups = table["group"].to_numpy(str)
    return conformal.summarise(
        fitted.sets, calibrated, groups, task.names, slices, settings.confidence
    )
