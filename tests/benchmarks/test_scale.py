from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import scale
from tasks.common.params.pixels import PixelSettings
from tasks.imaging.description import describe
from tasks.imaging.preparation import prepare
from tasks.splitting import duplicates

SETTINGS = PixelSettings(size=[64, 64], color="grey", window=None)


def test_memory_of_children_counts(tmp_path):
    (tmp_path / "project").mkdir()
    child = "held = b'x' * 150_000_000; import time; time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    found = scale.measure((sys.executable, "-c", parent), tmp_path / "project")
    assert found.gigabytes > 0.15
    assert found.seconds > 0.5


def test_a_failure_is_shown(tmp_path):
    (tmp_path / "project").mkdir()
    with pytest.raises(SystemExit, match="ended with 3"):
        scale.measure((sys.executable, "-c", "import sys; sys.exit(3)"), tmp_path / "project")


def test_source_has_patients_with_several_images_of_one_label(tmp_path):
    table = pd.read_csv(scale.make_source(tmp_path / "source", 30, scale.SOURCES[0]))
    assert len({path.read_bytes() for path in (tmp_path / "source").glob("*.jpg")}) == 30
    assert (table.groupby("patient_id")["label"].nunique() == 1).all()
    assert table["patient_id"].value_counts().eq(scale.PER_PATIENT).all()


def test_near_copies_are_of_every_kind_and_under_one_label(tmp_path):
    """People who only hash alike, slices that are like their neighbours, copies and equals."""
    table = pd.read_csv(scale.make_source(tmp_path / "source", 1000, scale.SOURCES[1]))
    assert list(table) == ["file", "label"]
    files = [(tmp_path / "source" / name).read_bytes() for name in table["file"]]
    assert len(set(files)) == 1000
    pixels = np.stack([prepare(file, SETTINGS).pixels for file in files])
    known = {"image_id": table["file"], "group": table["file"], "batch": 0, "row": range(1000)}
    known |= {"height": pixels.shape[1], "width": pixels.shape[2]} | describe(pixels, pixels)
    pairs = duplicates.find(table.assign(**known), pixels, "stretch")
    people, slices, copies, equal = (
        pairs[(pairs["first"] >= low) & (pairs["second"] < high)]
        for low, high in ((0, 400), (400, 700), (700, 900), (900, 1000))
    )
    assert len(people) == 0
    assert 300 < len(slices) < 2000
    assert 390 < len(copies) <= 200 / 5 * 10
    assert equal["equal"].sum() == 100 * 99 / 2
    assert len(slices) + len(copies) + len(equal) == len(pairs)
    labels = table["label"]
    assert list(labels[pairs["first"]]) == list(labels[pairs["second"]])


@pytest.mark.slow
def test_every_command_is_measured(capsys):
    with pytest.raises(SystemExit):
        scale.main([], count=300)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("pull", "preprocess", "split", "validate"))
    assert all(printed.count(source.name) == 1 for source in scale.SOURCES)
    assert printed.splitlines()[-1].startswith("RESULT scale ")
