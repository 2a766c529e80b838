import numpy as np
import pytest

from tasks.common.wording import ENOUGH
from tasks.statistics.patients import Patients, enough

INFLUENCE = np.array([0.2, -0.1, 0.3, -0.4, 0.1, -0.1])


def test_the_variance_of_a_mean_is_that_of_its_patients():
    """With as many images each, a mean of images is the mean of the patients' means."""
    values, groups = np.array([1.0, 3, 2, 2, 7, 9]), ["a", "a", "b", "b", "c", "c"]
    patients = Patients(groups)
    influence = (values - values.mean()) / len(values)
    means = np.array([2.0, 2, 8])
    assert patients.variance(patients.totals(influence)) == pytest.approx(means.var(ddof=1) / 3)


def test_alike_images_of_a_patient_count_once():
    patients = Patients(np.repeat(np.arange(6), 4))
    assert patients.design_effect(np.repeat(INFLUENCE, 4), most=4) == pytest.approx(4, rel=0.2)
    assert Patients(np.arange(6)).design_effect(INFLUENCE, most=4) == pytest.approx(1)


def test_where_nothing_varies_the_effect_is_the_largest_possible():
    patients = Patients(["a", "a", "a", "b"])
    most = patients.images_per_patient(np.ones(4))
    assert most == 10 / 4
    assert patients.design_effect(np.zeros(4), most) == most


@pytest.mark.parametrize(
    ("ill", "well", "judged"), [(9, 40, False), (40, 9, False), (10, 10, True)]
)
def test_ten_patients_on_both_sides_are_enough(ill, well, judged):
    assert ENOUGH == 10
    targets = np.repeat([1.0, 0.0], [3 * ill, 3 * well])
    groups = np.repeat(np.arange(ill + well), 3)
    assert enough(targets, Patients(groups)) == judged


def test_many_images_of_few_patients_are_not_enough():
    assert not enough(np.tile([1.0, 0.0], 500), Patients(np.repeat(np.arange(4), 250)))


def test_a_patient_with_both_outcomes_counts_on_both_sides():
    assert enough(np.tile([1.0, 0.0], 10), Patients(np.repeat(np.arange(10), 2)))
