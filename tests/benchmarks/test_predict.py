from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.serving import write_serving

from benchmarks import predict
from benchmarks.preprocess import bare_processes
from tasks.serving.classifier import Classifier

SIZE = 224


@pytest.fixture
def sources(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        picture = np.random.default_rng(number).integers(0, 256, (40, 30), np.uint8)
        cv2.imwrite(str(file), picture)
    return files


@pytest.fixture
def model(tmp_path):
    write_serving(tmp_path / "model", size=SIZE)
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(predict, "IMAGES", 4)
    monkeypatch.setattr(predict, "SIDE", 64)
    monkeypatch.setattr(predict, "TURNS", 1)


@pytest.mark.parametrize("suffix", predict.KINDS)
def test_the_reference_comes_to_the_same_scores(suffix, sources, model, tmp_path):
    images = tmp_path / "images"
    predict.make_images(images, suffix, sources)
    classifier = Classifier(model, threads=1)
    predict.predict(images, classifier, tmp_path)
    scores = pd.read_parquet(tmp_path / "out.parquet")["score_nodule"]
    files = sorted(map(str, images.iterdir()))
    bare = [predict.loop(files, model / classifier.file, 2, first) for first in range(2)]
    np.testing.assert_allclose([*bare[0], *bare[1]], [scores[k] for k in (0, 2, 1, 3)], atol=1e-6)


def test_both_are_timed_over_all_images(sources, model, tmp_path):
    predict.make_images(tmp_path / "images", ".png", sources)
    with bare_processes() as pool:
        found = predict.measure(tmp_path / "images", model, pool)
    assert found.stage > 0
    assert found.bare > 0


def test_an_image_that_cannot_be_read_ends_it(sources, model, tmp_path):
    predict.make_images(tmp_path / "images", ".png", sources)
    (tmp_path / "images" / "damaged.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match="could not be read back"):
        predict.predict(tmp_path / "images", Classifier(model, threads=1), tmp_path)
