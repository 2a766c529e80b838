"""What must hold of manifest and pixels before anything trains on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation

from tasks import labels
from tasks.manifest import SPLITS
from tasks.params import Preprocess, Task, Validate

Suite = list[Expectation]

SMALLEST = 16  # pixels: less is a thumbnail or a mistake
SHOWN = ["image_id", "split", "row", "height", "width", "mean", "std"]


def tables(manifest: pd.DataFrame, pack: Mapping[str, Any], task: Task) -> dict[str, pd.DataFrame]:
    """The tables that the expectations are about, the name of a row first. None holds a patient.

    Args:
        manifest: all rows, quarantined ones included.
        pack: `data/processed/pack.json`.
        task: the section `task`.
    """
    usable = manifest[manifest["status"] == "ok"]
    named = [set(labels.names(label, task.kind)) for label in usable["label"]]
    return {
        "images": manifest[["image_id"]].assign(quarantined=(manifest["status"] != "ok") * 1.0),
        "usable images": usable[SHOWN].assign(
            unknown_classes=[len(names - set(task.names)) for names in named],
            splits_of_patient=usable.groupby("group")["split"].transform("nunique"),
        ),
        "classes": _classes(pd.Series(named, usable.index), usable["split"], task.names),
        "pack": _pack(pack["shape"], len(usable)),
    }


def _classes(named: pd.Series[Any], split: pd.Series[str], classes: list[str]) -> pd.DataFrame:
    counts = [
        {
            "class": f"{name} in {side}",
            "images": sum(name in found for found in named[split == side]),
        }
        for side in SPLITS
        for name in classes
    ]
    return pd.DataFrame(counts)


def _pack(shape: list[int], usable: int) -> pd.DataFrame:
    count, height, width, channels = shape
    size = {"height": [height], "width": [width], "channels": [channels]}
    return pd.DataFrame({"pack": ["pixels"], "surplus_images": [count - usable], **size})


def suites(limits: Validate, preprocess: Preprocess, on_leak: str) -> dict[str, Suite]:
    """The expectations about each table of `tables`, each with what mends it in its `meta`."""
    share, images = preprocess.max_quarantined, limits.min_images_per_class
    enough = "pull more images, change split.val and split.test, or validate.min_images_per_class"
    return {
        "images": [
            gxe.ExpectColumnMeanToBeBetween(
                column="quarantined",
                max_value=share,
                description=f"At most {share:.1%} of the images are quarantined",
                meta={"mend": "mend the files at the source, or raise preprocess.max_quarantined"},
            )
        ],
        "usable images": [
            *_once(),
            *([] if on_leak == "report" else [_one_split_a_patient()]),
            *_sane_pixels(limits),
        ],
        "classes": [
            _between("images", images, None, f"Each split has {images} images a class", enough)
        ],
        "pack": _as_set(preprocess),
    }


def _once() -> Suite:
    return [
        *(
            gxe.ExpectColumnValuesToBeUnique(
                column=column, description=says, meta={"mend": "`dvc repro -f preprocess`"}
            )
            for column, says in (
                ("image_id", "Each image is there once"),
                ("row", "Each image has pixels of its own in the pack"),
            )
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="split",
            description="Each image has a split",
            meta={"mend": "`dvc repro -f split`"},
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="split",
            value_set=list(SPLITS),
            description="The splits are train, val and test",
            meta={"mend": "mend the split at the source"},
        ),
        _between(
            "unknown_classes",
            None,
            0,
            "Each label is one of task.classes",
            "add the class to task.classes (at the end), or mend the label at the source",
        ),
    ]


def _one_split_a_patient() -> Expectation:
    says, mend = "No patient is in two splits", "mend the source's split, or set split.on_leak"
    return _between("splits_of_patient", None, 1, says, mend)


def _sane_pixels(limits: Validate) -> Suite:
    dark, bright = limits.intensity_mean
    contrast = limits.min_contrast
    look = "look at these images and at preprocess.window, or change validate"
    small = "replace thumbnails by the originals"
    return [
        _between("height", SMALLEST, None, f"Originals are {SMALLEST} pixels high or more", small),
        _between("width", SMALLEST, None, f"Originals are {SMALLEST} pixels wide or more", small),
        _between(
            "mean",
            dark,
            bright,
            f"Images are neither black nor white: mean {dark:g} to {bright:g} of 255",
            f"{look}.intensity_mean",
        ),
        _between(
            "std",
            contrast,
            None,
            f"Images show something: standard deviation {contrast:g} or more of 255",
            f"{look}.min_contrast",
        ),
    ]


def _as_set(preprocess: Preprocess) -> Suite:
    height, width = preprocess.size
    expected = {
        "surplus_images": (0, "The pack holds as many images as the manifest"),
        "height": (height, f"The pack's images are {height} pixels high"),
        "width": (width, f"The pack's images are {width} pixels wide"),
        "channels": (
            1 if preprocess.color == "grey" else 3,
            f"The pack's images are {preprocess.color}",
        ),
    }
    return [
        _between(column, value, value, says, "`dvc repro -f preprocess`")
        for column, (value, says) in expected.items()
    ]


def _between(
    column: str, low: float | None, high: float | None, says: str, mend: str
) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=low, max_value=high, description=says, meta={"mend": mend}
    )
