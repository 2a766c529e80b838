"""Images of other people: prepared as one's own, without those that the model has seen."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.pack import build

from tasks.common import manifest, paths
from tasks.common.errors import DataError
from tasks.imaging import external, pack


def write(place: paths.Place, name: str, seed: int) -> str:
    """A picture of its own; its path in the place."""
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 20), np.uint8)
    place.folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(place.folder / name), pixels)
    return name


@pytest.fixture
def own(workspace):
    """Three own images, prepared."""
    rows = [(f"own{k}", write(paths.OWN, f"own{k}.png", k)) for k in range(3)]
    _, table = build(pd.DataFrame(rows, columns=["image_id", "path"]))
    return table


@pytest.fixture
def others(own):
    """A copy of an own image in other coding, three others, and what is of no use."""
    folder = paths.OTHERS.folder
    rows = [(f"x{k}", write(paths.OTHERS, f"x{k}.png", 50 + k), "p1", None) for k in range(3)]
    copied = cv2.imread(str(paths.RAW / "own1.png"), cv2.IMREAD_UNCHANGED)
    assert cv2.imwrite(str(folder / "copy.bmp"), copied)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    rows += [
        ("copy", "copy.bmp", "p2", None),
        ("broken", "broken.png", "p2", None),
        ("torn", None, None, "two labels: a, b"),
        ("gone", None, "p3", "withdrawn"),
    ]
    table = pd.DataFrame(rows, columns=["image_id", "path", "patient_id", "reason"])
    table.loc[0, "patient_id"] = None
    table = table.assign(label="a", batch=0)
    manifest.write(table, paths.OTHERS.cohort, manifest.COHORT)
    return table


def test_they_come_prepared_with_their_patients_and_what_is_left_out_is_counted(own, others):
    found = external.read(own["image_id"])
    assert found.rows["image_id"].tolist() == ["x0", "x1", "x2"]
    assert found.rows["group"].tolist() == ["x0", "p1", "p1"]
    assert found.left_out == {"copies": 1, "unusable": 2}
    alone = pack.open_others(others[others["image_id"] == "x1"], paths.OTHERS)[1]
    assert np.array_equal(found.images[1:2], alone)
    assert found.images[:].shape == (3, 16, 24, 1)
    assert len(np.unique(found.images[:], axis=0)) == 3


def test_a_copy_of_what_only_tests_is_no_copy(own, others):
    learned = own.loc[own["image_id"] != "own1", "image_id"]
    found = external.read(learned)
    assert found.rows["image_id"].tolist() == ["copy", "x0", "x1", "x2"]
    assert found.left_out == {"copies": 0, "unusable": 2}


def test_ones_own_pack_stays_what_it_is(own, others):
    before = np.array(pack.open_pack())
    external.read(own["image_id"])
    assert np.array_equal(pack.open_pack(), before)
    assert external.read(own["image_id"]).left_out["copies"] == 1  # again, from what is stored


def test_without_a_pull_or_with_copies_alone_there_is_nothing_to_measure(own, others):
    rows = manifest.read(paths.OTHERS.cohort, manifest.COHORT)
    manifest.write(rows[rows["image_id"] == "copy"], paths.OTHERS.cohort, manifest.COHORT)
    with pytest.raises(DataError, match=r"received: 1, 1 of them copies.*other data"):
        external.read(own["image_id"])
    manifest.write(rows[rows["image_id"] == "broken"], paths.OTHERS.cohort, manifest.COHORT)
    with pytest.raises(DataError, match="received: 1, 0 of them copies"):
        external.read(own["image_id"])
    shutil.rmtree(paths.EXTERNAL)
    with pytest.raises(DataError, match=r"`python -m tasks\.pull` brings them"):
        external.read(own["image_id"])
