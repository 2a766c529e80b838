"""What the expectation suites of `gx/expectations` are about: tables, and what limits stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import labels
from tasks.common.manifest import LEAK, SPLITS, UNCOUNTED
from tasks.common.params.validate import SMALLEST

if TYPE_CHECKING:
    from tasks.common.params.preprocess import Preprocess
    from tasks.common.params.split import Split
    from tasks.common.params.task import Task
    from tasks.common.params.validate import Validate

SHOWN = ["image_id", "split", "row", "height", "width", "mean", "std"]
CHANNELS = {"grey": 1, "rgb": 3}


def tables(
    manifest: pd.DataFrame,
    pack: Mapping[str, Any],
    task: Task,
    drifts: pd.DataFrame,
    sides: pd.DataFrame,
    shortcuts: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """The tables that the suites are about, the name of a row first. None holds a patient.

    Args:
        manifest: all rows, quarantined ones included. Those that no file stands behind any more,
            and those that a person excluded, are left out.
        pack: `data/processed/pack.json`.
        task: the section `task`.
        drifts: of `tasks.statistics.drift.compare`, the newest batch against those before.
        sides: the same, the source's sides against the first of them.
        shortcuts: of `tasks.statistics.shortcuts.measure`.
    """
    there = manifest[~manifest["reason"].isin(UNCOUNTED)]
    usable = there[there["status"] == "ok"]
    named = [set(labels.names(label, task.kind)) for label in usable["label"]]
    return {
        "images": there[["image_id"]].assign(
            quarantined=(there["status"] != "ok") * 1.0,
            unfit=((there["status"] != "ok") & (there["reason"] != LEAK)) * 1.0,
            without_patient=there["patient_id"].isna() * 1.0,
        ),
        "usable_images": usable[SHOWN].assign(
            unknown_classes=[len(names - set(task.names)) for names in named],
            splits_of_patient=usable.groupby("group")["split"].transform("nunique"),
        ),
        "classes": _classes(usable, pd.Series(named, usable.index), task),
        "pack": _pack(pack["shape"], int(manifest["row"].ge(0).sum())),
        "drift": _drift(drifts),
        "sides": _drift(sides),
        "shortcuts": _shortcuts(shortcuts),
    }


def _classes(usable: pd.DataFrame, named: pd.Series[Any], task: Task) -> pd.DataFrame:
    """One row per outcome and side: each class, and its absence, which in a binary task is the
    other class. A patient with images of both counts for both.
    """
    shown = {name: named.map(lambda names, name=name: name in names) for name in task.names}
    if task.kind != "binary":
        shown |= {f"without {name}": ~there for name, there in shown.items()}
    counts = []
    for side in SPLITS:
        for outcome, there in shown.items():
            rows = usable[there.astype(bool) & (usable["split"] == side)]
            counts.append(
                {
                    "class": f"{outcome} in {side}",
                    "images": len(rows),
                    "patients": rows["group"].nunique(),
                }
            )
    return pd.DataFrame(counts)


def _pack(shape: list[int], rows: int) -> pd.DataFrame:
    count, height, width, channels = shape
    size = {"height": [height], "width": [width], "channels": [channels]}
    return pd.DataFrame({"pack": ["pixels"], "surplus_images": [count - rows], **size})


def _drift(drifts: pd.DataFrame) -> pd.DataFrame:
    """An effect that chance alone can make counts as none."""
    beyond = drifts["effect"].where(drifts["effect"] > drifts["chance"], 0.0)
    return drifts[["field", "effect"]].assign(effect_beyond_chance=beyond)


def _shortcuts(shortcuts: pd.DataFrame) -> pd.DataFrame:
    """A field counts where it, and all fields together, do better than chance: of many fields one
    does so easily.
    """
    better = shortcuts["auroc"] > shortcuts["chance"]
    together = bool(better.iloc[:1].all())
    beyond = shortcuts["auroc"].where(better & together, 0.5)
    return shortcuts[["field", "auroc"]].assign(auroc_beyond_chance=beyond)


def limits(task: Task, preprocess: Preprocess, split: Split, validate: Validate) -> dict[str, Any]:
    """What a `$PARAMETER` of the suites stands for: every value of the sections task, preprocess,
    split and validate, as `preprocess_max_quarantined` or, in a list, `preprocess_size_0`;
    `channels` and `splits_of_a_patient`, which follow from them; and `smallest_original`. What says
    only where the work is done stays out.
    """
    sections = {"task": task, "preprocess": preprocess, "split": split, "validate": validate}
    values = {name: section.model_dump() for name, section in sections.items()}
    values["preprocess"].pop("cluster", None)
    return dict(_leaves(values)) | {
        "channels": CHANNELS[preprocess.color],
        "smallest_original": SMALLEST,
        "splits_of_a_patient": len(SPLITS) if split.mode == "report" else 1,
    }


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    inner = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in inner:
        path = f"{name}_{key}" if name else str(key)
        if isinstance(item, Mapping | list):
            yield from _leaves(item, path)
        else:
            yield path, item
