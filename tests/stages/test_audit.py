from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from tasks import audit
from tasks.common import editing, manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params

WRONG = [12, 51, 90]


@pytest.fixture
def world(tiny, monkeypatch):
    """Images whose brightness tells the label, but of three; gives the manifest."""
    tiny({"audit.examples": 2})
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    pack = make_pack(table["label"])
    monkeypatch.setattr("tasks.audit.open_pack", lambda: pack)
    flipped = {"nodule": "no_nodule", "no_nodule": "nodule"}
    table.loc[WRONG, "label"] = table.loc[WRONG, "label"].map(flipped)
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    shutil.copy(paths.MODEL, paths.HEAD_MODEL)
    return table


def make_pack(labels):
    """A nodule is a bright half."""
    images = np.random.default_rng(0).integers(20, 60, (len(labels), 32, 32, 1))
    images[np.asarray(labels) == "nodule", :, 16:] += 150
    return images.astype(np.uint8)


def results():
    return {path.name: path.read_bytes() for path in sorted(paths.AUDIT.iterdir())}


def test_wrong_labels_are_listed_first_with_what_they_should_be(world, capsys):
    audit.main()
    found = pd.read_csv(paths.AUDIT / "labels.csv")
    assert list(found.columns) == audit.COLUMNS
    assert set(found["image_id"][: len(WRONG)]) == set(world["image_id"][WRONG])
    assert (found["label"] != found["suggested"]).all()
    assert found["score"].is_monotonic_increasing
    assert "patient" not in (paths.AUDIT / "labels.csv").read_text()
    told = json.loads((paths.AUDIT / "summary.json").read_text())
    assert told["judged"]
    assert told["features_auroc"] > 0.9
    assert told["likely_errors"] == len(found)
    assert sum(side["likely_errors"] for side in told["splits"].values()) == len(found)
    assert cv2.imread(str(paths.AUDIT / "gallery.png")).std() > 10
    assert "labels may be wrong" in capsys.readouterr().out


def test_it_repeats_with_and_without_what_is_stored(world):
    audit.main()
    first = results()
    audit.main()
    assert results() == first


def test_sound_labels_leave_no_picture(world):
    world["label"] = np.where(np.arange(len(world)) % 2, "nodule", "no_nodule")
    manifest.write(world, paths.MANIFEST, manifest.MANIFEST)
    audit.main()
    assert set(results()) == {"labels.csv", "summary.json"}
    assert len(pd.read_csv(paths.AUDIT / "labels.csv")) == 0


def test_too_few_patients_are_said_not_to_be_judged(world):
    world["group"] = "one"
    manifest.write(world, paths.MANIFEST, manifest.MANIFEST)
    audit.main()
    assert json.loads((paths.AUDIT / "summary.json").read_text())["judged"] is False


@pytest.mark.parametrize(
    ("kind", "classes", "target", "label"),
    [
        ("binary", ["a", "b"], [1], "b"),
        ("multiclass", ["a", "b", "c"], [0, 0, 1], "c"),
        ("multilabel", ["a", "b"], [1, 1], "a|b"),
        ("multilabel", ["a", "b"], [0, 0], ""),
    ],
)
def test_targets_become_labels_again(workspace, kind, classes, target, label):
    editing.set_values(paths.PARAMS, {"task.kind": kind, "task.classes": classes})
    assert audit._label(np.array(target, np.float32), load(Params).task) == label
