import numpy as np
import pytest

from tasks.registry.cases import Cases
from tasks.registry.judgement import judge
from tasks.statistics.metrics import auroc

TRUTH = np.tile([0.0, 1.0], 50)[:, None]
GOOD = TRUTH * 0.5 + np.linspace(0, 0.4, 100)[:, None]
FAIR = GOOD + np.where(np.arange(100) % 10 == 1, -0.6, 0.0)[:, None]
BAD = 1 - GOOD
PATIENTS = np.arange(100) // 2


@pytest.fixture
def rules(defaults):
    return defaults.gate


def cases(**slices):
    frozen = np.arange(100) < 40
    return Cases(TRUTH, PATIENTS, slices, frozen)


def where(low, high):
    return (np.arange(100) >= low) & (np.arange(100) < high)


def test_without_a_champion_the_floors_decide(rules):
    assert judge(cases(), GOOD, None, rules).passed
    failed = judge(cases(), BAD, None, rules)
    assert not failed.passed
    assert failed.reasons == ["AUROC 0.000 misses the floor 0.8"]


def test_a_slice_below_its_floor_fails_the_whole(rules):
    scores = np.where(where(0, 30)[:, None], BAD, GOOD)
    weak = judge(cases(**{"sex=F": where(0, 30)}), scores, None, rules)
    lenient = rules.model_copy(update={"floors": rules.floors.model_copy(update={"auroc": 0.0})})
    assert not weak.passed
    assert any("sex=F 0.000 misses the floor 0.7" in reason for reason in weak.reasons)
    assert judge(cases(), scores, None, lenient).passed


def test_small_slices_and_slices_of_one_outcome_are_not_judged(rules):
    scores = np.where(where(0, 10)[:, None], BAD, GOOD)
    slices = {"sex=F": where(0, 10), "sex=M": TRUTH[:, 0] == 0}
    assert judge(cases(**slices), scores, None, rules).figures["slices"] == {}


def test_a_challenger_as_good_as_the_champion_passes(rules):
    same = judge(cases(), FAIR, FAIR, rules)
    assert same.passed
    assert same.figures["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_challenger_that_is_worse_past_the_margin_fails(rules):
    worse = judge(cases(), FAIR, GOOD, rules)
    assert not worse.passed
    assert worse.figures["difference"]["value"] == pytest.approx(
        auroc(TRUTH, FAIR, PATIENTS) - auroc(TRUTH, GOOD, PATIENTS), abs=1e-6
    )
    assert "does not stay above -0.02" in worse.reasons[-1]
    assert judge(cases(), FAIR, GOOD, rules.model_copy(update={"margin": 0.9})).passed


def test_the_frozen_set_is_told_and_not_judged(rules):
    scores = np.where(where(0, 40)[:, None], GOOD * 0.5, GOOD)
    told = judge(cases(), scores, GOOD, rules.model_copy(update={"margin": 0.5}))
    assert told.figures["frozen"]["images"] == 40
    assert told.figures["frozen"]["difference"]["value"] == 0.0
    nothing = Cases(TRUTH, np.arange(100), {}, where(0, 0))
    assert judge(nothing, GOOD, GOOD, rules).figures["frozen"] == {
        "images": 0,
        "difference": {"value": None, "low": None, "high": None},
    }


def test_a_test_set_of_one_outcome_fails(rules):
    one = Cases(np.zeros((100, 1)), np.arange(100), {}, where(0, 0))
    assert not judge(one, GOOD, GOOD, rules).passed


def test_a_test_set_of_few_patients_cannot_judge(rules):
    few = Cases(TRUTH, np.arange(100) % 9, {}, where(0, 40))
    verdict = judge(few, GOOD, GOOD, rules)
    assert not verdict.passed
    assert verdict.reasons[0] == (
        "the test set is too small to judge: required are 10 patients with the finding and 10 "
        "without"
    )
    assert verdict.figures["difference"] == {"value": 0.0, "low": None, "high": None}


def test_a_slice_of_many_images_and_few_patients_is_not_judged(rules):
    """Three positives must not fail a model."""
    scores = np.where(where(0, 40)[:, None], BAD, GOOD)
    patients = np.where(where(0, 40), np.arange(100) % 4, PATIENTS + 50)
    found = judge(Cases(TRUTH, patients, {"sex=F": where(0, 40)}, where(0, 0)), scores, None, rules)
    assert found.figures["slices"] == {}
