"""Only the series that are asked for are fetched."""

from __future__ import annotations

import pytest
from worlds.bad_server import make_series
from worlds.nbia import (
    assert_names_other_ways,
    bring,
    brought,
    pull_by_table,
    pull_of_tiny,
)

from tasks.common.errors import SourceError
from tasks.sources import tcia


def test_nothing_that_fits_is_an_error(server):
    pull = pull_of_tiny(collection={"name": "Tiny Set", "modality": "MR"})
    with pytest.raises(SourceError, match=r"no public series.*'Modality': 'MR'") as caught:
        tcia.listing(pull, "multiclass")
    assert "restricted collections are not given here" in str(caught.value)
    assert_names_other_ways(str(caught.value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PatientID", "PLANTED-2"),
        ("StudyInstanceUID", "1.2.840.98.2"),
        ("SeriesInstanceUID", "1.2.840.99.2"),
    ],
)
def test_only_what_the_table_names_is_fetched(server, tmp_path, key, value):
    listing = tcia.listing(pull_by_table(tmp_path / "labels.csv", key, [value]), "multiclass")
    assert brought(listing) == sorted(server.series[1].files)
    assert {item.label for item in listing.items} == {"sick"}
    assert set(server.asked) == {"getSeries", server.series[1].uid}


def test_labels_are_looked_at_before_anything_is_fetched(server):
    with pytest.raises(SourceError, match="may identify"):
        tcia.listing(pull_of_tiny(labels={"field": "PatientID"}), "multiclass")
    assert set(server.asked) == {"getSeries"}


def test_a_table_of_strangers_is_an_error_that_names_none(server, tmp_path):
    pull = pull_by_table(tmp_path / "labels.csv", "PatientID", ["Smith"])
    with pytest.raises(SourceError, match="1 values of PatientID, and none") as caught:
        tcia.listing(pull, "multiclass")
    assert "Smith" not in str(caught.value)
    assert "PLANTED" not in str(caught.value)


def test_a_narrower_choice_lists_no_more_than_it_names(server):
    server.series[2] = make_series(3, BodyPartExamined="ABDOMEN")
    assert {item.label for item in bring().items} == {"CHEST", "ABDOMEN"}
    pull = pull_of_tiny(collection={"name": "Tiny Set", "body_part": "CHEST"})
    assert {item.label for item in tcia.listing(pull, "multiclass").items} == {"CHEST"}
