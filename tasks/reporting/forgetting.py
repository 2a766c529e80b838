"""A network beside the version that it started from, and beside a fresh training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.common.wording import interval, number
from tasks.pictures.page import Grid

Facts = Mapping[str, Any]


def table(metrics: Facts, training: Facts) -> Grid | None:
    """AUROC on test by arrival batch; None where training started afresh."""
    if "beside" not in metrics:
        return None
    found = metrics["beside"]
    head = [
        "Images",
        "AUROC",
        _name(training).capitalize(),
        "Difference",
        "Fresh training",
        "Difference",
    ]
    rows = {"All": found["test"], **{f"Batch {k}": row for k, row in found["batches"].items()}}
    return Grid(head, [(name, _cells(row)) for name, row in rows.items()])


def _cells(row: Facts) -> list[Any]:
    others = [
        row[name][figure] for name in ("start", "fresh") for figure in ("auroc", "difference")
    ]
    return [row["images"], row["auroc"], *others]


def told(metrics: Facts, training: Facts) -> Iterator[str]:
    """What was forgotten: batches on which the version that it started from is clearly better; and
    whether a fresh training is.
    """
    if "beside" not in metrics:
        return
    found, name = metrics["beside"], _name(training)
    for batch, row in found["batches"].items():
        if _clearly_below(row["start"]):
            yield (
                f"Batch {batch} is partly forgotten: AUROC {number(row['auroc']['value'])} against "
                f"{number(row['start']['auroc']['value'])} of {name}, which training started from; "
                f"the difference is {interval(row['start']['difference'])}"
            )
    if _clearly_below(found["test"]["fresh"]):
        yield (
            f"A fresh training does better: AUROC "
            f"{number(found['test']['fresh']['auroc']['value'])} on all of test against "
            f"{number(found['test']['auroc']['value'])}; the difference is "
            f"{interval(found['test']['fresh']['difference'])}"
        )


def _name(training: Facts) -> str:
    return f"version {training['start']['version']}"


def _clearly_below(other: Facts) -> bool:
    high = other["difference"]["high"]
    return high is not None and high < 0
