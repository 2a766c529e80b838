"""The stages with a feature extractor that is brought, from views to the file that serves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from worlds import extractors
from worlds.extractors import PATCH, WIDTH
from worlds.training import Recorder

from tasks import audit, augment, compress, evaluate, explain, fine_tune, train
from tasks.common import editing, paths
from tasks.common.errors import ParameterError
from tasks.common.params.loading import load, parse
from tasks.common.params.model import Model
from tasks.common.params.whole import Params
from tasks.compression.int8 import Quantiser
from tasks.networks import files, scoring
from tasks.serving.classifier import Classifier
from tasks.statistics import recalibration, scores
from tasks.statistics.recalibration import Recalibration

SETTINGS = {
    "model.backbone": "onnx",
    "model.weights": "vit.onnx",
    "model.onnx": {"mean": [0.2], "std": [0.2]},
    "augment.views": 2,
    "train.epochs": 12,
    "train.learning_rate": 0.05,
    "train.batch_size": 16,
    "fine_tune.epochs": 0,
    "explain.examples": 1,
}


@pytest.fixture(scope="module")
def ended(tiny_once):
    """All stages have run; gives the pack."""
    with pytest.MonkeyPatch.context() as patch:
        tiny_once(SETTINGS)
        pack = evaluate.open_pack()
        for module in ("networks.data", "augment", "audit"):
            patch.setattr(f"tasks.{module}.open_pack", lambda: pack)
        patch.setattr("tasks.networks.device._set_threads", lambda _: None)
        patch.setattr("tasks.registry.live_runs.live_run", Recorder().live_run)
        extractors.vit(paths.root() / "vit.onnx")
        for stage in (augment, train, fine_tune, evaluate, audit, compress):
            stage.main()
        explain.run_stage()
        yield pack


def read(path):
    return json.loads(path.read_text())


def test_the_head_learns_and_is_kept(ended):
    assert paths.MODEL.read_bytes() == paths.HEAD_MODEL.read_bytes()
    training = read(paths.TRAINING)
    assert (training["kept"], training["fine_tuned_parameters"]) == ("head", WIDTH + 1)
    assert training["parameters"] > PATCH * PATCH * WIDTH
    assert read(paths.SUMMARY)["test"]["auroc"] > 0.7


def test_what_serves_says_what_the_network_says(ended):
    classifier = Classifier(paths.SERVING)
    found = classifier.answer(ended)["score_nodule"].to_numpy()
    report = read(paths.COMPRESSION)
    own = scoring.score(files.load(paths.MODEL), ended).astype(float)
    file = report["files"][classifier.file]
    inside = Recalibration(file["temperature"], tuple(file["shifts"]))
    expected = recalibration.apply("binary", own, inside)[:, 0]
    assert classifier.file == report["serves"]
    allowed = {"float.onnx": 1e-4, "int8.onnx": 0.1}[report["serves"]]
    np.testing.assert_allclose(found, expected, atol=allowed)
    exact, served = (
        scores.values(pd.read_parquet(path)) for path in (paths.SCORES, paths.SERVED_SCORES)
    )
    assert exact.shape == served.shape


def test_it_is_explained_by_its_scores_and_the_report_is_told(ended):
    assert read(paths.EXPLANATIONS)["method"] == "occlusion"
    index = read(paths.EXPLAIN / "index.json")
    assert index["features"] == []
    heat = np.load(paths.EXPLAIN / index["examples"][0]["file"].replace(".png", ".npy"))
    assert heat.shape == (14, 14)


def test_where_it_serves_it_says_who_explains_it(ended):
    with pytest.raises(ParameterError, match=r"tasks\.explain_version"):
        Classifier(paths.SERVING).answer(ended[:2], "nodule")


def test_the_audit_sees_its_features(ended):
    assert read(paths.AUDIT / "summary.json")["judged"]


def test_fine_tuning_is_refused_by_the_key_that_ends_it(ended):
    told = r"fine_tune\.epochs: required 0.*received 3"
    with pytest.raises(ParameterError, match=told):
        editing.set_values(paths.PARAMS, {"fine_tune.epochs": 3})
    values = load(Params).model_dump(by_alias=True)
    values["fine_tune"]["epochs"] = 3
    with pytest.raises(ParameterError, match=told):
        parse(fine_tune.Settings, values)


@pytest.mark.parametrize(
    "changes", [{"weights": "imagenet"}, {"onnx": None}, {"onnx": {"mean": [1, 2], "std": [1]}}]
)
def test_what_a_file_needs_is_asked_for(changes):
    values = {"weights": "a.onnx", "onnx": {"mean": [0.5], "std": [0.5]}, "dropout": 0.1}
    kept = parse(Model, {"backbone": "onnx", **values})
    assert kept.onnx.channels == "rgb"
    with pytest.raises(ParameterError, match=r"onnx|mean and std"):
        parse(Model, {"backbone": "onnx", **values, **changes})


def test_where_int8_cannot_be_made_the_float_file_serves_and_says_so(ended, monkeypatch):
    def fail(*_):
        raise RuntimeError("no axis")

    monkeypatch.setattr(Quantiser, "write", fail)
    compress.main()
    report = read(paths.COMPRESSION)
    assert (report["serves"], list(report["files"])) == ("float.onnx", ["float.onnx"])
    assert report["reason"].startswith("an int8 file of the network is missing")
    assert Classifier(paths.SERVING).file == "float.onnx"
