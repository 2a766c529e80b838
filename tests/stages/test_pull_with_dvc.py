"""What a pull brings is versioned by DVC, pushed, and restored before the next."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from worlds.pull import (
    cohort,
    configure,
    run,
    tree,
)

from tasks import pull
from tasks.common import paths
from tasks.common.errors import DataError
from tasks.common.manifest import EXCLUDED
from tasks.sources import phantom


def dvc(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("workspace")
def test_without_dvc_the_error_says_so():
    configure(pull__phantom__patients=10)
    with pytest.raises(DataError, match="dvc init"):
        run()


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("remote", [False, True])
def test_a_lost_cache_never_empties_the_folder(remote):
    dvc("init", "--no-scm", "--quiet")
    configure(pull__phantom__patients=10)
    run()
    before = tree()
    shutil.rmtree(".dvc/cache")
    if remote:
        dvc("remote", "add", "--default", "empty", str(Path.cwd() / "empty"))
    with pytest.raises(DataError, match="dvc add"):
        run()
    assert tree() == before


@pytest.mark.usefixtures("workspace")
def test_exclusion_is_part_of_the_version_of_the_data(monkeypatch):
    dvc("init", "--no-scm", "--quiet")
    configure(pull__phantom__patients=10)
    run()
    first = cohort()["image_id"].iloc[0]
    monkeypatch.setattr(sys, "argv", ["tasks.pull", "--exclude", first])
    pull.main()
    shutil.rmtree(paths.RAW)
    dvc("checkout", str(paths.RAW_DVC))
    assert cohort().set_index("image_id")["reason"].dropna().to_dict() == {first: EXCLUDED}


@pytest.mark.usefixtures("workspace")
def test_phantom_is_pulled_versioned_and_pushed_without_its_names(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tasks.pull"])
    dvc("init", "--no-scm", "--quiet")
    dvc("remote", "add", "--default", "store", str(Path.cwd() / "store"))
    configure(pull__phantom__patients=10)
    pull.main()
    assert "of 10 patients as batch 0" in capsys.readouterr().out
    before = tree()
    kept = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    for name in phantom.PLANTED_NAMES:
        assert not [path for path, content in kept.items() if name.encode() in content]
        assert not [path for path in kept if name in str(path)]
    table = cohort()
    assert table["patient_id"].nunique() == 10
    assert table[["study_id", "series_id", "instance_id", "site", "device"]].notna().all().all()

    # Another place with the same remote: the version comes back, and a killed pull's leftovers go.
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(paths.RAW / table["path"].iloc[0][:2])
    paths.COHORT.write_bytes(b"half a table")
    assert run().new == 0
    assert tree() == before

    configure(pull__phantom__patients=12)
    version = paths.RAW_DVC.read_text()
    assert run().batch == 1
    assert paths.RAW_DVC.read_text() != version
    assert dvc("status", "--json", "data/raw.dvc").strip() == "{}"
