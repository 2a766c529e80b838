"""Tables of images to split, without their pictures."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from tasks import split as stage
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.common.params.validate import ImageLimits
from tasks.splitting import receipt as split_receipt

SETTINGS = Split(val=0.15, test=0.2, folds=None, fold=0, on_leak="fail", seed=11)
LIMITS = ImageLimits(intensity_mean=[5, 250], min_contrast=2)
FACTS = {"mean": 100.0, "std": 50.0, "height": 64, "width": 64}
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
    """One image per patient and side: `{"a": "train", "b": ("train", "test")}`."""
    rows = [
        {"patient_id": patient, "source_split": side}
        for patient, named in sides.items()
        for side in ([named] if named is None or isinstance(named, str) else named)
    ]
    table = pd.DataFrame(rows)
    table["image_id"] = [f"i{columns.get('batch', 0)}-{k}" for k in range(len(table))]
    return table.assign(**{"batch": 0, "label": "sane", "status": "ok", **columns})


def alike(images, *links, same=None, late=False):
    """The pairs that `duplicates.find` would give: `links` are pairs of image_ids of like pictures,
    `same` maps image_ids to a picture that several of them are.
    """
    known = stage.prepared(images).reset_index().set_index("image_id")
    pictures = pd.Series(same or {}, dtype="object")
    equal = [pair for _, ids in pictures.groupby(pictures) for pair in combinations(ids.index, 2)]
    rows = []
    for number, link in enumerate([*links, *equal]):
        first, second = sorted(link, key=lambda name: (known["batch"][name], name))
        at, group, label = known["index"], known["group"], known["label"]
        between, twin = group[first] != group[second], number >= len(links)
        if between or label[first] != label[second]:
            rows.append((at[first], at[second], 0, 1.0, twin, twin, between, late))
            order = (known["batch"][second], second, first)
            rows[-1] = (order, rows[-1])
    columns = ("first", "second", "distance", "similarity", "equal", "same", "between", "late")
    pairs = pd.DataFrame([row for _, row in sorted(rows)], columns=list(columns))
    whole, truth = dict.fromkeys(columns[:3], "int64"), dict.fromkeys(columns[4:], "bool")
    return pairs.astype(whole | {"similarity": "float64"} | truth)


def to_manifest(images, settings, task, pairs=None, limits=None, **known):
    images = images.assign(
        **{column: value for column, value in FACTS.items() if column not in images}
    )
    images = images.assign(reason=None) if "reason" not in images else images
    pairs = alike(images) if pairs is None else pairs
    chosen = stage.Settings(task=task, split=settings, validate=limits or LIMITS)
    return stage.to_manifest(stage.prepared(images), chosen, pairs, **known)


def receipt(table, settings, task, pairs=None):
    table = table if "elsewhere" in table else stage.prepared(table)
    return split_receipt.receipt(table, alike(table) if pairs is None else pairs, settings, task)


def split_of(images, settings=SETTINGS, task=TASK):
    return to_manifest(images, settings, task).set_index("image_id")["split"]


def leaky(mode):
    return SETTINGS.model_copy(update={"on_leak": mode})
