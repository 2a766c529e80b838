"""What the ablation says of its rows, and that what is there is not run again."""

import math

import cv2
import pandas as pd
import pytest

from benchmarks import ablation
from tasks.pictures.canvas import PALETTE

ROWS = [
    ("a", "train", "defaults", 17, 0.90),
    ("a", "train", "defaults", 18, 0.92),
    ("a", "train", "l1 0.5", 17, 0.96),
    ("a", "train", "l1 0.5", 18, 0.98),
    ("b", "train", "defaults", 17, 0.80),
    ("b", "train", "defaults", 18, 0.82),
    ("b", "train", "l1 0.5", 17, 0.81),
    ("b", "train", "l1 0.5", 18, 0.83),
]


def table():
    rows = [(*row, 0.5, 0.75, 3, 0.7, 0.4) for row in ROWS]
    return pd.DataFrame(rows, columns=ablation.KEYS + ablation.FIGURES)


def test_a_gain_is_in_units_of_the_spread_and_counts_where_every_set_has_it():
    found = ablation.gains(table()).set_index(["set", "option"])
    assert found.loc[("a", "l1 0.5"), "won"] == pytest.approx(0.06)
    spread = 0.02 / 2**0.5
    assert found.loc[("a", "l1 0.5"), "spread"] == pytest.approx(spread)
    assert ablation.everywhere(found.reset_index()) == pytest.approx(0.01 / spread)


def test_the_picture_shows_what_each_seed_won(tmp_path):
    rows = table()
    assert ablation.won(rows, "val_auroc").tolist() == pytest.approx(
        [0, 0, 0.06, 0.06, 0, 0, 0.01, 0.01]
    )
    assert math.isnan(ablation.won(rows[rows["option"] != "defaults"], "val_auroc").iloc[0])
    tuned = rows.assign(phase="fine_tune")
    ablation.draw(tmp_path / "reports/ablation.png", pd.concat([rows, tuned]))
    picture = cv2.imread(str(tmp_path / "reports/ablation.png"))
    for color in PALETTE[:2]:  # a dot per set at least
        red, green, blue = bytes.fromhex(color[1:])
        assert (picture == (blue, green, red)).all(axis=2).any()


def test_one_seed_alone_tells_no_gain():
    rows = table()
    once = rows[(rows["option"] == "defaults") | (rows["seed"] == 17)]
    found = ablation.gains(once).set_index(["set", "option"])
    assert math.isnan(found.loc[("b", "l1 0.5"), "gain"])
    assert math.isnan(ablation.everywhere(found.reset_index()))


def test_what_the_table_has_is_not_run_again(tmp_path, monkeypatch):
    ran = []

    class Instead:
        def __init__(self, source, limit):
            pass

        def run(self, phase, changes, seed):
            ran.append((phase, changes, seed))
            return dict.fromkeys(ablation.FIGURES, 0.5)

    monkeypatch.setattr(ablation, "Laboratory", Instead)
    monkeypatch.setattr(ablation, "OPTIONS", {"train": [{"train.l1": 0.5}], "fine_tune": []})
    path = tmp_path / "table.csv"
    table().to_csv(path, index=False)
    asked = [
        str(tmp_path / "a.npz"),
        "--workspace",
        str(tmp_path),
        "--seeds",
        "3",
        "--table",
        str(path),
    ]
    options = ablation._options(asked)
    for _ in range(2):
        ablation.fill(tmp_path / "a.npz", path, options)
    head = [("train", changes, 19) for changes in ({}, {"train.l1": 0.5})]
    assert ran == [*head, *(("fine_tune", {}, seed) for seed in (17, 18, 19))]
    assert len(ablation.read(path)) == len(ROWS) + len(ran)
