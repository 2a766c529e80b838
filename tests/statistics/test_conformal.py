import json

import numpy as np
import pytest

from tasks.statistics import conformal
from tasks.statistics.conformal import Sets, least_score
from tasks.statistics.metrics import Sample


def binary(targets, scores) -> Sample:
    y, s = (np.array(x, float)[:, None] for x in (targets, scores))
    return Sample("binary", y, s, (s >= 0.5).astype(float))


def test_the_least_score_by_hand():
    scores = np.array([0.9, 0.3, 0.8, 0.5, 0.7, 0.6, 0.4, 0.95, 0.2])
    # 0.8 of 9 + 1 are 8: eight of nine reach 0.3. 0.9 are all nine; more than 0.9 are too many.
    assert least_score(scores, 0.8) == 0.3
    assert least_score(scores, 0.9) == 0.2
    assert least_score(scores, 0.95) == 0.0
    assert least_score(np.array([]), 0.5) == 0.0
    assert least_score(np.arange(1, 100) / 100, 0.66) == 0.34  # 66 of 99, as written


def test_sets_of_a_binary_task_by_hand():
    val = binary([1, 1, 1, 1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.4, 0.5, 0.3, 0.2, 0.1])
    sets = conformal.fit(["well", "ill"], val, 0.8)
    # Four of each: ceil(5 * 0.8) = 4, so all four reach the least score.
    assert sets.least_scores == {"well": 0.5, "ill": 0.4}
    assert Sets(**json.loads(json.dumps(sets.to_json()))) == sets
    test = binary([1, 1, 0, 0], [0.95, 0.45, 0.45, 0.2])
    held = conformal.inside(["well", "ill"], test, sets)[:, 0]
    assert held.tolist() == [[0, 1], [1, 1], [1, 1], [1, 0]]
    found = conformal.summarise(sets, test, np.arange(4), ["well", "ill"], {}, 0.95)
    assert found["coverage"] == {"value": 1.0, "low": None, "high": None}
    assert found["size"]["value"] == 1.5
    assert found["judged"] is False


def test_each_class_and_slice_counts_its_own_images():
    sets = Sets(0.9, {"well": 0.5, "ill": 0.5})
    # Of 40 ill 30 are covered, of 40 well all; every set has one answer.
    test = binary([1] * 40 + [0] * 40, [0.9] * 30 + [0.1] * 50)
    batch = np.array((["1"] + ["0"] * 3) * 20, object)
    found = conformal.summarise(sets, test, np.arange(80), ["well", "ill"], {"batch": batch}, 0.95)
    assert found["coverage"]["value"] == 70 / 80
    assert found["classes"]["ill"]["coverage"]["value"] == 0.75
    low, high = (found["classes"]["ill"]["coverage"][end] for end in ("low", "high"))
    assert (low, high) == pytest.approx((0.598, 0.858), abs=0.01)  # Wilson of 30 in 40
    assert found["classes"]["well"]["images"] == 40
    assert list(found["slices"]["batch"]) == ["0", "1"]
    assert found["slices"]["batch"]["1"]["images"] == 20
    # Half of the answers, with as much width as a share of 80 images has.
    assert tuple(found["size"].values()) == pytest.approx((1.0, 0.786, 1.214), abs=0.01)


def test_every_label_of_a_multilabel_task_is_a_question(make_sample):
    sample = make_sample("multilabel", outputs=2)
    sets = conformal.fit(["a", "b"], sample, 0.9)
    assert list(sets.least_scores) == ["not a", "a", "not b", "b"]
    found = conformal.summarise(sets, sample, np.arange(200), ["a", "b"], {}, 0.95)
    assert list(found["classes"]) == list(sets.least_scores)
    assert found["coverage"]["value"] >= 0.9  # on the images that they were fitted on
    assert 0 < found["size"]["value"] < 2


@pytest.mark.parametrize(("kind", "outputs"), [("binary", 1), ("multiclass", 3)])
def test_each_answer_is_covered_as_often_as_asked(make_sample, kind, outputs):
    names = ["a", "b", "c"][: max(outputs, 2)]
    shares = []
    for seed in range(60):
        sample = make_sample(kind, 800, outputs, seed)
        val, test = (sample.where(np.arange(800) % 2 == side) for side in (0, 1))
        held = conformal.inside(names, test, conformal.fit(names, val, 0.8))
        right = test.targets if outputs > 1 else np.hstack([1 - test.targets, test.targets])
        shares.append((held[:, 0] * right).sum(axis=0) / right.sum(axis=0))
    mean = np.mean(shares, axis=0)
    assert ((mean > 0.79) & (mean < 0.84)).all()  # scores are tied, so a little above
