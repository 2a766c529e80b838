"""Columns of a table of labels, under whatever name, and masks and boxes in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from worlds import sources
from worlds.folders import grow, pull_of, table

from tasks.common.errors import SourceError
from tasks.sources import folder


def test_columns_are_called_as_the_csv_calls_them(tmp_path):
    path = table(
        tmp_path,
        "Bild;label;Befund, final;Fall;Teil;age\na.png;old;sick;P1;train;61\n",
        "a.png",
    )
    columns = {"file": "Bild", "label": "Befund, final", "patient_id": "Fall", "split": "Teil"}
    listing = folder.listing(sources.pull_of("folder", path, columns=columns), "binary")
    (item,) = listing.items
    assert (item.name, item.label, item.patient_id, item.source_split, item.slices) == (
        *("a.png", "sick", "P1", "train"),
        {"age_band": "60-69"},
    )
    assert listing.details == ["dropped column of the CSV: label"]


@pytest.mark.parametrize(
    ("text", "columns", "match"),
    [
        (
            "file,label\na.png,x\n",
            {"label": "Smith"},
            r"pull\.columns\.label names is missing",
        ),
        ("file,label\na.png,x\n", {"patient_id": "Smith"}, r"pull\.columns\.patient_id names is m"),
        ("file,label\na.png,x\n", {"split": "Smith"}, r"pull\.columns\.split names is missing"),
        ("Smith,label\na.png,x\n", {"label": "Smith"}, "column 'file' is missing"),
        ("file,label\na.png,x\n", {"label": "file"}, "names one column twice"),
        ("file,label, label\na.png,x,y\n", {}, "column 'label' is there 2 times"),
        ("file,label,Smith,Smith\na.png,x,1,2\n", {"split": "Smith"}, "split names is there 2 t"),
        ("file,split,label,split\na.png,,x,\n", {}, "column 'split' is there 2 times"),
    ],
)
def test_columns_that_are_not_there_or_there_twice(tmp_path, text, columns, match):
    path = table(tmp_path, text, "a.png")
    with pytest.raises(SourceError, match=match) as caught:
        folder.listing(sources.pull_of("folder", path, columns=columns), "binary")
    message = str(caught.value)
    assert "must hold file,label[,patient_id][,split][,slices]" in message
    assert "Smith" not in message


def test_columns_twice_that_nobody_needs_are_dropped(tmp_path):
    path = table(tmp_path, "file,label,Smith,Smith,\na.png,x,1,2,\n", "a.png")
    listing = folder.listing(pull_of(path), "binary")
    assert len(listing.items) == 1
    assert listing.details == ["dropped column of the CSV: Smith"] * 2


def test_two_columns_are_not_called_alike():
    with pytest.raises(ValueError, match="each must name another column"):
        sources.pull_of("folder", Path("l.csv"), columns={"label": "a", "split": "a"})


def test_a_column_of_masks_counts_where_it_is_named(tmp_path):
    text = "file,label,where\na.png,x,masks/m.png\nb.png,x,\n"
    path = table(tmp_path, text, "a.png", "b.png", "masks/m.png")
    assert not any(item.masks for item in folder.listing(pull_of(path), "binary").items)
    named = sources.pull_of("folder", path, columns={"mask": "where"})
    a, b = folder.listing(named, "binary").items
    assert [read() for read in a.masks.values()] == [b"masks/m.png"]
    assert b.masks == {}
    (tmp_path / "masks/m.png").unlink()
    with pytest.raises(SourceError, match="no such mask beside the CSV: line 2"):
        folder.listing(named, "binary")


def test_boxes_are_masks(tmp_path):
    """One that reaches over an edge is cut; a pixel that a box touches is in it."""
    grow(tmp_path, "a.png", "b.png")
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 30), 7, np.uint8))
    path = table(tmp_path, 'file,label,at\na.png,x,"2 3 5.5 8; 25,15,99,99"\nb.png,x,\n')
    named = sources.pull_of("folder", path, columns={"box": "at"})
    a, b = folder.listing(named, "binary").items
    (read,) = a.masks.values()
    expected = np.zeros((20, 30), np.uint8)
    expected[3:8, 2:6] = expected[15:, 25:] = 255
    assert (cv2.imdecode(np.frombuffer(read(), np.uint8), cv2.IMREAD_UNCHANGED) == expected).all()
    assert b.masks == {}


@pytest.mark.parametrize("box", ["1 2 3", "5 5 2 9", "Smith", "1 2 3 4;-1 0 3 4"])
def test_a_box_that_is_none_is_named_by_its_line(tmp_path, box):
    path = table(tmp_path, f"file,label,at\na.png,x,{box}\n", "a.png")
    named = sources.pull_of("folder", path, columns={"box": "at"})
    with pytest.raises(SourceError, match=r"a box must be left top .*: line 2") as caught:
        folder.listing(named, "binary")
    assert "Smith" not in str(caught.value)
