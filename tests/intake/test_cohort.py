"""The folder `data/raw`: whose files may be in it, under which key, and what is swept away."""

from __future__ import annotations

import shutil

import pytest
from worlds.pull import LABELS, cohort, configure, run

from tasks import key, pull
from tasks.common import paths
from tasks.common.errors import PrivacyError, SourceError
from tasks.common.params.loading import load
from tasks.common.params.pull import PhantomSource
from tasks.common.params.whole import Params
from tasks.intake import cohort as tables
from tasks.intake import data_versions


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("name", ["Smith.png", "sick/Smith.png", f"ab/{'cd' * 32}.png"])
def test_own_images_in_raw_stop_the_pull_before_anything_is_restored(monkeypatch, name):
    run()
    own = paths.RAW / name
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"mine")
    monkeypatch.setattr(data_versions, "restore", lambda remote: own.unlink())
    with pytest.raises(SourceError, match=r"holds 1 files.*pull\.path") as caught:
        run()
    assert "Smith" not in str(caught.value)
    assert own.read_bytes() == b"mine"


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("path", [paths.RAW, paths.RAW / "mine"])
def test_raw_is_no_source(path):
    configure(pull__path=str(path))
    with pytest.raises(SourceError, match=r"is the source.*set pull\.path"):
        run()


@pytest.mark.usefixtures("source")
def test_sweep_removes_only_what_a_pull_writes():
    run()
    digest = "ab" * 32
    paths.RAW.joinpath("ab").mkdir(exist_ok=True)
    leftovers = [f"ab/{digest}.png", f"ab/.{digest}.png.123", ".cohort.parquet.123"]
    leftovers += [f"ab/{digest}.png.{'x-_' * 7}0.tmp"]  # as DVC names a file it copies
    for name in (*leftovers, "mine.png", "ab/mine.png"):
        paths.RAW.joinpath(name).write_bytes(b"bytes")
    tables.sweep(cohort())
    assert not [name for name in leftovers if paths.RAW.joinpath(name).exists()]
    assert paths.RAW.joinpath("mine.png").exists()
    assert paths.RAW.joinpath("ab/mine.png").exists()


@pytest.mark.usefixtures("source")
def test_another_key_is_refused():
    run()
    paths.key_file().unlink()
    key.main()
    with pytest.raises(PrivacyError, match="two pseudonyms"):
        run()


@pytest.mark.usefixtures("source")
def test_own_images_replace_the_phantom(defaults, monkeypatch):
    own = load(Params)
    shutil.copy(paths.PARAMS, "own.yaml")
    source = defaults.pull.model_copy(update={"phantom": PhantomSource(patients=10, seed=1)})
    pull.pull(defaults.model_copy(update={"pull": source}))
    assert pull.pull(own).batch == 0
    assert set(cohort()["label"]) == set(LABELS)
    assert not list(paths.RAW.rglob("*.dcm"))
    with pytest.raises(PrivacyError):
        pull.pull(defaults.model_copy(update={"pull": source}))
