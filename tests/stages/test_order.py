"""Stages that are called out of order say which one is missing, before they begin."""

from __future__ import annotations

import sys

import pytest
from worlds.project import ROOT, run

from tasks.common import paths, pipeline
from tasks.common.errors import DataError


def touch(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


def test_what_is_missing_is_named_with_the_stage_that_makes_it(workspace):
    touch(paths.IMAGES, paths.PACK, paths.RAW / "x")
    with pytest.raises(DataError) as caught:
        pipeline.require_inputs("train")
    assert str(caught.value).startswith(
        "required: data/manifest.parquet (made by split), data/views.json (made by augment); "
        "received: none of them. "
    )
    assert "`dvc repro train`" in str(caught.value)


def test_data_come_from_a_pull(workspace):
    with pytest.raises(DataError, match=r"data/raw \(made by pull\)"):
        pipeline.require_inputs("preprocess")


def test_what_is_there_suffices_without_the_digests_of_code(workspace):
    files = [dep for dep in pipeline.deps("train") if dep.parent != paths.CODE]
    touch(*files)
    pipeline.require_inputs("train")


@pytest.mark.parametrize("command", ["split", "gate"])
def test_by_hand_it_ends_in_one_line(workspace, command):
    done = run(
        sys.executable, "-m", f"tasks.{command}", cwd=workspace, check=False, PYTHONPATH=str(ROOT)
    )
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("DataError: required: data/")
