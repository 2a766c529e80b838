"""What training reads of the workspace: the train and val images, with targets and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths
from tasks.common.documents import read_json
from tasks.imaging.images import Images
from tasks.imaging.pack import open_pack
from tasks.networks.passes import Data, SplitData
from tasks.networks.views import Views

if TYPE_CHECKING:
    from tasks.common.params.task import Task


def read(task: Task) -> Data:
    """What the manifest, the pack and `data/views.json` say."""
    table, pack = manifest.read_manifest(), open_pack()
    train, val = (manifest.of_split(table, name) for name in ("train", "val"))
    ids = tuple(train["image_id"])
    views = Views(**read_json(paths.VIEWS), image_ids=ids, size=pack.shape[1:3])
    return Data(_split(train, pack, task), _split(val, pack, task), views)


def held_out() -> tuple[pd.DataFrame, Images]:
    """The test images: their rows of the manifest, and their pixels."""
    rows = manifest.of_split(manifest.read_manifest(), "test")
    return rows, Images(open_pack(), rows["row"].to_numpy(np.int64))


def _split(rows: pd.DataFrame, pack: NDArray[np.uint8], task: Task) -> SplitData:
    targets = labels.encode(rows["label"], task.kind, task.names)
    return SplitData(Images(pack, rows["row"].to_numpy(np.int64)), targets)
