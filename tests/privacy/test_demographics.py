"""Ages and sexes in coarse values."""

from __future__ import annotations

import pytest

from tasks.privacy import demographics


@pytest.mark.parametrize(
    ("text", "band"),
    [("0", "0-9"), ("061Y", "60-69"), ("59.9", "50-59"), ("018M", "0-9"), ("93", "90+")],
)
def test_age_becomes_a_decade(text, band):
    assert demographics.age_band(demographics.years(text)) == band


@pytest.mark.parametrize("text", ["", "old", "-3", "151", "1e1", "19630412"])
def test_other_ages_are_refused(text):
    with pytest.raises(ValueError, match="an age is"):
        demographics.years(text)


def test_sex_has_three_values():
    assert [demographics.sex(text) for text in ("f", "Male ", "O")] == ["F", "M", "O"]
    with pytest.raises(ValueError, match="F, M or O"):
        demographics.sex("1")
