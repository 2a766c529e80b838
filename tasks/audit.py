"""Stage audit: labels that are likely wrong, by what images of other patients look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths
from tasks.common.documents import fresh_folder, write_csv, write_json
from tasks.common.errors import command
from tasks.common.params.audit import Audit
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.imaging.pack import open_pack
from tasks.networks import device, files
from tasks.networks.features import pooled
from tasks.pictures import gallery
from tasks.pictures.explanations import SHORT
from tasks.statistics.label_errors import LEAST_AUROC, Suspects, suspects

COLUMNS = ["image_id", "split", "label", "suggested", "score"]


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    train: Train
    audit: Audit


def listed(table: pd.DataFrame, found: Suspects, task: Task) -> pd.DataFrame:
    """The images whose label is likely wrong, the likeliest first; nothing names a patient.

    Args:
        table: the manifest's usable rows.
        found: about each of them.
        task: the section `task`.

    Returns:
        `COLUMNS`; `score` is the out-of-fold probability of the label.
    """
    rows = np.flatnonzero(found.likely)
    suspected = table.iloc[rows][["image_id", "split", "label"]]
    suspected = suspected.assign(
        suggested=[_label(found.suggested[row], task) for row in rows],
        score=found.quality[rows].round(4),
    )
    return suspected.sort_values(["score", "image_id"], ignore_index=True)[COLUMNS]


def _label(target: NDArray[np.float32], task: Task) -> str:
    """A row of targets as the label that `labels.encode` makes it of."""
    if task.kind == "binary":
        return task.names[int(target[0])]
    return labels.SEPARATOR.join(
        name for name, there in zip(task.names, target, strict=True) if there
    )


def summary(table: pd.DataFrame, likely: pd.DataFrame, auroc: float | None) -> dict[str, Any]:
    """How many labels are doubtful, over all and in each split; without `auroc` none is judged."""
    doubtful = likely["split"].value_counts()
    sizes = table["split"].value_counts()
    return {
        "judged": auroc is not None,
        "features_auroc": None if auroc is None else round(auroc, 4),
        "least_auroc": LEAST_AUROC,
        "images": len(table),
        "likely_errors": len(likely),
        "splits": {
            name: {"images": int(sizes.get(name, 0)), "likely_errors": int(doubtful.get(name, 0))}
            for name in manifest.SPLITS
        },
    }


def draw(path: Path, pixels: NDArray[np.uint8], likely: pd.DataFrame) -> None:
    """The images of `likely`, each below what it is labelled and what others say it is."""
    captions = [
        f"labelled {label or '-'}\nlikely {suggested or '-'}\n{split} {score:.3f}, {image[:SHORT]}"
        for image, split, label, suggested, score in likely.to_numpy().tolist()
    ]
    gallery.captioned(path, pixels, captions)


@command
def main() -> None:
    """Read manifest, pack and the head phase's model; write list, summary and gallery."""
    settings = load(Settings)
    task, table = settings.task, manifest.read_manifest()
    device.prepare(settings.train.threads, settings.train.seed)
    features = pooled(files.load(paths.HEAD_MODEL), open_pack())
    features = features[table["row"].to_numpy()].astype(np.float32)
    targets = labels.encode(table["label"], task.kind, task.names)
    found = suspects(features, targets, table["group"].to_numpy(str), task.kind)
    likely = pd.DataFrame(columns=COLUMNS) if found is None else listed(table, found, task)
    folder = fresh_folder(paths.AUDIT)
    write_csv(folder / "labels.csv", likely)
    shown = likely.head(settings.audit.examples)
    if len(shown):
        rows = table.set_index("image_id")["row"].loc[shown["image_id"]]
        draw(folder / "gallery.png", open_pack()[rows.to_numpy()], shown)
    write_json(folder / "summary.json", summary(table, likely, found and found.auroc))
    print(f"{len(likely)} of {len(table)} labels may be wrong: {folder / 'labels.csv'}")


if __name__ == "__main__":
    main()
