from __future__ import annotations

from tasks.reporting.places import fill


def test_a_place_is_filled_once_with_the_text_as_it_is():
    page = "a<!-- place: x -->old\nlines<!-- end: x -->b<!-- place: y -->y<!-- end: y -->"
    assert fill(page, {"x": r"\1 new"}) == r"a\1 newb<!-- place: y -->y<!-- end: y -->"


def test_what_a_report_has_no_place_for_stands_before_it():
    assert fill("report", {"x": "verdict"}) == "verdict\nreport"
