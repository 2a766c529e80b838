"""A pull that is killed or that the disk fails: nothing is lost, and the next one finishes."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from worlds.pull import (
    SOURCE,
    cohort,
    image,
    run,
    tree,
)

from tasks import pull
from tasks.common import paths
from tasks.common.errors import DataError, SourceError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort as tables
from tasks.intake import data_versions


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("writes", [0, 2, 4])
def test_killed_and_run_again_gives_the_same_data(monkeypatch, writes):
    run()
    for number in range(5):
        image(f"sick/later_{number}.png", 60 + number)
    shutil.copytree(paths.RAW, "before")
    run()
    expected = tree()
    shutil.rmtree(paths.RAW)
    shutil.copytree("before", paths.RAW)
    with monkeypatch.context() as patch:
        patch.setattr(tables, "write_image", killed_after(writes, tables.write_image))
        with pytest.raises(KeyboardInterrupt):
            run()
    (paths.RAW / ".cohort.parquet.123").write_bytes(b"half a table")
    run()
    assert tree() == expected


def killed_after(writes, write):
    left = iter(range(writes))

    def wrapped(*arguments) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(*arguments)

    return wrapped


@pytest.mark.usefixtures("source")
def test_killed_before_the_version_is_versioned_by_the_next(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(data_versions, "save", lambda place: None)
        run()
    assert not paths.RAW_DVC.exists()
    assert run().new == 0
    assert paths.RAW_DVC.exists()


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("full_at", [1, 3, 5])
def test_a_full_disk_loses_nothing_and_says_so(monkeypatch, full_at):
    """The fifth write is that of the identifiers."""
    count, write_bytes = iter(range(1, 9)), Path.write_bytes
    to_parquet = pd.DataFrame.to_parquet

    def full(write):
        def wrapped(target, *arguments, **options):
            if next(count) == full_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/Smith/x")
            return write(target, *arguments, **options)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full(write_bytes))
        patch.setattr(pd.DataFrame, "to_parquet", full(to_parquet))
        with pytest.raises(DataError, match=r"No space left on device.*make room") as caught:
            run()
    assert "Smith" not in str(caught.value)
    assert not list(paths.RAW.rglob(".*"))
    assert run().new == 4
    assert len(cohort()) == 4


@pytest.mark.usefixtures("source")
def test_a_file_that_vanishes_while_pulling_is_told_and_the_rerun_finishes(monkeypatch):
    listing = pull.open_source(load(Params))
    gone = SOURCE / "well/Smith_3.png"
    content = gone.read_bytes()
    gone.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(pull, "open_source", lambda _: listing)
        with pytest.raises(SourceError, match=r"cannot be read \(No such file") as caught:
            run()
    assert "Smith" not in str(caught.value)
    gone.write_bytes(content)
    assert run().new == 4


@pytest.mark.usefixtures("source")
def test_a_folder_that_cannot_be_read_is_told_without_its_name(monkeypatch):
    run()
    before = tree()

    def refuse(_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/Smith")

    monkeypatch.setattr(pull, "open_source", refuse)
    with pytest.raises(SourceError, match=r"cannot be listed \(Permission denied\)") as caught:
        run()
    assert "Smith" not in str(caught.value)
    assert tree() == before
