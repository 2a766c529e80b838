from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from tasks import evaluate, explain
from tasks.common import paths
from tasks.statistics.metrics import Sample


def binary(scores: list[float], targets: list[int]) -> Sample:
    given = np.array(scores)[:, None]
    return Sample("binary", np.array(targets, float)[:, None], given, (given >= 0.5).astype(float))


def test_the_most_confident_right_and_wrong_images_of_each_class():
    sample = binary([0.9, 0.7, 0.2, 0.4, 0.1, 0.3, 0.6, 0.8], [1, 1, 1, 1, 0, 0, 0, 0])
    chosen = explain.choose(sample, ["well", "ill"], 1)
    assert [(e.name, e.right, e.predicted, e.row) for e in chosen] == [
        ("well", True, "well", 4),
        ("well", False, "ill", 7),
        ("ill", True, "ill", 0),
        ("ill", False, "well", 2),
    ]
    assert [e.score for e in chosen] == [0.1, 0.8, 0.9, 0.2]
    assert [e.absent for e in chosen] == [True, False, False, True]


def test_fewer_than_asked_where_there_are_no_more():
    chosen = explain.choose(binary([0.9, 0.1], [1, 0]), ["well", "ill"], 5)
    assert [e.right for e in chosen] == [True, True]


def test_a_multiclass_image_is_explained_by_what_was_predicted():
    scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
    sample = Sample("multiclass", np.eye(3)[[0, 0, 1]], scores, np.eye(3)[[0, 2, 0]])
    chosen = explain.choose(sample, list("abc"), 2)
    assert [(e.name, e.predicted, e.output, e.score) for e in chosen] == [
        ("a", "a", 0, 0.7),
        ("a", "c", 2, 0.6),
        ("b", "a", 0, 0.5),
    ]


def test_a_multilabel_image_is_explained_by_the_label_that_it_holds():
    scores = np.array([[0.9, 0.1], [0.8, 0.3]])
    sample = Sample(
        "multilabel", np.array([[1.0, 1], [1, 0]]), scores, np.array([[1.0, 0], [1, 0]])
    )
    chosen = explain.choose(sample, ["a", "b"], 1)
    assert [(e.name, e.predicted, e.right, e.row) for e in chosen] == [
        ("a", "a", True, 0),
        ("b", "not b", False, 0),
    ]


@pytest.fixture
def explained(tiny):
    tiny({"explain.examples": 2})
    evaluate.main()
    explain.main()
    return json.loads((paths.EXPLAIN / "index.json").read_text())


def test_the_index_names_every_picture_and_no_patient(explained):
    files = {path.name for path in paths.EXPLAIN.iterdir()}
    listed = [entry["file"] for part in explained.values() for entry in part]
    assert files == {*listed, "index.json"}
    assert {"nodule_right_1.png", "nodule_right_2.png", "features_early.png"} <= files
    assert "patient" not in json.dumps(explained)
    first = explained["examples"][-1]
    assert set(first) == {
        "file",
        "image_id",
        "label",
        "predicted",
        "right",
        "scored",
        "score",
    }


def test_the_overlay_is_hottest_where_the_spot_is(explained):
    entry = next(e for e in explained["examples"] if e["label"] == "nodule" and e["right"])
    picture = cv2.imread(str(paths.EXPLAIN / entry["file"])).astype(float)
    overlay = picture[80:, picture.shape[1] // 2 :]
    colour = overlay.max(axis=2) - overlay.min(axis=2)
    height, width = colour.shape
    spot = colour[: height // 2, : width // 2].max()
    assert spot > 100
    assert spot > 1.5 * colour[height // 2 :, width // 2 :].max()


def test_the_same_model_gives_the_same_bytes(explained):
    first = {path.name: path.read_bytes() for path in paths.EXPLAIN.iterdir()}
    explain.main()
    assert {path.name: path.read_bytes() for path in paths.EXPLAIN.iterdir()} == first
