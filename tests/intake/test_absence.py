"""Which of two classes is the negative one, by their names."""

import pytest

from tasks.intake.absence import negative_first


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        ("normal", "malignant"),
        ("other", "covid"),
        ("NORMAL", "PNEUMONIA"),
        ("benign", "malignant"),
        ("normal, benign", "malignant"),
        ("Negative", "Positive"),
        ("healthy controls", "AD"),
        ("none", "fracture"),
        ("no_nodule", "nodule"),
        ("notumor", "tumor"),
        ("NoFinding", "Finding"),
        ("non-COVID", "COVID"),
        ("NonCOVID", "COVID"),
        ("tumor-free", "tumor"),
        ("without mask", "with mask"),
        ("Uninfected", "Parasitized"),
        ("undamaged", "damaged"),
        ("no", "yes"),
        ("false", "true"),
        ("0", "1"),
        ("normal", "abnormal"),
        ("normal", "not normal"),
        ("healthy", "unhealthy"),
    ],
)
def test_a_name_that_says_absence_comes_first(negative, positive):
    assert negative_first(negative, positive) == [negative, positive]
    assert negative_first(positive, negative) == [negative, positive]


@pytest.mark.parametrize(
    "names",
    [
        ("sick", "well"),
        ("cat", "dog"),
        ("1", "2"),
        ("benign", "normal"),
        ("no_a", "no_b"),
        ("abnormal", "not normal"),
        ("covid", "pneumonia"),
    ],
)
def test_where_both_or_neither_say_so_nothing_is_told(names):
    assert negative_first(*names) is None
    assert negative_first(*names[::-1]) is None
