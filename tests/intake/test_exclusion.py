"""Images that a person leaves out: their file and row stay, and nobody else changes side."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from worlds import split as tables
from worlds.dicom_files import make_dicom
from worlds.pull import SOURCE, cohort, configure, image, run, tree

from tasks import preprocess, pull
from tasks.common import manifest, paths
from tasks.common.errors import DataError
from tasks.common.manifest import EXCLUDED, REPLACED
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort as rows
from tasks.intake.exclusion import exclude, include
from tasks.intake.file_ids import file_of
from tasks.splitting import assignment
from tasks.splitting.joining import APART


@pytest.fixture(autouse=True)
def pulled(source):
    """Four images in two classes."""
    run()


def out(*image_ids: str) -> int:
    return exclude(load(Params), image_ids)


def back(*image_ids: str) -> int:
    return include(load(Params), image_ids)


def whole() -> pd.DataFrame:
    return manifest.read(paths.COHORT, manifest.COHORT)


def ids() -> list[str]:
    return sorted(cohort()["image_id"])


def usable() -> list[str]:
    return sorted(preprocess.candidates(whole())["image_id"])


def test_excluded_image_keeps_its_file_and_its_row():
    first, *others = ids()
    files = tree()
    assert out(first) == 1
    assert usable() == others
    assert ids() == [first, *others]
    row = cohort().set_index("image_id").loc[first]
    assert row["reason"] == EXCLUDED
    assert (paths.RAW / row["path"]).exists()
    assert tree() == files | {str(paths.COHORT): tree()[str(paths.COHORT)]}
    nothing = pd.DataFrame({"reason": []}, index=pd.Index([], name="image_id"))
    table = preprocess.to_images(whole(), nothing)
    assert table.set_index("image_id").loc[first, ["status", "row"]].tolist() == ["quarantined", -1]


def test_no_pull_brings_it_back():
    first = ids()[0]
    out(first)
    before = tree()
    summary = run()
    assert (summary.new, summary.known, summary.refused) == (0, 4, {})
    assert tree() == before
    image("sick/later.png", 70)
    assert run().new == 1
    assert first not in usable()


def test_it_comes_back_as_a_batch_of_its_own():
    first, *others = ids()
    out(first)
    assert back(first) == 1
    assert usable() == [first, *others]
    row = cohort().set_index("image_id").loc[first]
    assert row["batch"] == 1
    stand_in = whole().set_index("reason").loc[REPLACED]
    assert stand_in[["batch", "patient_id", "label"]].tolist() == [0, first, row["label"]]
    assert (run().new, run().known) == (0, 4)
    for _ in range(2):  # any number of times
        out(first)
        back(first)
    assert usable() == [first, *others]
    assert whole()["image_id"].is_unique


def test_first_characters_suffice_and_several_ids_go_at_once():
    first, second, *others = ids()
    assert out(first[:8], second) == 2
    assert usable() == others
    assert back(second[:12]) == 1
    assert usable() == [second, *others]


def test_file_of_frames_goes_whole_or_by_the_frame():
    frames = np.arange(3 * 64, dtype=np.uint16).reshape(3, 8, 8)
    (SOURCE / "sick/frames.dcm").write_bytes(make_dicom(frames, Modality="CT"))
    configure(pull__take="all")
    run()
    mine = [image_id for image_id in ids() if "-" in image_id]
    assert len(mine) == 3
    assert out(mine[1]) == 1
    assert [image_id for image_id in usable() if "-" in image_id] == [mine[0], mine[2]]
    assert back(mine[1]) == 1
    assert out(file_of(mine[0])) == 3
    assert not any("-" in image_id for image_id in usable())


@pytest.mark.parametrize("given", ["Smith_Jane", "0" * 64, "qq", "", "0123456789abcdef-1"])
def test_unknown_id_is_an_error_that_does_not_repeat_it(given):
    before = tree()
    for act in (out, back):
        with pytest.raises(DataError, match="received: one that none has") as caught:
            act(ids()[0], given)
        assert not given or given not in str(caught.value)
    assert tree() == before


def test_beginning_of_two_files_is_an_error(monkeypatch):
    table = whole()
    table["image_id"] = [f"{'a' * 10}{number}" for number in range(4)]
    rows.write(table, load(Params).deid.key_id)
    with pytest.raises(DataError, match="one that several begin with"):
        out("a" * 10)


def test_only_what_is_used_can_go_and_only_what_went_comes_back():
    (SOURCE / "sick/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n Mrs Smith")
    run()
    broken = cohort().loc[cohort()["reason"].notna(), "image_id"].iloc[0]
    with pytest.raises(DataError, match="broken PNG: a chunk is damaged or cut off"):
        out(broken)
    for image_id in (broken, usable()[0]):
        with pytest.raises(DataError, match="required: images that --exclude left out"):
            back(image_id)
    first = usable()[0]
    out(first)
    with pytest.raises(DataError, match=EXCLUDED):
        out(first)


def test_they_do_not_count_against_the_source():
    images = pd.DataFrame({"image_id": list("abcd"), "status": "ok", "reason": None})
    images.loc[:1, ["status", "reason"]] = ["quarantined", EXCLUDED]
    preprocess.check_quarantine(images, 0.0)
    images.loc[2, ["status", "reason"]] = ["quarantined", "broken picture"]
    with pytest.raises(DataError, match="1 of 2 images"):
        preprocess.check_quarantine(images, 0.0)


def sides() -> dict[str, str]:
    settings = load(Params).split.model_copy(update={"val": 0.3, "test": 0.3})
    table = whole()
    table["group"] = table["patient_id"].fillna(table["image_id"])
    return dict(zip(table["group"], assignment.assign(table, settings, "binary"), strict=True))


@pytest.mark.parametrize("number", range(4))
def test_nobody_changes_side(number):
    image("well/later.png", 80)
    run()
    before, image_id = sides(), ids()[number]
    assert set(before.values()) == {"train", "val", "test"}
    out(image_id)
    assert sides() == before
    back(image_id)
    assert sides() == before


def test_who_was_split_without_it_stays_where_it_is():
    """Two pictures alike: the second came, and got a side, while the first was out."""
    settings = tables.SETTINGS.model_copy(update={"val": 0.3, "test": 0.3})
    first = ids()[0]
    out(first)
    for number in range(8):
        image(f"sick/later_{number}.png", 90 + number)
    run()

    def split(*links: tuple[str, str]) -> pd.DataFrame:
        usable_ = whole()["reason"].isna().map({True: "ok", False: "quarantined"})
        images = whole().assign(status=usable_, row=0).reset_index(drop=True)
        task = load(Params).task
        made = tables.to_manifest(images, settings, task, tables.alike(images, *links))
        return made.set_index("image_id")

    before = split()["split"]
    later = cohort().loc[cohort()["batch"] == 1, "image_id"]
    back(first)
    mine, seen = split().loc[first, "split"], set()
    for other in later:
        after = split((first, other))
        assert after.loc[later, "split"].tolist() == before[later].tolist()
        apart = before[other] != mine
        assert (after.loc[first, "reason"] == APART) == apart
        seen.add(apart)
    assert seen == {True, False}


def test_who_was_joined_by_the_picture_is_remembered():
    first, second, third, _ = ids()
    table = whole().sort_values("image_id", ignore_index=True)
    groups = table["image_id"].replace({second: first})
    split = table.assign(group=groups, status="ok", row=0)
    manifest.write(split, paths.MANIFEST, manifest.MANIFEST)
    out(third)
    assert rows.read_joined() == {}
    out(first)
    assert rows.read_joined() == {second: first}
    back(first)
    assert rows.read_joined() == {second: first}


def test_without_the_manifest_of_data_that_were_split_nothing_goes():
    paths.DVC_LOCK.write_text(f"outs: [{{path: {paths.MANIFEST}}}]\n")
    before = tree()
    with pytest.raises(DataError, match="dvc checkout"):
        out(ids()[0])
    assert tree() == before


def test_command_line(monkeypatch, capsys):
    first = ids()[0]
    for option, said in (("--exclude", "left out"), ("--include", "are back")):
        monkeypatch.setattr(sys, "argv", ["tasks.pull", option, first[:12]])
        pull.main()
        assert said in (told := capsys.readouterr().out)
        assert "Commit data/raw.dvc" in told
    monkeypatch.setattr(sys, "argv", ["tasks.pull", "--exclude", first, "--include", first])
    with pytest.raises(SystemExit):
        pull.main()
