"""Stage compress: the ONNX file that serves, in float and, where val allows it, in int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import manifest, paths
from tasks.common.documents import fresh_folder, read_json, write_json
from tasks.common.errors import command
from tasks.common.params.compress import Compress
from tasks.common.params.evaluate import Evaluate
from tasks.common.params.loading import load
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.section import Part
from tasks.common.params.task import Task
from tasks.common.wording import count
from tasks.compression import cpu
from tasks.compression.candidates import Candidate, Int8, Network, Side, cost, make
from tasks.imaging.images import Images
from tasks.imaging.pack import open_pack
from tasks.networks import extracting, files, layers, test_time
from tasks.networks.architecture import LOGITS
from tasks.serving import packing, probe, pyfunc
from tasks.serving import settings as serving
from tasks.serving.session import Session
from tasks.statistics import conformal, scores
from tasks.statistics.metrics import Sample, auroc
from tasks.statistics.operating_point import OperatingPoint
from tasks.statistics.paired_difference import paired_auroc_difference

if TYPE_CHECKING:
    import keras


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    preprocess: PixelSettings
    evaluate: Evaluate
    compress: Compress


def spread(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """At most `count` of `rows`, evenly spread over them."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return np.asarray(rows[places])


def reason(found: Int8 | None, limits: Compress) -> str:
    """Why int8 serves, or why not."""
    if found is None:
        return "an int8 file of the network is missing, so the float file serves"
    left = f" with {count(len(found.in_float), 'layer')} in float" if found.in_float else ""
    return (
        f"int8{left} {'stays' if found.holds else 'does not stay'} within the limits on val: AUROC "
        f"moves by {-found.cost.auroc:+z.4f} (at least {-limits.max_auroc_drop:+}), and "
        f"{found.cost.changed:.2%} of the predictions change (at most {limits.max_changed:.2%})"
    )


def compare(side: Side, exact: Candidate, other: Candidate, confidence: float) -> dict[str, Any]:
    """What int8 changes on a side: AUROC, the share of the predictions, and a score at most."""
    difference = paired_auroc_difference(
        side.targets, exact.scores, other.scores, side.groups, confidence
    )
    return {
        "images": len(side.targets),
        "float_auroc": _auroc(side, exact),
        "int8_auroc": _auroc(side, other),
        "auroc_difference": difference.to_json(),
        "changed": cost(side, exact, other).changed,
        "largest_score_difference": round(float(np.abs(exact.scores - other.scores).max()), 6),
    }


def _auroc(side: Side, found: Candidate) -> float | None:
    value = auroc(side.targets, found.scores, side.groups)
    return None if np.isnan(value) else round(value, 6)


def describe(found: Candidate) -> dict[str, Any]:
    """Size of a file, and what calibrates inside it."""
    return {"bytes": found.path.stat().st_size, **asdict(found.recalibration)}


def fitted(found: Candidate, val: Side, settings: Settings) -> serving.File:
    """What is stored beside a file; its conformal sets are fitted on val."""
    task, (height, width) = settings.task, settings.preprocess.size
    sample = Sample(task.kind, val.targets, found.scores, found.predictions)
    sets = conformal.fit(task.names, sample, settings.evaluate.coverage)
    made = probe.images(height, width, val.images.shape[-1])
    fingerprint = Session(found.path).fingerprint(made)
    inside = found.recalibration
    return serving.File(
        inside.temperature, found.point, sets.least_scores, fingerprint, [*inside.shifts]
    )


def read_network(model: keras.Model, rows: pd.DataFrame, task: Task) -> Network:
    """The network, with the operating point and the images that its files are held to."""
    point = OperatingPoint(**read_json(paths.OPERATING_POINT))
    maps, val = layers.last_conv_layer(model), read_side(rows, "val", task)
    seen = test_time.read()
    return Network(model, LOGITS, maps, task.kind, point, val, seen, extracting.graph_of(model))


def read_side(rows: pd.DataFrame, name: str, task: Task) -> Side:
    """The images of val or test."""
    mine = manifest.of_split(rows, name)
    images = Images(open_pack(), mine["row"].to_numpy(np.int64))
    return Side(images, scores.targets(mine, task), mine["group"].to_numpy(str))


@command
def main() -> None:
    """Read model, pack and operating point; write the files that serve, what the chosen one says
    of val and test, and what int8 changes.
    """
    settings = load(Settings)
    rows = manifest.read_manifest()
    network = read_network(files.load(paths.MODEL), rows, settings.task)
    train = manifest.of_split(rows, "train")["row"].to_numpy()
    calibration = open_pack()[spread(train, settings.compress.calibration_images)]
    fresh_folder(paths.PACKAGE)
    exact, quick = make(network, calibration, settings.compress, fresh_folder(paths.SERVING))
    made, holds = [exact, quick.made] if quick else [exact], quick is not None and quick.holds
    test = read_side(rows, "test", settings.task)
    sides = {"val": network.val, "test": test}
    found = {"val": made, "test": [file.on(test) for file in made]}
    confidence = settings.evaluate.confidence
    report = {
        "serves": made[holds].path.name,
        "reason": reason(quick, settings.compress),
        "processor": cpu.instruction_set(),
        "calibration_images": len(calibration),
        "files": {file.path.name: describe(file) for file in made},
    }
    if quick:
        report |= {
            "int8_layers_in_float": quick.in_float,
            "int8": {n: compare(sides[n], found[n][0], found[n][1], confidence) for n in sides},
        }
    write_json(paths.COMPRESSION, report)
    tables = [
        scores.make(manifest.of_split(rows, name), found[name][holds].scores) for name in sides
    ]
    pd.concat(tables, ignore_index=True).to_parquet(paths.SERVED_SCORES, index=False)
    store(made[: 1 + holds], network.val, settings)
    print(f"{report['serves']} serves: {report['reason']}")


def store(made: Sequence[Candidate], val: Side, settings: Settings) -> None:
    """Leave in the package these files alone, of which the last serves, with what was fitted for
    them and the code that runs them; load it once, as MLflow does.
    """
    for path in paths.SERVING.iterdir():
        if path not in [file.path for file in made]:
            path.unlink()
    serves = made[-1].path.name
    known = {file.path.name: fitted(file, val, settings) for file in made}
    task, preprocess = settings.task.model_dump(), settings.preprocess.plain()
    serving.write(paths.SERVING, serving.Settings(task, preprocess, serves, known))
    packing.write_code(paths.PACKAGE_CODE)
    pyfunc._load_pyfunc(str(paths.SERVING))


if __name__ == "__main__":
    main()
