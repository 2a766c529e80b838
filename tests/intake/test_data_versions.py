"""Versions of the data by DVC: its settings, read without starting it, and what its cache holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.common import paths
from tasks.common.errors import DataError
from tasks.intake import data_versions

REMOTE = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = /mnt/share\n"


@pytest.mark.parametrize(
    ("config", "local", "known"),
    [("", None, False), (REMOTE, None, True), ("", REMOTE, True)],
)
def test_a_default_remote_is_known(workspace, config, local, known):
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text(config)
    if local is not None:
        (workspace / ".dvc/config.local").write_text(local)
    assert data_versions.has_remote() == known


def test_settings_that_cannot_be_read_are_no_missing_remote(workspace):
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text("[core\nremote")
    with pytest.raises(DataError, match=r"required: settings in \.dvc/config"):
        data_versions.has_remote()


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
