"""The test images that the gate compares models on, and what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from tasks.common import digests, labels, slices
from tasks.common.manifest import of_split
from tasks.common.slices import Flags
from tasks.statistics import Array

if TYPE_CHECKING:
    from tasks.common.params.task import Task

IMAGES_FILE = "data/images.json"  # in each run: the images of its day by split
EARLIER = "earlier"  # in it: likewise of the versions that training started from
LEARNED_FROM = ("train", "val")
IDENTITY = ("image_id", "label", "group", "split")


@dataclass(frozen=True)
class Cases:
    """Targets `(N, K)`, patients `(N,)`, the images of each slice `column=value` `(N,)`, and those
    that the reference was tested on when it was trained `(N,)`.
    """

    targets: Array
    groups: NDArray[Any]
    slices: Mapping[str, Flags]
    frozen: Flags

    def only(self, chosen: Flags) -> Cases:
        """The chosen images, without slices."""
        return Cases(self.targets[chosen], self.groups[chosen], {}, self.frozen[chosen])


def learnt_from(images: Mapping[str, Any]) -> dict[str, set[str]]:
    """The images that a model learnt from, and that chose its epoch, by what a run says of its day;
    those of the versions that it started from are among them.
    """
    before = images.get(EARLIER, {})
    return {side: {*images[side], *before.get(side, ())} for side in LEARNED_FROM}


def digest(manifest: pd.DataFrame) -> str:
    """What makes two test sets the same: images, labels and patients."""
    return digests.of_table(of_split(manifest, "test"), IDENTITY)


def from_rows(rows: pd.DataFrame, task: Task, frozen: Collection[str]) -> Cases:
    """The cases of the manifest's test rows; `frozen` names images."""
    return Cases(
        labels.encode(rows["label"], task.kind, task.names).astype(float),
        rows["group"].to_numpy(object),
        dict(slices.each(rows)),
        rows["image_id"].isin(list(frozen)).to_numpy(bool),
    )
