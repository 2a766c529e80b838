"""Cohorts of three batches with pictures, which an earlier version has split: `settled.csv`."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from tasks.imaging.description import describe

BATCHES, PATIENTS, SIDE = 3, 26, 64
# The mode that each was split with. In the last the source's leaks are many, and some of its
# patients have images without a side.
WORLDS = {"drawn": "fail", "folded": "fail", "given": "fail", "reported": "report", "moved": "move"}


def make(name):
    """The table of images and their pixels `(N, 64, 64, 1)`."""
    generator = np.random.default_rng(sorted(WORLDS).index(name))
    images = pd.DataFrame(list(_rows(name, generator))).astype({"source_split": "str"})
    images["image_id"] = [f"{k:04}" for k in range(len(images))]
    pixels = _pictures(images, name, generator)
    said = pd.DataFrame(describe(pixels, pixels)).drop(columns="digest")
    facts = {"status": "ok", "reason": None, "row": range(len(images)), "height": 64, "width": 64}
    return images.assign(**facts, **said), pixels


def _rows(name, generator):
    for batch in range(BATCHES):
        first = batch * PATIENTS * 3 // 4  # a quarter of the patients has come before
        for patient in range(first, first + PATIENTS):
            sick, test = patient % 3 == 0, patient % 4 == 0
            for _ in range(generator.integers(1, 4)):
                yield {
                    "patient_id": f"p{patient:03}",
                    "batch": batch,
                    "label": "sick" if sick != (generator.random() < 0.1) else "sane",
                    "source_split": _side(name, test, generator.random()),
                }


def _side(name, test, chance):
    if name in ("drawn", "folded"):
        return None
    if name != "given" and chance < 0.15:
        return None if chance < 0.03 else "train" if test else "test"
    return "test" if test else "train"


def _pictures(images, name, generator):
    """One in five repeats an earlier one, brighter or to the pixel; some show next to nothing."""
    coarse = generator.integers(0, 256, (len(images), 12, 12), np.uint8)
    pixels = np.stack(
        [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for picture in coarse]
    )
    for k in range(1, len(images)):
        earlier, chance = int(generator.integers(0, k)), generator.random()
        across = images["source_split"][k] != images["source_split"][earlier]
        if chance < 0.2 and not (name == "given" and across):
            pixels[k] = pixels[earlier] if chance < 0.06 else cv2.add(pixels[earlier], 12)
        elif chance > 0.97:
            pixels[k] = 9
            pixels[k, :3, :3] = 12
    return pixels[..., None]
