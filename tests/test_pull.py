"""Pull: what is new comes in once, de-identified, as one batch, and is versioned."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread

from tasks import digests, edit, key, manifest, params, paths, pull, versions
from tasks.errors import DataError, ParameterError, PrivacyError, SourceError
from tasks.pull import PullSummary
from tasks.sources import phantom

SOURCE = Path("source")
LABELS = ("sick", "well")


def image(name: str, seed: int) -> None:
    """A PNG of its own at the source."""
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16), np.uint8)
    (SOURCE / name).parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(SOURCE / name), pixels)


def cohort() -> pd.DataFrame:
    return manifest.read(paths.COHORT, manifest.COHORT)


def tree() -> dict[str, str]:
    files = (path for path in sorted(paths.RAW.rglob("*")) if path.is_file())
    return {path.as_posix(): digests.of_file(path) for path in files}


def run() -> PullSummary:
    return pull.pull(params.load())


def configure(**values: object) -> None:
    edit.set_values(paths.PARAMS, {name.replace("__", "."): v for name, v in values.items()})


@pytest.fixture
def source(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images in two class folders, a key, and versions without DVC."""
    for number in range(4):
        image(f"{LABELS[number % 2]}/Smith_{number}.png", number)
    configure(pull__path=str(SOURCE), pull__source="folder", task__classes=list(LABELS))
    key.main()
    monkeypatch.setattr(versions, "has_remote", lambda: False)
    monkeypatch.setattr(versions, "restore", lambda remote: None)
    monkeypatch.setattr(versions, "save", lambda: paths.RAW_DVC.write_text("a version"))
    return workspace


@pytest.mark.usefixtures("source")
def test_images_come_in_under_their_digest():
    summary = run()
    table = cohort()
    assert (summary.new, summary.batch, summary.known) == (4, 0, 0)
    assert table["image_id"].tolist() == sorted(
        digests.of_file(file) for file in SOURCE.rglob("*.png")
    )
    assert table["label"].value_counts().to_dict() == {"sick": 2, "well": 2}
    files = {path.relative_to(paths.RAW).as_posix() for path in paths.RAW.rglob("*.png")}
    assert files == set(table["path"])
    assert not [file for file in files if "Smith" in file]


@pytest.mark.usefixtures("source")
def test_a_second_pull_adds_nothing():
    run()
    before = tree()
    summary = run()
    assert (summary.new, summary.batch, summary.known) == (0, None, 4)
    assert tree() == before
    assert "nothing new" in str(summary)


@pytest.mark.usefixtures("source")
def test_new_images_make_the_next_batch_and_leave_the_old_rows():
    run()
    before = cohort()
    image("sick/later.png", 50)
    image("well/later.png", 51)
    assert run().batch == 1
    after = cohort()
    pd.testing.assert_frame_equal(after.iloc[:4], before)
    assert after["batch"].tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.usefixtures("source")
def test_what_vanished_or_changed_label_is_counted_not_followed():
    run()
    before = cohort()
    (SOURCE / "sick/Smith_0.png").unlink()
    (SOURCE / "sick/Smith_2.png").rename(SOURCE / "well/Smith_2.png")
    summary = run()
    assert (summary.vanished, summary.relabelled, summary.new) == (1, 1, 0)
    pd.testing.assert_frame_equal(cohort(), before)


@pytest.mark.usefixtures("source")
def test_the_same_bytes_are_one_row():
    shutil.copy(SOURCE / "sick/Smith_0.png", SOURCE / "sick/copy.png")
    summary = run()
    assert (summary.new, summary.duplicates, summary.conflicting) == (4, 1, 0)
    assert cohort()["reason"].isna().all()


@pytest.mark.usefixtures("source")
def test_an_image_under_two_labels_gets_a_reason():
    shutil.copy(SOURCE / "sick/Smith_0.png", SOURCE / "well/copy.png")
    summary = run()
    row = cohort().query("reason.notna()")
    assert row["reason"].tolist() == ["two labels: sick, well"]
    assert row["path"].notna().all()
    assert (summary.conflicting, summary.unreadable) == (1, 0)
    assert run().relabelled == 0


@pytest.mark.usefixtures("source")
def test_a_file_that_cannot_be_parsed_is_not_copied():
    (SOURCE / "sick/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n Mrs Smith")
    assert run().unreadable == 1
    row = cohort().query("path.isna()").iloc[0]
    assert "broken PNG" in row["reason"]
    assert b"Mrs Smith" not in b"".join(p.read_bytes() for p in paths.RAW.rglob("*.*"))
    assert run().unreadable == 0  # known by now


@pytest.mark.usefixtures("source")
def test_unknown_class_stops_before_anything_is_written():
    image("odd/a.png", 9)
    with pytest.raises(DataError, match="odd"):
        run()
    assert not paths.RAW.exists()


@pytest.mark.usefixtures("source")
def test_auto_writes_the_classes_found():
    configure(task__classes="auto")
    summary = run()
    assert params.load().task.names == ["sick", "well"]
    assert "[sick, well]" in str(summary)


