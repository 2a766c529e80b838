from __future__ import annotations

import sys

import pandas as pd
import pytest

from benchmarks import scale


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
    table = pd.read_csv(scale.make_source(tmp_path / "source", 30))
    assert len({path.read_bytes() for path in (tmp_path / "source").glob("*.png")}) == 30
    assert (table.groupby("patient_id")["label"].nunique() == 1).all()
    assert table["patient_id"].value_counts().eq(scale.PER_PATIENT).all()


@pytest.mark.slow
def test_every_command_is_measured(capsys):
    with pytest.raises(SystemExit):
        scale.main([], count=300)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("pull", "preprocess", "split", "validate"))
    assert printed.splitlines()[-1].startswith("RESULT scale ")
