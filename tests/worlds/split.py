"""Tables of images to split, without their pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks import split as stage
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.splitting import receipt as split_receipt
from tasks.splitting.duplicates import Likeness

SETTINGS = Split(val=0.15, test=0.2, folds=None, fold=0, on_leak="fail", seed=11)
TASK = Task(kind="binary", classes=["sane", "sick"])
LOOSE = {f"n{k:02}": None for k in range(40)}


def batch(number, patients, seed=0, first=0, **given):
    """Images of `patients` patients with one to four images, about a third of them sick."""
    generator = np.random.default_rng([seed, number])
    rows = []
    for patient in range(first, first + patients):
        sick = generator.random() < 0.3
        for image in range(generator.integers(1, 5)):
            label = "sick" if sick and generator.random() < 0.7 else "sane"
            rows.append(
                {
                    "image_id": f"{number}-{patient}-{image}",
                    "patient_id": f"p{patient}",
                    "batch": number,
                    "label": label,
                    "source_split": None,
                    "status": "ok",
                    **given,
                }
            )
    return pd.DataFrame(rows)


def together(*tables):
    return pd.concat(tables, ignore_index=True)


def given(sides, **columns):
    """One image a patient and side: `{"a": "train", "b": ("train", "test")}`."""
    rows = [
        {"patient_id": patient, "source_split": side}
        for patient, named in sides.items()
        for side in ([named] if named is None or isinstance(named, str) else named)
    ]
    table = pd.DataFrame(rows)
    table["image_id"] = [f"i{columns.get('batch', 0)}-{k}" for k in range(len(table))]
    return table.assign(**{"batch": 0, "label": "sane", "status": "ok", **columns})


def alike(images, *links, same=None):
    """`links` are pairs of image_ids, `same` maps image_ids to a digest of their pixels."""
    known = images.reset_index().set_index("image_id")
    order = [sorted(link, key=lambda of: (known["batch"][of], of)) for link in links]
    order.sort(key=lambda link: (known["batch"][link[1]], link[1], link[0]))
    ends = [[int(known["index"][of]) for of in link] for link in order]
    pairs = pd.DataFrame(ends, columns=["first", "second"], dtype="int64")
    of = [(same or {}).get(image_id) for image_id in images["image_id"]]
    digests = pd.Series(of, index=images.index, dtype="str")
    return Likeness(pairs.assign(distance=0, similarity=1.0), digests)


def to_manifest(images, settings, task, like=None, **known):
    images = images.assign(reason=None) if "reason" not in images else images
    like = alike(images) if like is None else like
    return stage.to_manifest(stage.by_patient(images), settings, task, like, **known)


def receipt(table, settings, task, like=None):
    like = alike(table) if like is None else like
    return split_receipt.receipt(table.assign(std=50.0), like, settings, task)


def split_of(images, settings=SETTINGS, task=TASK):
    return to_manifest(images, settings, task).set_index("image_id")["split"]


def leaky(mode):
    return SETTINGS.model_copy(update={"on_leak": mode})
