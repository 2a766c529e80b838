import subprocess
import sys
from pathlib import Path

import pytest

from tasks.common import paths
from tasks.common.errors import DataError
from tasks.intake import data_versions


def test_a_version_that_the_cache_does_not_hold_is_none(workspace, monkeypatch):
    """DVC copies what it can and ends with 0 where the disk of the cache is full."""
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    real = data_versions._run

    def full(*arguments):
        done = real(*arguments)
        if arguments[0] == "add":
            cached = Path(".dvc/cache/files").rglob("*")
            next(file for file in cached if file.is_file() and file.suffix != ".dir").unlink()
            why = "[Errno 28] No space left on device: 'raw/Smith.png' -> '/c/x.tmp'"
            done.stderr = f"ERROR: failed - {why}\n"
        return done

    paths.RAW.mkdir(parents=True)
    before = None
    for number in range(2):
        (paths.RAW / f"{number}.png").write_bytes(bytes([number]))
        with monkeypatch.context() as patch:
            patch.setattr(data_versions, "_run", full)
            with pytest.raises(DataError, match=r"required: .* in DVC's cache; .*No space") as told:
                data_versions.save()
        assert "Smith" not in str(told.value)
        assert (paths.RAW_DVC.read_text() if paths.RAW_DVC.exists() else None) == before
        data_versions.save()
        assert data_versions._difference() is None
        before = paths.RAW_DVC.read_text()
