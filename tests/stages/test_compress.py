from __future__ import annotations

import json
from dataclasses import fields as fields_of

import numpy as np
import pandas as pd
import pytest
from worlds.word_list import require_listed

from tasks import compress, evaluate
from tasks.common import paths
from tasks.common.params.compress import Compress
from tasks.compression import cpu
from tasks.compression.candidates import Cost, Int8
from tasks.compression.int8 import LAYERS
from tasks.networks import augmentation, files, scoring, test_time
from tasks.serving import settings
from tasks.serving.classifier import Classifier
from tasks.serving.session import Session
from tasks.statistics import recalibration, scores
from tasks.statistics.recalibration import Recalibration


def test_calibration_images_are_spread_over_the_training_images():
    rows = np.arange(100, 200)
    assert compress.spread(rows, 4).tolist() == [100, 133, 166, 199]
    assert compress.spread(rows, 1000).tolist() == rows.tolist()


def test_the_reason_quotes_both_limits():
    found = Int8(None, ["Conv_1"], Cost(0.0071, 0.25), False)
    assert compress.reason(found, Compress(calibration_images=8)) == (
        "int8 with 1 layer in float does not stay within the limits on val: AUROC moves by "
        "-0.0071 (at least -0.005), and 25.00% of the predictions change (at most 1.00%)"
    )


def test_what_is_recorded_is_made_of_listed_words():
    rest = " ".join([*cpu.INTEGER, *LAYERS, "x86_64 aarch64 arm64 serves processor machine"])
    some = Int8(None, [], Cost(0, 0), True), Int8(None, ["a", "b"], Cost(0, 0), False)
    for found in (*some, None):
        require_listed(f"{compress.reason(found, Compress(calibration_images=8))} {rest}")
    fields = [
        field.name for kind in (settings.File, settings.Settings) for field in fields_of(kind)
    ]
    require_listed(" ".join(fields))


@pytest.fixture(scope="module")
def evaluated(tiny_once):
    """A world in which the stage before has run."""
    tiny_once()
    evaluate.main()


def everything():
    files = [file for file in paths.PACKAGE.rglob("*") if file.is_file()]
    files += [paths.COMPRESSION, paths.SERVED_SCORES]
    return {file: file.read_bytes() for file in files}


def test_the_stage_leaves_a_package_that_answers_like_the_network(evaluated, capsys, caplog):
    compress.main()
    said = capsys.readouterr().out
    first, found = everything(), json.loads(paths.COMPRESSION.read_text())
    assert said == f"{found['serves']} serves: {found['reason']}\n"
    metrics = json.loads(paths.METRICS.read_text())
    test, calibration = found["int8"]["test"], json.loads(paths.CALIBRATION.read_text())
    assert test["float_auroc"] == pytest.approx(metrics["test"]["auroc"]["value"], abs=1e-6)
    assert (test["images"], abs(test["auroc_difference"]["value"]) < 0.05) == (40, True)
    exact = found["files"]["float.onnx"]
    assert exact["temperature"] == pytest.approx(calibration["temperature"], abs=1e-3)
    assert exact["shifts"] == pytest.approx(calibration["shifts"], abs=2e-3) != [0.0]

    known = settings.read(paths.SERVING)
    assert known.serves == found["serves"]
    keras, served = (
        scores.values(pd.read_parquet(path).sort_values("image_id"))
        for path in (paths.SCORES, paths.SERVED_SCORES)
    )
    file = known.files[known.serves]
    own = recalibration.apply("binary", keras, Recalibration(file.temperature, tuple(file.shifts)))
    allowed = {settings.FLOAT: 1e-4, settings.INT8: 0.1}[known.serves]
    np.testing.assert_allclose(served, own, atol=allowed)

    compress.main()
    assert everything() == first
    # TensorFlow counts the functions that earlier tests have traced, and may warn of them here.
    assert [record.msg for record in caplog.records if record.name != "tensorflow"] == []


def test_the_package_looks_at_the_same_views_as_evaluate(tiny):
    tiny()
    images = compress.open_pack()[40:]  # val and test
    affine = augmentation.draw(augmentation.PRESETS["tutorial"], 5, ["a", "b"], (32, 32)).affine
    test_time.write(affine)
    evaluate.main()
    seen = pd.read_parquet(paths.SCORES)
    plain = scoring.score(files.load(paths.MODEL), images)
    assert np.abs(scores.values(seen) - plain).max() > 0.01
    compress.main()
    found = json.loads(paths.COMPRESSION.read_text())
    metrics = json.loads(paths.METRICS.read_text())
    assert found["int8"]["test"]["float_auroc"] == metrics["test"]["auroc"]["value"]
    session, file = Session(paths.SERVING / "float.onnx"), settings.read(paths.SERVING).files
    inside = Recalibration(file["float.onnx"].temperature, tuple(file["float.onnx"].shifts))
    own = recalibration.apply("binary", scores.values(seen), inside)
    np.testing.assert_allclose(session.scores(images), own, atol=1e-4)


def test_where_int8_costs_too_much_the_float_file_serves_alone(evaluated, monkeypatch):
    monkeypatch.setattr(Cost, "within", lambda *_: False)
    compress.main()
    assert {file.name for file in paths.SERVING.iterdir()} == {"float.onnx", "serving.json"}
    assert "does not stay within" in json.loads(paths.COMPRESSION.read_text())["reason"]
    assert Classifier(paths.SERVING).file == "float.onnx"
