from __future__ import annotations

import pandas as pd
import pytest
from worlds.split import alike, given, together

from tasks import split as stage
from tasks.common import paths
from tasks.splitting import findings


@pytest.fixture
def found(workspace):
    """A table and its pairs: a leak, and one picture of five patients under two labels."""
    images = together(
        given({f"p{k}": "train" for k in range(5)}, label="sick"),
        given({"p0": "test", "q": None}, batch=1),
    )
    pairs = alike(images, same=dict.fromkeys(("i0-0", "i0-1", "i0-2", "i1-1"), "a"))
    return stage.prepared(images), pairs


def test_lines_are_in_the_order_of_findings_and_images(found):
    findings.write(*found)
    lines = pd.read_csv(paths.SPLIT_FINDINGS)
    leak, copy, contradiction = dict.fromkeys(lines["finding"])
    ends = lines.set_index("finding")[["image_id", "other_image_id"]].fillna("-")
    assert ends.loc[leak].to_numpy().tolist() == [["i0-0", "-"], ["i1-0", "-"]]
    assert ends.loc[copy].to_numpy().tolist() == [
        ["i0-1", "i0-0"],
        ["i0-2", "i0-0"],
        ["i0-2", "i0-1"],
        ["i1-1", "i0-0"],
        ["i1-1", "i0-1"],
        ["i1-1", "i0-2"],
    ]
    of_q = [["i1-1", "i0-0"], ["i1-1", "i0-1"], ["i1-1", "i0-2"]]
    assert ends.loc[contradiction].to_numpy().tolist() == of_q
    assert list(lines["distance"].dropna()) == [0.0] * 9


@pytest.mark.parametrize("at_once", [1, 2, 11])
def test_portions_make_the_same_file(found, monkeypatch, at_once):
    findings.write(*found)
    whole = paths.SPLIT_FINDINGS.read_bytes()
    monkeypatch.setattr(findings, "AT_ONCE", at_once)
    findings.write(*found)
    assert paths.SPLIT_FINDINGS.read_bytes() == whole
    assert whole.count(b"\n") == 12


def test_nothing_found_is_a_table_without_lines(workspace):
    images = stage.prepared(given({"a": "train", "b": "test"}))
    findings.write(images, alike(images))
    assert pd.read_csv(paths.SPLIT_FINDINGS).empty
