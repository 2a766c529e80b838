import numpy as np
import pytest

from tasks.registry.cases import Cases
from tasks.registry.comparison import Rival, compare, in_words
from tasks.registry.judgement import judge
from tasks.registry.outcome import BETTER, FAILED, FIRST, NOT_WORSE, TOO_SMALL, WITHIN, worst
from tasks.statistics.intervals import Interval
from tasks.statistics.metrics import Sample, auroc

N = 400
LEVEL = 0.025
TRUTH = np.tile([0.0, 1.0], N // 2)[:, None]
GOOD = TRUTH * 0.8 + np.linspace(0, 0.19, N)[:, None]
FAIR = GOOD + np.where(np.arange(N) % 10 == 1, -0.75, 0.0)[:, None]  # misses one in five
BAD = 1 - GOOD
PATIENTS = np.arange(N) // 2


@pytest.fixture
def rules(defaults):
    return defaults.gate


def with_floors(rules, **floors):
    return rules.model_copy(update={"floors": rules.floors.model_copy(update=floors)})


def cases(**slices):
    return Cases(TRUTH, PATIENTS, slices, np.arange(N) < 80)


def where(low, high):
    return (np.arange(N) >= low) & (np.arange(N) < high)


def sample(scores, truth=TRUTH):
    return Sample("binary", truth, scores, (scores >= 0.5).astype(float))


def rival(scores, margin=0.02, name="the champion, version 3"):
    return Rival(name, scores, margin)


def held(cases, scores, rules, *rivals, itself=None):
    return judge(cases, sample(scores, cases.targets), rivals, rules, LEVEL, itself)


def test_without_a_champion_the_floors_decide(rules):
    assert held(cases(), GOOD, rules).word == FIRST
    failed = held(cases(), BAD, rules)
    assert failed.word == FAILED
    assert failed.reasons[0] == "AUROC 0.000, by the interval 0.000 or more, misses the floor 0.8"
    assert failed.missed[0] == failed.reasons[0]
    assert all("reaches" not in reason for reason in failed.missed)


def test_the_whole_is_held_to_the_lower_end_of_its_interval(rules):
    """A value above the floor whose interval reaches below it shows nothing."""
    low = held(cases(), GOOD, rules).figures["auroc"]["low"]
    strict = with_floors(rules, auroc=low + 0.001)
    found = held(cases(), GOOD, strict)
    assert found.word == TOO_SMALL
    assert found.reasons[0].startswith("AUROC 1.000, by the interval 0.9")
    assert found.missed == found.reasons[:1]
    passed = held(cases(), GOOD, with_floors(rules, auroc=low))
    assert (passed.word, passed.missed) == (FIRST, [])


@pytest.mark.parametrize("figure", ["sensitivity", "specificity"])
def test_it_must_find_and_spare_enough_at_the_operating_point(rules, figure):
    """By the scores alone nothing is wrong."""
    low = 0.0 if figure == "sensitivity" else 0.55  # all below, or all above the threshold
    found = held(cases(), low + GOOD * 0.45, with_floors(rules, calibration_error=1.0))
    assert found.figures["auroc"]["value"] == 1.0
    assert found.word == FAILED
    assert any(r.startswith(f"{figure} 0.0") and "misses" in r for r in found.reasons)


def test_scores_far_from_shares_fail(rules):
    mild = 0.5 + (GOOD - 0.5) * 0.01
    found = held(cases(), mild, rules)
    assert found.word == FAILED
    assert any("calibration error" in r and "past the limit 0.2" in r for r in found.reasons)


def test_a_slice_below_its_floor_fails_the_whole(rules):
    scores = np.where(where(0, 40)[:, None], BAD, GOOD)
    lenient = with_floors(rules, auroc=0.0, sensitivity=0.0, specificity=0.0)
    weak = held(cases(**{"sex=F": where(0, 40)}), scores, lenient)
    assert weak.word == FAILED
    assert "AUROC of sex=F 0.000 misses the floor 0.7" in weak.reasons
    assert held(cases(), scores, lenient).word == FIRST


def test_a_slice_whose_positives_are_missed_fails_though_its_auroc_is_high(rules):
    scores = np.where(where(0, 60)[:, None] & (TRUTH > 0), GOOD - 0.45, GOOD)
    found = held(cases(**{"site=north": where(0, 60)}), scores, rules)
    assert found.figures["slices"]["site=north"]["auroc"]["value"] == 1.0
    assert found.word == FAILED
    assert any(r.startswith("sensitivity of site=north 0.") for r in found.reasons)


def test_small_slices_and_slices_of_one_outcome_are_not_judged(rules):
    slices = {"sex=F": where(0, 10), "sex=M": TRUTH[:, 0] == 0}
    assert held(cases(**slices), GOOD, rules).figures["slices"] == {}


def test_a_slice_of_many_images_and_few_patients_is_not_judged(rules):
    """Three positives must not fail a model."""
    patients = np.where(where(0, 40), np.arange(N) % 4, PATIENTS + 50)
    cases = Cases(TRUTH, patients, {"sex=F": where(0, 40)}, where(0, 0))
    assert held(cases, GOOD, rules).figures["slices"] == {}


def test_a_challenger_as_good_as_the_champion_is_not_worse(rules):
    same = held(cases(), FAIR, rules, rival(FAIR))
    assert same.word == NOT_WORSE
    compared = same.figures["compared"]["the champion, version 3"]
    assert [compared[end] for end in ("value", "low", "high")] == [0.0, 0.0, 0.0]


def test_a_challenger_that_is_better_is_called_so(rules):
    found = held(cases(), GOOD, rules, rival(FAIR))
    assert (found.word, found.better) == (BETTER, True)


def test_a_challenger_that_is_worse_past_the_margin_fails(rules):
    worse = held(cases(), FAIR, with_floors(rules, auroc=0.5), rival(GOOD))
    assert worse.word == FAILED
    assert worse.figures["compared"]["the champion, version 3"]["value"] == pytest.approx(
        auroc(TRUTH, FAIR, PATIENTS) - 1, abs=1e-6
    )
    assert any("allowed are 0.02 lower" in reason for reason in worse.reasons)


def test_worse_within_the_margin_never_reads_as_passed(rules):
    found = held(cases(), FAIR, with_floors(rules, auroc=0.5), rival(GOOD, margin=0.9))
    assert found.word == WITHIN
    assert any("lower; allowed are 0.9 lower" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("against", "word"),
    [
        ((FAIR, GOOD), WITHIN),  # better than the champion, and worse than the reference
        ((FAIR, FAIR), BETTER),
        ((GOOD, FAIR), WITHIN),
    ],
)
def test_beside_the_reference_it_is_enough_to_be_not_worse(rules, against, word):
    middle = GOOD + np.where(np.arange(N) % 20 == 1, -0.75, 0.0)[:, None]
    champion, reference = (rival(s, 0.9, n) for s, n in zip(against, "ab", strict=True))
    assert held(cases(), middle, with_floors(rules, auroc=0.5), champion, reference).word == word


def test_the_reference_stops_what_the_champion_of_the_day_would_let_pass(rules):
    lenient = with_floors(rules, auroc=0.5)
    champion, reference = rival(FAIR), rival(GOOD, name="the reference, version 1")
    assert held(cases(), FAIR, lenient, champion).word == NOT_WORSE
    assert held(cases(), FAIR, lenient, champion, reference).word == FAILED


def test_a_rival_is_compared_on_the_images_that_it_scored(rules):
    partly = np.where(where(0, 120)[:, None], FAIR, np.nan)
    found = held(cases(), GOOD, rules, rival(partly))
    compared = found.figures["compared"]["the champion, version 3"]
    assert compared["images"] == 120
    assert compared["value"] == pytest.approx(
        1 - auroc(TRUTH[:120], FAIR[:120], PATIENTS[:120]), abs=1e-6
    )


@pytest.mark.parametrize(
    ("packaged", "word"), [(GOOD, FIRST), (GOOD * 0.9 + 0.01, FIRST), (FAIR, FAILED)]
)
def test_the_package_must_answer_as_its_network(rules, packaged, word):
    itself = rival(GOOD, 0.01, "its own network")
    found = held(cases(), packaged, with_floors(rules, auroc=0.5), itself=itself)
    assert found.word == word
    assert found.reasons[-1].startswith("packaged, it loses 0.0")


def test_what_equal_models_could_not_pass_either_is_too_small():
    few = Cases(TRUTH[:40], PATIENTS[:40], {}, where(0, 0)[:40])
    one, other = (TRUTH[:40] * 0.3 + np.random.default_rng(seed).random((40, 1)) for seed in (1, 2))
    found = compare(few, one, rival(other), 0.95, LEVEL)
    assert found.word == TOO_SMALL
    assert found.reach > 0.02
    assert f"40 images can show differences from {found.reach:.3f} on" in found.reason


def test_the_images_of_the_references_day_are_told_and_not_judged(rules):
    scores = np.where(where(0, 80)[:, None], BAD, GOOD)
    found = held(cases(), scores, with_floors(rules, auroc=0.5), rival(GOOD, 0.5))
    assert found.figures["frozen"]["images"] == 80
    assert found.figures["frozen"]["the champion, version 3"]["value"] < -0.03
    assert found.reasons[-1].startswith("on the 80 test images of the reference's day, not judged")
    nothing = Cases(TRUTH, PATIENTS, {}, where(0, 0))
    assert held(nothing, GOOD, rules, rival(GOOD)).figures["frozen"] == {
        "images": 0,
        "the champion, version 3": {"value": None, "low": None, "high": None},
    }


@pytest.mark.parametrize(
    ("targets", "patients"),
    [(np.zeros((N, 1)), PATIENTS), (TRUTH, np.arange(N) % 9)],
    ids=["one outcome", "few patients"],
)
def test_a_test_set_that_cannot_judge_says_so(rules, targets, patients):
    found = held(Cases(targets, patients, {}, where(0, 80)), GOOD, rules, rival(GOOD))
    assert found.word == TOO_SMALL
    assert found.reasons == [
        "the test set is too small to judge: required are 10 patients with the finding and 10 "
        "without",
        "too small to judge: too few patients to compare with the champion, version 3",
    ]


def test_the_worst_word_is_that_of_all():
    assert worst([]) == FIRST
    assert worst([NOT_WORSE, BETTER, FIRST]) == NOT_WORSE
    assert worst([TOO_SMALL, FAILED, WITHIN]) == FAILED


def test_an_interval_is_told_in_words():
    assert in_words(Interval(0.0, -0.01, 0.02)) == (
        "AUROC +0.000, by the interval between 0.010 lower and 0.020 higher"
    )
    assert in_words(Interval(-0.009, -0.019, -0.001)) == (
        "AUROC -0.009, by the interval 0.001 to 0.019 lower"
    )
    assert in_words(Interval(0.01, 0.001, 0.02)).endswith("0.001 to 0.020 higher")
