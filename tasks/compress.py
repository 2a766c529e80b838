"""Stage compress: an int8 ONNX model, measured beside the float one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import manifest, paths
from tasks.common.documents import write_json
from tasks.common.errors import command
from tasks.common.params.compress import Compress
from tasks.common.params.loading import load
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.compression import int8
from tasks.compression.export import export
from tasks.imaging.images import Images
from tasks.imaging.pack import open_pack
from tasks.networks import files
from tasks.statistics import Array, scores
from tasks.statistics.metrics import auroc


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    compress: Compress


def spread(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """At most `count` of `rows`, evenly spread over them."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return np.asarray(rows[places])


def compare(
    targets: Array, original: Array, compressed: Array, groups: NDArray[Any]
) -> dict[str, Any]:
    """AUROC of both models on the same images, and how far their scores lie apart.

    Args:
        targets: `(N, K)`.
        original: scores `(N, K)` of the float model.
        compressed: scores `(N, K)` of the int8 model.
        groups: `(N,)`, the patient of each.
    """
    apart = np.abs(original - compressed)
    return {
        "images": len(targets),
        "float_auroc": _auroc(targets, original, groups),
        "int8_auroc": _auroc(targets, compressed, groups),
        "max_difference": round(float(apart.max()), 6),
        "mean_difference": round(float(apart.mean()), 6),
    }


def _auroc(targets: Array, given: Array, groups: NDArray[Any]) -> float | None:
    value = auroc(targets, given, groups)
    return None if np.isnan(value) else round(value, 6)


@command
def main() -> None:
    """Read model, pack and scores; write the int8 model and the comparison on test."""
    settings = load(Settings)
    rows, pack = manifest.read_manifest(), open_pack()
    table = scores.of_split(pd.read_parquet(paths.SCORES), "test")
    train = manifest.of_split(rows, "train")["row"].to_numpy()
    calibration = pack[spread(train, settings.compress.calibration_images)]
    shown = rows.set_index("image_id")["row"].loc[table["image_id"].to_list()]
    test = Images(pack, shown.to_numpy(np.int64))
    paths.ONNX.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "float.onnx"
        export(files.load(paths.MODEL), source)
        int8.quantise(source, paths.ONNX, calibration)
        sizes = {"float_bytes": source.stat().st_size, "int8_bytes": paths.ONNX.stat().st_size}
    compressed = int8.score(paths.ONNX, test).astype(np.float64)
    targets, groups = scores.targets(table, settings.task), table["group"].to_numpy(str)
    found = compare(targets, scores.values(table), compressed, groups)
    write_json(paths.COMPRESSION, found | sizes | {"calibration_images": len(calibration)})
    print(
        f"int8: {sizes['int8_bytes'] / 1e6:.1f} MB of {sizes['float_bytes'] / 1e6:.1f} MB, "
        f"test AUROC {found['int8_auroc']} (float {found['float_auroc']})"
    )


if __name__ == "__main__":
    main()
