import keras
import numpy as np
import pytest

from tasks.common.errors import TrainingError
from tasks.networks.losses import class_weights, cross_entropy, even


def one_hot(counts):
    return np.repeat(np.eye(len(counts), dtype=np.float32), counts, axis=0)


def test_binary_weights_balance_both_sides():
    targets = np.array([[1]] * 9 + [[0]] * 3, np.float32)
    assert np.allclose(class_weights("binary", ["p"], targets, True), [[2.0], [2 / 3]])


def test_multiclass_weights_balance_the_classes():
    weights = class_weights("multiclass", ["a", "b", "c"], one_hot([6, 3, 3]), True)
    assert np.allclose(weights[1], [2 / 3, 4 / 3, 4 / 3])


def test_multilabel_weights_balance_each_output_by_itself():
    targets = np.array([[1, 0], [1, 1], [1, 0], [0, 0]], np.float32)
    weights = class_weights("multilabel", ["a", "b"], targets, True)
    assert np.allclose(weights, [[2, 2 / 3], [2 / 3, 2]])


def test_without_balance_all_weights_are_one():
    assert (class_weights("multiclass", ["a", "b"], one_hot([5, 1]), False) == 1).all()


@pytest.mark.parametrize("balanced", [True, False])
def test_even_is_the_score_with_the_lowest_loss_of_images_that_say_nothing(balanced):
    targets = np.array([[1, 0], [1, 1], [1, 0], [0, 0]], np.float32)
    weights = class_weights("multilabel", ["a", "b"], targets, balanced)
    constant = np.linspace(0.05, 0.95, 181, dtype=np.float32)
    loss = cross_entropy("multilabel", weights)
    found = even(targets, balanced)
    for k, own in enumerate(found):  # the other output keeps its score
        scores = np.tile(found.astype(np.float32), (len(constant), 1))
        scores[:, k] = constant
        losses = [float(np.mean(loss(targets, np.tile(row, (4, 1))))) for row in scores]
        assert constant[np.argmin(losses)] == pytest.approx(own, abs=1e-3)
    assert found.tolist() == ([0.5, 0.5] if balanced else [0.75, 0.25])


@pytest.mark.parametrize(
    ("kind", "targets", "problem"),
    [
        ("binary", [[0], [0]], "no training image shows 'a'"),
        ("binary", [[1], [1]], "every training image shows 'a'"),
        ("multiclass", [[1, 0], [1, 0]], "no training image shows 'b'"),
        ("multilabel", [[1, 0], [0, 0]], "no training image shows 'b'"),
    ],
)
def test_a_missing_class_is_named(kind, targets, problem):
    with pytest.raises(TrainingError, match=problem):
        class_weights(kind, ["a", "b"][: len(targets[0])], np.array(targets, np.float32), False)


def test_the_loss_is_the_weighted_cross_entropy():
    targets = np.array([[1, 0], [0, 0]], np.float32)
    scores = np.array([[0.8, 0.3], [0.4, 0.1]], np.float32)
    weights = np.array([[2, 1], [3, 1]], np.float32)
    found = cross_entropy("multilabel", weights)(targets, scores)
    first = (-3 * np.log(0.8) - np.log(0.7)) / 2
    second = (-2 * np.log(0.6) - np.log(0.9)) / 2
    assert np.allclose(found, [first, second], rtol=1e-5)


def test_with_softmax_the_true_class_weighs():
    targets = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    scores = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]], np.float32)
    weights = np.array([[9, 9, 9], [1, 4, 1]], np.float32)
    found = cross_entropy("multiclass", weights)(targets, scores)
    assert np.allclose(found, [-4 * np.log(0.5), -np.log(0.7)], rtol=1e-5)


def test_smoothing_spreads_its_share_over_the_classes():
    one, three = np.array([[1.0]], np.float32), np.array([[0, 1, 0]], np.float32)
    scores = np.array([[0.2, 0.5, 0.3]], np.float32)
    found = cross_entropy("binary", np.ones((2, 1), np.float32), 0.1)(one, np.float32([[0.8]]))
    assert np.allclose(found, -0.95 * np.log(0.8) - 0.05 * np.log(0.2), rtol=1e-5)
    found = cross_entropy("multiclass", np.ones((2, 3), np.float32), 0.3)(three, scores)
    assert np.allclose(found, -0.1 * np.log(0.2) - 0.8 * np.log(0.5) - 0.1 * np.log(0.3))


def test_ones_give_kerass_own_losses():
    targets = one_hot([3, 4, 5])
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], 12).astype(np.float32)
    ones = np.ones((2, 3), np.float32)
    for kind, official in (
        ("multiclass", keras.losses.categorical_crossentropy),
        ("multilabel", keras.losses.binary_crossentropy),
    ):
        assert np.allclose(cross_entropy(kind, ones)(targets, scores), official(targets, scores))