@pytest.mark.usefixtures("source")
def test_auto_refuses_classes_that_do_not_fit_the_kind():
    configure(task__classes="auto")
    image("third/a.png", 9)
    with pytest.raises(ParameterError, match="received 3"):
        run()


@pytest.mark.usefixtures("source")
def test_auto_refuses_more_classes_than_there_can_be_without_their_names():
    configure(task__classes="auto", task__kind="multiclass")
    before = paths.PARAMS.read_text()
    for number in range(101):
        image(f"Jones_{number}/a.png", number)
    with pytest.raises(SourceError, match=r"received: 103; is pull\.path") as caught:
        run()
    assert "Jones" not in str(caught.value)
    assert paths.PARAMS.read_text() == before


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("name", ["Smith.png", "sick/Smith.png", f"ab/{'cd' * 32}.png"])
def test_own_images_in_raw_stop_the_pull_before_anything_is_restored(monkeypatch, name):
    run()
    own = paths.RAW / name
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"mine")
    monkeypatch.setattr(versions, "restore", lambda remote: own.unlink())
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
    pull.sweep(cohort()["path"])
    assert not [name for name in leftovers if paths.RAW.joinpath(name).exists()]
    assert paths.RAW.joinpath("mine.png").exists()
    assert paths.RAW.joinpath("ab/mine.png").exists()


@pytest.mark.usefixtures("source")
def test_table_columns_reach_the_cohort_as_pseudonyms_and_slices():
    rows = "sick/Smith_0.png,sick,Smith,train,61,7\nwell/Smith_1.png,well,Smith,test,,8\n"
    (SOURCE / "l.csv").write_text(f"file,label,patient_id,split,age,ward\n{rows}")
    configure(pull__path=str(SOURCE / "l.csv"), pull__slices=["ward"])
    assert run().patients == 1
    table = cohort().sort_values("label")
    assert table["patient_id"].nunique() == 1
    assert "Smith" not in table.to_csv()
    assert table["slice_ward"].tolist() == ["7", "8"]
    assert table["source_split"].tolist() == ["train", "test"]
    assert table["age_band"].iloc[0] == "60-69"


@pytest.mark.usefixtures("source")
def test_later_slices_leave_earlier_batches_empty():
    run()
    image("sick/later.png", 50)
    (SOURCE / "l.csv").write_text("file,label,ward\nsick/later.png,sick,7\n")
    configure(pull__path=str(SOURCE / "l.csv"), pull__slices=["ward"])
    run()
    assert cohort()["slice_ward"].isna().tolist() == [True] * 4 + [False]


@pytest.mark.usefixtures("source")
def test_each_frame_is_a_row():
    file = dcmread(io.BytesIO(next(phantom.draw(1, 0)).content))
    file.NumberOfFrames, file.PixelData = 3, file.PixelData * 3
    file.save_as(SOURCE / "sick/film.dcm")
    assert run().new == 4 + 3
    frames = cohort().query("path.str.endswith('.dcm')")
    digest = digests.of_file(SOURCE / "sick/film.dcm")
    assert frames["image_id"].tolist() == [f"{digest}-{frame}" for frame in range(3)]
    assert frames["path"].nunique() == 1
    assert run().known == 5


@pytest.mark.usefixtures("source")
def test_another_key_is_refused():
    run()
    paths.key_file().unlink()
    key.main()
    with pytest.raises(PrivacyError, match="two pseudonyms"):
        run()


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
        patch.setattr(pull, "_write", killed_after(writes, pull._write))
        with pytest.raises(KeyboardInterrupt):
            run()
    (paths.RAW / ".cohort.parquet.123").write_bytes(b"half a table")
    run()
    assert tree() == expected


def killed_after(writes, write):
    left = iter(range(writes))

    def wrapped(path: Path, content: bytes) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(path, content)

    return wrapped


@pytest.mark.usefixtures("source")
def test_killed_before_the_version_is_versioned_by_the_next(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(versions, "save", lambda: None)
        run()
    assert not paths.RAW_DVC.exists()
    assert run().new == 0
    assert paths.RAW_DVC.exists()


@pytest.mark.usefixtures("source")
def test_own_images_replace_the_phantom(defaults, monkeypatch):
    own = params.load()
    shutil.copy(paths.PARAMS, "own.yaml")
    source = defaults.pull.model_copy(update={"phantom": params.PhantomSource(patients=10, seed=1)})
    pull.pull(defaults.model_copy(update={"pull": source}))
    assert pull.pull(own).batch == 0
    assert set(cohort()["label"]) == set(LABELS)
    assert not list(paths.RAW.rglob("*.dcm"))
    with pytest.raises(PrivacyError):
        pull.pull(defaults.model_copy(update={"pull": source}))


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
def test_phantom_is_pulled_versioned_and_pushed_without_its_names(capsys):
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
