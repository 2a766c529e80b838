"""Files of DVC's that a kill has left half-written are found, and DVC goes on without them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from worlds.project import environment

from tasks.common import half_written, locks, paths
from tasks.common.errors import WorkspaceError

PIPELINE = "stages: {copy: {cmd: echo ran && cp data/raw/a b, deps: [data/raw], outs: [b]}}\n"


def dvc(*arguments):
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def versioned(tmp_path, monkeypatch):
    """A folder that DVC versions, with one stage that has run."""
    monkeypatch.chdir(tmp_path)
    paths.RAW.mkdir(parents=True)
    (paths.RAW / "a").write_text("pixels")
    paths.DVC_YAML.write_text(PIPELINE)
    for arguments in (["init", "--no-scm"], ["add", str(paths.RAW)], ["repro"]):
        assert dvc(*arguments)[0] == 0, arguments
    return tmp_path


def half(file):
    """As much of the file as is written in one go before a kill."""
    return file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("cut", [lambda file: file.write_bytes(b""), half])
def test_dvc_goes_on_without_them(versioned, cut):
    half_written.WHO_WORKS.write_text('{"read": {}, "write": {}}')
    whole = paths.RAW_DVC.read_text(), paths.DVC_LOCK.read_text()
    for file in (half_written.WHO_WORKS, paths.DVC_LOCK, paths.RAW_DVC):
        cut(file)
    assert dvc("repro")[0] != 0
    told = half_written.clear()
    assert [line.split()[0] for line in told] == [".dvc/tmp/rwlock", "dvc.lock", "data/raw.dvc"]
    assert dvc("add", str(paths.RAW))[0] == 0
    status, said = dvc("repro")
    assert status == 0
    assert "ran\n" not in said  # the result is in the run cache
    assert (paths.RAW_DVC.read_text(), paths.DVC_LOCK.read_text()) == whole
    assert half_written.clear() == []


def test_what_a_process_of_dvc_writes_is_left_to_it(versioned):
    paths.DVC_LOCK.write_bytes(b"")
    half_written.WHO_WORKS.write_bytes(b"")
    with locks.held(half_written.WHO_WORKS_LOCK):
        assert half_written.clear() == []
    with locks.held(half_written.REPOSITORY_LOCK):
        assert [line.split()[0] for line in half_written.clear()] == [".dvc/tmp/rwlock"]
    assert paths.DVC_LOCK.exists()


def test_the_only_trace_of_a_version_is_not_removed(versioned):
    half(paths.RAW_DVC)
    paths.RAW.rename("elsewhere")
    with pytest.raises(WorkspaceError, match=r"git checkout data/raw\.dvc"):
        half_written.clear()
    assert paths.RAW_DVC.exists()


def test_what_a_person_edited_is_not_half_written(versioned):
    paths.DVC_LOCK.write_text("<<<<<<< ours\nstages:\n=======\n>>>>>>> theirs\n")
    assert half_written.clear() == []


def test_a_folder_without_dvc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert half_written.clear() == []
