import keras
import numpy as np
import pytest
from worlds.fit import make_examples, make_model, same

from tasks.networks.losses import cross_entropy
from tasks.networks.measuring import Scorer, measured
from tasks.statistics import recalibration

pytestmark = pytest.mark.usefixtures("repeatable")
KINDS = ["binary", "multiclass", "multilabel"]
SIZE = 20  # the last batch is short


def compiled(kind):
    """With weights that make no score 0.5."""
    model = make_model(kind)
    model.compile(loss=cross_entropy(kind, weights_of(kind)))
    return model


def weights_of(kind):
    return np.array([[0.5, 1, 1], [2, 1, 3]], np.float32)[:, : 1 if kind == "binary" else 3]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_keras_and_nothing_is_trained(kind):
    """The first view of each image, and the weights of now."""
    model, examples = compiled(kind), make_examples(kind, views=2)
    scorer, before = Scorer(model, SIZE), model.get_weights()
    for factor in (1, -2):
        model.set_weights([factor * weight for weight in before])
        expected = model.predict(examples.inputs[: len(examples.targets)], verbose=0)
        np.testing.assert_allclose(scorer.scores(examples), expected, atol=1e-6)
        assert same([factor * weight for weight in before], model.get_weights())


def test_on_the_device_or_fed_scores_are_the_same(monkeypatch):
    model, examples = compiled("binary"), make_examples()
    held = Scorer(model, SIZE).scores(examples)
    monkeypatch.setattr("tasks.networks.residence.MOST_BYTES", 0)
    assert same([held], [Scorer(model, SIZE).scores(examples)])


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_those_of_keras(kind):
    model, examples = compiled(kind), make_examples(kind)
    scores, weights = Scorer(model, SIZE).scores(examples), weights_of(kind)
    found = measured(kind, examples.targets, scores, weights)
    loss = cross_entropy(kind, weights)(examples.targets, scores)
    several = kind == "multiclass"
    right = keras.metrics.CategoricalAccuracy if several else keras.metrics.BinaryAccuracy
    area = keras.metrics.AUC(20_000, multi_label=kind != "binary")
    assert found["loss"] == pytest.approx(float(np.mean(loss)), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float(right()(examples.targets, scores)))
    assert found["auroc"] == pytest.approx(float(area(examples.targets, scores)), abs=2e-3)
    given = examples.targets.astype(float), scores.astype(float), weights.astype(float)
    assert found["calibrated_loss"] == recalibration.loss_left(kind, *given)


def test_an_output_without_a_class_has_no_area():
    targets = np.array([[1, 0], [0, 0], [1, 0]], np.float32)
    scores = np.array([[0.9, 0.1], [0.2, 0.4], [0.1, 0.3]], np.float32)
    found = measured("multilabel", targets, scores, np.ones((2, 2), np.float32))
    assert found["auroc"] == 0.5  # of the first: of two pairs one is in order
    assert np.isfinite(list(found.values())).all()
    alone = measured("binary", targets[:, 1:], scores[:, 1:], np.ones((2, 1), np.float32))
    assert alone["auroc"] == 0.5
