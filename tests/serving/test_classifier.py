import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.serving import write_serving

from tasks.common.errors import DecodeError, ParameterError
from tasks.serving import settings
from tasks.serving.classifier import Classifier
from tasks.serving.pyfunc import ImageClassifier

SIZE = 32
THREE = {"kind": "multiclass", "classes": ["low", "middle", "high"]}
LABELS = {"kind": "multilabel", "classes": ["mass", "fluid"]}


def png(level):
    picture = np.full((SIZE, SIZE), level, np.uint8)
    picture[0, 0] = 255 - level  # what has no contrast is refused
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture
def made(tmp_path):
    def make(**options):
        write_serving(tmp_path, **options)
        return Classifier(tmp_path)

    return make


def pixels(classifier, *levels):
    return np.stack([classifier.pixels(png(level)) for level in levels])


def test_a_binary_answer_is_class_score_and_what_stays_open(made):
    classifier = made()
    table = classifier.answer(pixels(classifier, 20, 66, 200))
    assert list(table.columns) == ["prediction", "score_nodule", "conformal_set"]
    assert list(table["prediction"]) == ["no_nodule", "nodule", "nodule"]
    assert list(table["conformal_set"]) == ["no_nodule", "no_nodule|nodule", "nodule"]
    mean = (66 * (SIZE * SIZE - 1) + 189) / SIZE**2 / 255
    assert table["score_nodule"][1] == pytest.approx(1 / (1 + np.exp(5 - 20 * mean)), abs=1e-6)


def test_the_operating_point_decides(made):
    classifier = made(threshold=0.9)
    assert list(classifier.answer(pixels(classifier, 66, 200))["prediction"]) == [
        "no_nodule",
        "nodule",
    ]


def test_several_classes_have_one_prediction_and_scores_of_sum_one(made):
    classifier = made(task=THREE)
    table = classifier.answer(pixels(classifier, 20, 200))
    assert list(table["prediction"]) == ["middle", "low"]
    scores = table[["score_low", "score_middle", "score_high"]].sum(axis=1)
    np.testing.assert_allclose(scores, 1, atol=1e-6)


def test_several_labels_are_answered_one_by_one(made):
    classifier = made(task=LABELS)
    table = classifier.answer(pixels(classifier, 20, 200))
    assert list(table["prediction"]) == ["fluid", "mass"]
    assert list(table["conformal_set"]) == ["not mass|fluid", "mass|not fluid"]


def test_a_heatmap_shows_what_speaks_for_a_class_or_against_it(made):
    classifier = made()
    picture = np.zeros((1, SIZE, SIZE, 1), np.uint8)
    picture[0, 3, 5] = 200
    (bright,) = classifier.answer(picture, "nodule")["heatmap"]
    assert np.array(bright).shape == (SIZE, SIZE)
    assert np.array(bright)[3, 5] == 1
    assert np.array(bright).sum() == 1
    (dark,) = classifier.answer(picture, "no_nodule")["heatmap"]
    assert np.array(dark).max() == 0
    with pytest.raises(ParameterError, match="one of no_nodule, nodule; received: 'cyst'"):
        classifier.answer(picture, "cyst")


def test_what_answers_otherwise_here_does_not_serve(made, tmp_path, caplog):
    assert made(serves=settings.INT8).file == settings.INT8
    known = settings.read(tmp_path)
    known.files[settings.INT8].fingerprint[0] += 1
    known.files[settings.FLOAT].point.thresholds["nodule"] = 0.9
    settings.write(tmp_path, known)
    classifier = Classifier(tmp_path)
    assert classifier.file == settings.FLOAT
    answers = classifier.answer(pixels(classifier, 66, 200))
    assert list(answers["prediction"]) == ["no_nodule", "nodule"]  # at the float file's own point
    assert "int8.onnx answers otherwise on this processor" in caplog.text


def test_the_registered_model_answers_tables_of_any_length(made):
    model = ImageClassifier(made())
    table = pd.DataFrame({"image": [png(20), png(200)] * 20, "frame": [-1] * 40})
    answers = model.predict(table)
    assert list(answers["prediction"]) == ["no_nodule", "nodule"] * 20
    assert "heatmap" in model.predict(table[:2], {"explain": "nodule"})
    with pytest.raises(DecodeError, match="image 1: "):
        model.predict(pd.DataFrame({"image": [png(20), b"none"]}))
