"""What comes and what stays: known, changed, fixed and vanished files, labels, frames, slices."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread
from worlds.dicom_files import make_dicom
from worlds.pull import LABELS, SOURCE, broken, cohort, configure, file_id, image, run, tree

from tasks.common import digests, manifest, paths
from tasks.common.errors import DecodeError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import StateEntry
from tasks.intake import arrivals, exclusion
from tasks.sources import phantom


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
def test_another_patient_split_or_slice_is_counted_not_followed():
    rows = {"sick/Smith_0.png": "Ann,train,61,7", "well/Smith_1.png": ",,,"}

    def write() -> None:
        listed = "".join(f"{file},{file[:4]},{said}\n" for file, said in rows.items())
        (SOURCE / "l.csv").write_text(f"file,label,patient_id,split,age,ward\n{listed}")

    write()
    configure(pull__path=str(SOURCE / "l.csv"), pull__slices=["ward"])
    run()
    before = cohort()
    assert run().redescribed == 0
    for said in ("Bob,train,61,7", "Ann,test,61,7", "Ann,train,71,7", "Ann,train,61,8"):
        rows["sick/Smith_0.png"] = said
        write()
        assert run().redescribed == 1
    rows["well/Smith_1.png"] = "Eve,,,"  # ids that came later
    write()
    summary = run()
    assert (summary.redescribed, summary.new, summary.relabelled) == (2, 0, 0)
    assert "2 images have another patient, split or slice" in str(summary)
    pd.testing.assert_frame_equal(cohort(), before)


@pytest.mark.usefixtures("source")
def test_the_same_bytes_of_two_patients_are_told():
    rows = "sick/Smith_0.png,sick,Ann\nsick/Smith_0.png,sick,Bob\n"
    (SOURCE / "l.csv").write_text(f"file,label,patient_id\n{rows}")
    configure(pull__path=str(SOURCE / "l.csv"))
    summary = run()
    assert (summary.new, summary.duplicates, summary.redescribed) == (1, 1, 1)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.usefixtures("source")
def test_the_same_bytes_on_two_sides_of_a_split_are_noted_on_both(order):
    """Whichever comes first: who is tested by it has it, and the split stage calls it a leak."""
    rows = ["sick/Smith_0.png,sick,Ann,train", "sick/Smith_0.png,sick,Bob,test"]
    rows += ["well/Smith_1.png,well,Eve,val", "well/Smith_1.png,well,Eve,train"]
    written = "\n".join(["file,label,patient_id,split", *rows[::order]])
    (SOURCE / "l.csv").write_text(f"{written}\n")
    configure(pull__path=str(SOURCE / "l.csv"))
    summary = run()
    assert (summary.new, summary.duplicates, summary.redescribed) == (2, 2, 0)
    table = cohort().sort_values("label")
    assert table["source_split"].tolist() == ["train|test", "train|val"]
    (SOURCE / "l.csv").write_text("file,label,patient_id,split\nsick/Smith_0.png,sick,Bob,test\n")
    assert run().redescribed == 0  # Bob's is the claim that was taken
    (SOURCE / "l.csv").write_text(f"{written}\n")
    assert (run().new, run().redescribed) == (0, 0)
    pd.testing.assert_frame_equal(cohort().sort_values("label"), table)


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
    assert (summary.conflicting, summary.refused) == (1, {})
    assert run().relabelled == 0


@pytest.mark.usefixtures("source")
def test_a_file_that_cannot_be_parsed_is_not_copied():
    (SOURCE / "sick/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n Mrs Smith")
    assert list(run().refused.values()) == [1]
    row = cohort().query("path.isna()").iloc[0]
    assert "broken PNG" in row["reason"]
    assert b"Mrs Smith" not in b"".join(p.read_bytes() for p in paths.RAW.rglob("*.*"))
    assert run().refused == {}  # known by now


@pytest.mark.usefixtures("source")
def test_files_that_are_refused_are_counted_by_their_reason():
    (SOURCE / "sick/empty.png").write_bytes(b"")
    for number in range(2):
        file = make_dicom(np.eye(16, dtype=np.uint8) + number, BurnedInAnnotation="YES")
        (SOURCE / f"sick/Smith_{number}.dcm").write_bytes(file)
    configure(pull__path=str(SOURCE))
    summary = run()
    burned_in = "BurnedInAnnotation is YES: the pixels themselves may identify"
    assert summary.refused == {burned_in: 2, "the file is empty": 1}
    assert (f"  3 new files were not copied:\n    2: {burned_in}\n    1: the file is empty") in str(
        summary
    )
    assert "not copied" not in str(run())


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
    file = file_id(SOURCE / "sick/film.dcm")
    assert frames["image_id"].tolist() == [f"{file}-{frame}" for frame in range(3)]
    assert frames["path"].nunique() == 1
    assert run().known == 5


@pytest.mark.usefixtures("source")
def test_some_frames_are_taken():
    film = make_dicom(np.arange(5 * 16 * 16, dtype=np.uint16).reshape(5, 16, 16), PatientID="Smith")
    (SOURCE / "sick/film.dcm").write_bytes(film)
    configure(pull__take="every 2")
    run()
    frames = cohort().query("path.str.endswith('.dcm')")["image_id"]
    assert [frame.partition("-")[2] for frame in frames] == ["0", "2", "4"]


@pytest.mark.usefixtures("source")
def test_a_file_that_changed_at_the_source_stays_as_it_was():
    run()
    before, files = cohort(), tree()
    image("sick/Smith_0.png", 99)
    summary = run()
    assert (summary.changed, summary.new, summary.vanished, summary.known) == (1, 0, 0, 3)
    assert "other content at the source" in str(summary)
    pd.testing.assert_frame_equal(cohort(), before)
    assert tree() == files


@pytest.mark.usefixtures("source")
def test_the_same_name_in_another_folder_is_another_file():
    run()
    SOURCE.rename("elsewhere")
    for number in range(2):
        image(f"{LABELS[number]}/Smith_{number}.png", 70 + number)
    summary = run()
    assert summary.changed == 2
    SOURCE.rename("third")
    configure(pull__path="third")
    assert run().new == 2


@pytest.mark.usefixtures("source")
def test_a_fixed_file_takes_the_place_of_its_row_in_a_new_batch():
    broken("sick/later.png")
    run()
    (old,) = cohort().query("path.isna()").to_dict("records")
    image("sick/later.png", 50)
    summary = run()
    assert (summary.fixed, summary.new, summary.batch, summary.vanished) == (1, 1, 1, 0)
    table = cohort()
    assert table["path"].notna().all()
    assert table["batch"].tolist() == [0, 0, 0, 0, 1]
    assert (run().new, run().vanished) == (0, 0)
    (left,) = manifest.read(paths.COHORT, manifest.COHORT).query("path.isna()").to_dict("records")
    assert (left["patient_id"], left["batch"]) == (old["image_id"], 0)  # nobody is drawn anew


@pytest.mark.usefixtures("source")
def test_what_the_code_could_not_read_is_tried_again(monkeypatch):
    real = arrivals.deidentify

    def refuse(content, *rest):
        if content == (SOURCE / "sick/Smith_0.png").read_bytes():
            raise DecodeError("no such coding")
        return real(content, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "deidentify", refuse)
        assert run().refused == {"no such coding": 1}
        before = tree()
        assert run().new == 0
        assert tree() == before
    summary = run()
    assert (summary.fixed, summary.new, summary.refused) == (1, 1, {})
    assert len(cohort()) == 4


@pytest.mark.usefixtures("source")
def test_a_cohort_of_before_the_later_columns_still_opens():
    run()
    table = pd.read_parquet(paths.COHORT)
    old = table.drop(columns=list(manifest.LATER))
    old.attrs = table.attrs
    old.to_parquet(paths.COHORT)
    paths.IDENTIFIERS.unlink()
    image("sick/later.png", 50)
    assert run().new == 1
    assert cohort()["source_name"].isna().sum() == 4
    assert paths.IDENTIFIERS.exists()


@pytest.fixture
def spelled(source, monkeypatch):
    """A source in a folder whose name has a blank, a link to it, and the workspace as home."""
    monkeypatch.setenv("HOME", str(source))
    SOURCE.rename("my data")
    (source / "linked").symlink_to("my data")
    return ["my data", "my data/", "./my data", "././my data//", f"{source}/my data", "~/my data/"]


def renew(number: int, seed: int) -> None:
    """Other bytes under a known name."""
    image(f"../my data/{LABELS[number % 2]}/Smith_{number}.png", seed)


@pytest.mark.parametrize("before", [1, 3])
def test_a_path_spelled_otherwise_is_the_same_source(spelled, before):
    configure(pull__path=spelled[before])
    run()
    SOURCE.mkdir()
    renew(0, 99)
    for spelling in [*spelled, "linked/../my data", "linked"]:
        configure(pull__path=spelling)
        summary = run()
        assert (summary.changed, summary.new, summary.vanished) == (1, 0, 0)


@pytest.mark.parametrize("before", [1, 2, 5])
def test_names_that_an_earlier_version_kept_by_a_spelling_are_known(spelled, before, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "_spellings", lambda path: [path])  # as it was
        configure(pull__path=spelled[before])
        run()
    SOURCE.mkdir()
    renew(0, 99)
    for spelling in (spelled[before], spelled[0], spelled[4]):
        configure(pull__path=spelling)
        assert (run().changed, run().vanished) == (1, 0)


def test_a_plain_path_has_the_scope_that_it_always_had(source, defaults):
    for path in ("source", "/data/chest", "labels.csv"):
        pull = defaults.pull.model_copy(update={"source": "folder", "path": path})
        parts = [pull.source, path, None, pull.phantom.seed, pull.medmnist.model_dump()]
        assert arrivals._scopes(pull)[0] == digests.of_json(parts)


def test_a_link_that_leads_to_a_newer_release_is_the_same_source(spelled):
    configure(pull__path="linked")
    run()
    shutil.copytree("my data", "release 2")
    SOURCE.mkdir()
    image("../release 2/sick/Smith_0.png", 99)
    Path("linked").unlink()
    Path("linked").symlink_to("release 2")
    assert (run().changed, run().new) == (1, 0)


@pytest.mark.usefixtures("source")
def test_what_is_passed_by_now_stays_and_its_ids_are_told(monkeypatch):
    image("sick/Smith_0_mask.png", 40)
    image("well/Smith_1 overlay.png", 41)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.sources.masks.among", lambda files: {})  # as it was
        assert run().new == 6
    before = cohort()
    configure(pull__exclude=["*overlay.png"])
    summary = run()
    assert (summary.new, summary.known, summary.vanished, summary.passed_by) == (0, 4, 2, 2)
    assert "  2 of those are passed by" in str(summary)
    pd.testing.assert_frame_equal(cohort(), before)
    *_, title, first, second = StateEntry.PULL_DETAILS.path.read_text().splitlines()
    files = [SOURCE / "sick/Smith_0_mask.png", SOURCE / "well/Smith_1 overlay.png"]
    assert title.endswith("by their id:")
    assert [first, second] == sorted(map(file_id, files))
    assert exclusion.exclude(load(Params), [first, second]) == 2
    assert (run().vanished, run().passed_by) == (2, 0)


@pytest.mark.usefixtures("source")
def test_classes_of_a_workspace_keep_the_letters_they_were_written_in():
    composed, apart = "caf\u00e9", "cafe\u0301"
    (SOURCE / "well").rename(SOURCE / apart)
    configure(task__classes=["sick", apart])
    run()
    (SOURCE / apart).rename(SOURCE / composed)
    image(f"{composed}/new.png", 50)
    summary = run()
    assert (summary.new, summary.relabelled, summary.known) == (1, 0, 4)
    assert set(cohort()["label"]) == {"sick", apart}
