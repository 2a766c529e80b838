from __future__ import annotations

import pytest
from ruamel.yaml import YAML
from worlds.split import (
    LOOSE,
    SETTINGS,
    TASK,
    alike,
    batch,
    given,
    receipt,
    split_of,
    to_manifest,
    together,
)

from tasks.common import paths
from tasks.common.errors import ParameterError
from tasks.common.params.loading import parse
from tasks.common.params.split import Split
from tasks.common.params.whole import Params
from tasks.splitting.receipt import summary


def test_folds_cut_train_and_val_and_leave_test_alone():
    images = together(batch(0, 200), batch(1, 60, first=180))
    plain = split_of(images)
    settings = SETTINGS.model_copy(update={"folds": 5})
    vals = []
    for fold in range(5):
        table = to_manifest(images, settings.model_copy(update={"fold": fold}), TASK)
        now = table.set_index("image_id")["split"]
        assert (now == "test").equals(plain == "test")
        assert (table.groupby("group")["split"].nunique() == 1).all()
        assert (table["fold"].isna() == (table["split"] == "test")).all()
        assert list((table["fold"] == fold).fillna(False)) == list(table["split"] == "val")
        vals.append(set(now.index[now == "val"]))
    assert set.union(*vals) == set(plain.index[plain != "test"])
    assert sum(map(len, vals)) == len(set.union(*vals))
    numbers = receipt(table, settings, TASK)
    assert [fold["patients"] for fold in numbers["folds"].values()] == pytest.approx(
        [38] * 5, abs=4
    )


def test_a_fold_is_one_of_the_folds(workspace):
    for folds, fold in ((None, 1), (5, 5), (1, 0)):
        with pytest.raises(ParameterError, match="split"):
            parse(
                Params, YAML(typ="safe").load(paths.PARAMS) | {"split": split_section(folds, fold)}
            )
    assert Split(**split_section(5, 4)).fold == 4


def split_section(folds, fold):
    return SETTINGS.model_dump() | {"folds": folds, "fold": fold}


def test_copies_share_a_fold_and_folds_stay():
    first, second = given(LOOSE), given({f"m{k}": None for k in range(40)}, batch=1)
    settings = SETTINGS.model_copy(update={"folds": 4})
    before = to_manifest(first, settings, TASK)["fold"]
    images = together(first, second)
    like = alike(images, *[(f"i0-{k}", f"i1-{k}") for k in range(10)])
    now = to_manifest(images, settings, TASK, like)["fold"]
    assert now[:40].equals(before)
    assert list(now[40:50]) == list(before[:10])


def test_what_links_two_folds_is_quarantined():
    first = given(LOOSE)
    settings = SETTINGS.model_copy(update={"folds": 2})
    folds = to_manifest(first, settings, TASK).set_index("image_id")["fold"]
    a, b = folds[folds == 0].index[0], folds[folds == 1].index[0]
    patient = first.set_index("image_id")["patient_id"][a]
    images = together(first, given({patient: None}, batch=1))
    table = to_manifest(images, settings, TASK, alike(images, (b, "i1-0")))
    assert list(table.index[table["status"] != "ok"]) == [40]


def test_a_val_of_the_source_is_part_of_the_folds():
    images = given({f"t{k}": "train" for k in range(20)} | {"v": "val", "w": "val", "e": "test"})
    settings = SETTINGS.model_copy(update={"folds": 11, "fold": 2})
    table = to_manifest(images, settings, TASK)
    assert table["split"].value_counts().to_dict() == {"train": 20, "val": 2, "test": 1}
    assert "val is part of the folds" in summary(receipt(table, settings, TASK))
